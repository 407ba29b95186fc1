from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroprism.core import strict_json
from neuroprism.core.records import Component, Note
from neuroprism.monitor.buffer import PendingSteps
from neuroprism.monitor.sinks import StepsFile
from neuroprism.monitor.sinks.steps_file import encode_rows

COMPONENTS = (
    Component(name="signal", label="Signal", weight=1.0),
    Component(name="peak", label="Peak", weight=0.37),
    Component(name="threshold", label="Thresh", weight=-2.5),
)
LOSSES = st.fixed_dictionaries(
    {}, optional={c.name: st.floats(-1e9, 1e9) | st.sampled_from([math.nan, math.inf]) for c in COMPONENTS}
).filter(bool)
STEP = st.fixed_dictionaries(
    {"losses": LOSSES},
    optional={
        "lr": st.floats(0, 1),
        "grad_norm": st.floats(),
        "skipped": st.just(True),
        "metrics": st.dictionaries(st.sampled_from(["a", "b"]), st.floats(), min_size=1),
    },
)


def encode(steps: list[dict[str, Any]], first_step: int = 1) -> list[dict[str, Any]]:
    pending = PendingSteps(COMPONENTS)
    for step in steps:
        pending.add(**step)
    lines = encode_rows(pending.take(first_step=first_step, epoch=2))
    assert lines.endswith(b"\n")
    for line in lines.splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"not strict JSON: {name}"))
    return [strict_json.decode(line) for line in lines.splitlines()]


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


@given(st.lists(STEP, min_size=1, max_size=6))
def test_rows_hold_exactly_what_was_given(steps: list[dict[str, Any]]) -> None:
    rows = encode(steps, first_step=5)
    assert [row["step"] for row in rows] == list(range(5, 5 + len(steps)))
    for row, step in zip(rows, steps, strict=True):
        expected = {f"loss/{name}": value for name, value in step["losses"].items()}
        expected |= {name: step[name] for name in ("lr", "grad_norm") if name in step}
        expected |= {f"metric/{name}": value for name, value in step.get("metrics", {}).items()}
        assert row.keys() - {"step", "epoch", "loss/total", "skipped"} == expected.keys()
        assert all(same(row[name], value) for name, value in expected.items())
        assert row.get("skipped", False) is step.get("skipped", False)
        assert row["epoch"] == 2


@given(st.lists(STEP, min_size=1, max_size=6))
def test_total_is_the_sum_of_weight_times_component_in_the_file(steps: list[dict[str, Any]]) -> None:
    for row in encode(steps):
        parts = [c.weight * row[f"loss/{c.name}"] for c in COMPONENTS if f"loss/{c.name}" in row]
        total = row["loss/total"]
        if all(map(math.isfinite, parts)):
            assert abs(total - math.fsum(parts)) <= 1e-6 * max(math.fsum(map(abs, parts)), 1e-300)
        else:
            assert not math.isfinite(total)


def test_a_row_has_the_documented_shape() -> None:
    pending = PendingSteps(COMPONENTS[:2])
    pending.add({"signal": 1.0, "peak": 2.0}, lr=1e-4, grad_norm=0.5, metrics={"m": 3.0})
    pending.add({"signal": math.nan}, skipped=True)
    lines = encode_rows(pending.take(first_step=1, epoch=1)).decode().splitlines()
    assert lines[0] == (
        '{"step":1,"epoch":1,"lr":0.0001,"grad_norm":0.5,"loss/total":1.74,'
        '"loss/signal":1.0,"loss/peak":2.0,"metric/m":3.0}'
    )
    assert lines[1] == '{"step":2,"epoch":1,"loss/total":"NaN","loss/signal":"NaN","skipped":true}'


def test_a_row_without_any_component_has_no_total() -> None:
    assert encode([{"losses": {"peak": 1.0}, "counts": {"peak": 0}, "lr": 0.1}]) == [
        {"step": 1, "epoch": 2, "lr": 0.1}
    ]


def test_windows_are_appended_and_other_records_ignored(tmp_path: Path) -> None:
    sink = StepsFile()
    sink.open(None, tmp_path)  # type: ignore[arg-type]
    pending = PendingSteps(COMPONENTS)
    for first in (1, 2):
        pending.add({"signal": 1.0})
        sink.write(pending.take(first_step=first, epoch=1))
        sink.write(Note(message="x"))
    sink.close()
    steps = [
        strict_json.decode(line)["step"] for line in (tmp_path / "steps.jsonl").read_bytes().splitlines()
    ]
    assert steps == [1, 2]


def test_weights_that_change_stand_in_the_row_of_what_was_computed() -> None:
    weights = {"signal": 2.0, "peak": 0.5, "threshold": 1.0}
    rows = encode([{"losses": {"signal": 1.0, "peak": 2.0}, "weights": weights}])
    assert rows[0] == {
        "step": 1,
        "epoch": 2,
        "loss/total": 3.0,
        "loss/signal": 1.0,
        "loss/peak": 2.0,
        "weight/signal": 2.0,
        "weight/peak": 0.5,
    }
    assert not any(key.startswith("weight/") for key in encode([{"losses": {"signal": 1.0}}])[0])
