from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import NeuroprismError
from neuroprism.core.records import EpochRecord, Gradients
from neuroprism.monitor.window import StepWindow
from neuroprism.runs.traces import read_trace

Rows = Sequence[Mapping[str, Any]]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a writer of folders with `steps.jsonl` and what may lie beside it."""

    def write(steps: Rows, epochs: Rows | None = None, meta: Any = None, *, end: str = "\n") -> Path:
        folder = tmp_path / "recorded"
        folder.mkdir(exist_ok=True)
        (folder / "steps.jsonl").write_text("\n".join(map(json.dumps, steps)) + end)
        if epochs is not None:
            (folder / "epochs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in epochs))
        if meta is not None:
            (folder / "meta.json").write_text(json.dumps(meta))
        return folder

    return write


def rows(n: int = 6, **more: Any) -> list[dict[str, Any]]:
    return [{"step": k + 1, "loss/a": 1.0 / (k + 1), "loss/b": 2.0, **more} for k in range(n)]


def test_steps_epochs_and_facts(write: Write) -> None:
    steps = [
        {**row, "epoch": 1 + k // 3, "lr": 0.1, "grad_norm": 2.0, "step_seconds": 0.5}
        for k, row in enumerate(rows())
    ]
    steps[3]["grad_norm/a"] = 0.25
    epochs = [{"epoch": 1, "val/a": 0.5, "val/b": 2.0}, {"epoch": 2, "val/a": 0.4, "val/b": 2.0}]
    meta = {
        "components": [{"name": "a", "label": "A", "weight": 2.0, "baseline": 0.9}, {"name": "b"}],
        "n_epochs": 2,
        "schedule": {"type": "cosine", "warmup_steps": 50},
        "grad_clip": 1.5,
        "batch_size": 16,
        "optimizer": "adam",
        "fantasy": [1],
    }
    trace = read_trace(write(steps, epochs, meta))
    assert trace.name == "recorded"
    assert [(c.name, c.label, c.weight, c.baseline) for c in trace.facts.components] == [
        ("a", "A", 2.0, 0.9),
        ("b", "b", 1.0, None),
    ]
    facts = trace.facts
    assert (facts.n_epochs, facts.gradient_clip, facts.batch_size) == (2, 1.5, 16)
    assert facts.schedule is not None
    assert (facts.schedule.type, facts.schedule.warmup_steps) == ("cosine_annealing", 50)
    assert trace.steps.total.tolist() == [2.0 / (k + 1) + 2.0 for k in range(6)]
    assert trace.steps.metrics["step_seconds"].tolist() == [0.5] * 6
    assert [(e.epoch, e.step, e.val["total"]) for e in trace.epochs] == [(1, 3, 3.0), (2, 6, 2.8)]
    assert trace.epochs[0].train["a"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    kinds = [type(record).__name__ for record in trace.records]
    assert kinds == ["StepWindow", "EpochRecord", "StepWindow", "Gradients", "StepWindow", "EpochRecord"]
    assert [e.norms for e in trace.events if isinstance(e, Gradients)] == [{"a": 0.25}]
    assert trace.notes == ()


@pytest.mark.parametrize(
    "meta",
    [
        {"components": {"a": 2.0, "b": 0.5}},
        {"components": {"a": {"weight": 2.0, "baseline": 1.0}, "b": {"weight": 0.5}}},
        {"weights": {"a": 2.0, "b": 0.5}, "baselines": {"a": 1.0}},
        {"components": ["a", "b"], "weights": {"a": 2.0, "b": 0.5}},
    ],
)
def test_ways_to_declare_weights(write: Write, meta: Any) -> None:
    facts = read_trace(write(rows(), meta=meta)).facts
    assert {c.name: c.weight for c in facts.components} == {"a": 2.0, "b": 0.5}


@pytest.mark.parametrize(
    ("schedule", "kind"),
    [("cosine", "cosine_annealing"), ({"name": "StepLR"}, "step"), (None, None), (3, None)],
)
def test_ways_to_declare_a_schedule(write: Write, schedule: Any, kind: str | None) -> None:
    declared = read_trace(write(rows(), meta={"schedule": schedule})).facts.schedule
    assert (declared and declared.type) == kind


def test_non_finite_numbers_are_seen_and_gaps_are_not(write: Write) -> None:
    steps = rows()
    spellings = [None, "NaN", "Infinity", "-Infinity", float("nan")]
    for row, value in zip(steps, spellings, strict=False):
        row["loss/a"] = value
    del steps[5]["loss/a"]
    trace = read_trace(write(steps))
    assert (trace.steps.counts[:, 0] > 0).tolist() == [True] * 5 + [False]
    assert str(trace.steps.losses[:, 0].tolist()) == "[nan, nan, inf, -inf, nan, nan]"
    assert trace.steps.total[5] == 2.0


def test_a_null_beside_validation_is_no_loss(write: Write) -> None:
    steps = [{"step": 1, "loss/a": 1.0, "val/a": None}, {"step": 1, "loss/a": None, "val/a": 0.5}]
    trace = read_trace(write(steps))
    assert trace.steps.losses.tolist() == [[1.0]]
    assert [e.val for e in trace.epochs] == [{"a": 0.5, "total": 0.5}]


def test_a_log_of_one_loss(write: Write) -> None:
    trace = read_trace(write([{"loss/total": 3.0 - k} for k in range(3)]))
    assert [(c.name, c.weight) for c in trace.facts.components] == [("loss", 1.0)]
    assert trace.steps.losses[:, 0].tolist() == trace.steps.total.tolist() == [3.0, 2.0, 1.0]
    assert trace.steps.step.tolist() == [1, 2, 3]


def test_a_total_that_is_not_the_sum_is_noted(write: Write) -> None:
    trace = read_trace(write(rows(**{"loss/total": 9.0})))
    assert trace.steps.total.tolist() == [9.0] * 6
    assert any("not the plain sum" in note for note in trace.notes)
    assert not read_trace(write([row | {"loss/total": row["loss/a"] + 2.0} for row in rows()])).notes


def test_losses_that_are_not_declared_are_left_out(write: Write) -> None:
    trace = read_trace(write(rows(), meta={"weights": {"a": 1.0, "c": 1.0}}))
    assert [c.name for c in trace.facts.components] == ["a"]
    assert any("b" in note for note in trace.notes)
    assert any("not in the log: c" in note for note in trace.notes)


def test_a_resumed_log_keeps_the_last_of_each_step(write: Write) -> None:
    steps = rows(4) + [{"step": k, "loss/a": 10.0 + k, "loss/b": 2.0} for k in (3, 4, 5)]
    trace = read_trace(write(steps))
    assert trace.steps.step.tolist() == [1, 2, 3, 4, 5]
    assert trace.steps.losses[:, 0].tolist() == [1.0, 0.5, 13.0, 14.0, 15.0]
    assert any("go back once" in note for note in trace.notes)


def test_steps_that_begin_again_in_each_epoch_are_counted_through(write: Write) -> None:
    steps = [{"step": k, "epoch": e, "loss/a": 1.0} for e in (1, 2) for k in (1, 2, 3)]
    trace = read_trace(write(steps, [{"epoch": e, "step": 3, "val/a": 1.0} for e in (1, 2)]))
    assert trace.steps.step.tolist() == [1, 2, 3, 4, 5, 6]
    assert [e.step for e in trace.epochs] == [3, 6]


def test_epochs_in_the_rows_of_steps(write: Write) -> None:
    steps = [row | ({"val/a": 0.1} if k % 3 == 2 else {}) for k, row in enumerate(rows())]
    trace = read_trace(write(steps))
    assert [(e.step, e.val) for e in trace.epochs] == [(3, {"a": 0.1}), (6, {"a": 0.1})]
    assert trace.steps.epoch.tolist() == [1, 1, 1, 2, 2, 2]


def test_epochs_only(write: Write) -> None:
    epochs = [
        {"epoch": k, "train/a": 1.0 / k, "train/b": 1.0, "val/a": 1.1 / k, "lr": 0.1} for k in (1, 2, 3)
    ]
    folder = write([{"epoch": 1, "lr": 0.1}], epochs)
    trace = read_trace(folder)
    assert trace.steps.step.tolist() == trace.steps.epoch.tolist() == [1, 2, 3]
    assert trace.steps.losses[:, 0].tolist() == [1.0, 0.5, 1 / 3]
    assert [e.step for e in trace.epochs] == [1, 2, 3]


def test_a_torn_last_line_is_left_out(write: Write) -> None:
    trace = read_trace(write(rows(), end='\n{"step": 7, "los'))
    assert len(trace.steps) == 6
    assert trace.notes == ("steps.jsonl, line 7 is incomplete and was left out",)
    assert len(read_trace(write(rows(), end="")).steps) == 6


def test_windows_hold_every_row_once(write: Write) -> None:
    trace = read_trace(write(rows(3000), [{"epoch": k, "step": 700 * k, "val/a": 1.0} for k in (1, 2, 3, 4)]))
    windows = [record for record in trace.records if isinstance(record, StepWindow)]
    assert np.concatenate([window.step for window in windows]).tolist() == list(range(1, 3001))
    before = 0
    for record in trace.records:
        if isinstance(record, EpochRecord):
            assert before == record.step
        elif isinstance(record, StepWindow):
            before = int(record.step[-1])


def test_a_single_file_means_what_lies_beside_it_too(write: Write) -> None:
    folder = write(rows(), meta={"weights": {"a": 3.0, "b": 1.0}})
    assert read_trace(folder / "steps.jsonl").facts == read_trace(folder).facts


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"weights": {"a": "much"}}, "weight of component 'a' is not a finite number"),
        ({"components": [{"weight": 1.0}]}, "has no name"),
        ([1, 2], "not an object"),
    ],
)
def test_a_wrong_declaration_is_an_error(write: Write, meta: Any, message: str) -> None:
    with pytest.raises(NeuroprismError, match=message):
        read_trace(write(rows(), meta=meta))


def test_names_can_be_given(write: Write) -> None:
    folder = write([{"step": k, "recon": 1.0, "cls": 2.0, "speed": 0.1} for k in range(1, 4)])
    with pytest.raises(NeuroprismError, match=r"no loss that is recognised.*recon, cls, speed"):
        read_trace(folder)
    trace = read_trace(folder, {"recon": "loss/signal", "cls": "loss/class", "speed": "step_seconds"})
    assert [c.name for c in trace.facts.components] == ["signal", "class"]
    assert trace.steps.metrics["step_seconds"].tolist() == [0.1] * 3
    with pytest.raises(NeuroprismError, match="unknown series 'recn'; did you mean 'recon'"):
        read_trace(folder, {"recn": "loss/signal"})
    with pytest.raises(NeuroprismError, match="must be loss/NAME"):
        read_trace(folder, {"recon": "los/signal"})


def test_changing_weights_are_kept(write: Write) -> None:
    steps = [row | {"weight/a": float(k), "weight/b": 1.0} for k, row in enumerate(rows(3))]
    trace = read_trace(write(steps))
    assert trace.steps.weights is not None
    assert trace.steps.weights[:, 0].tolist() == [0.0, 1.0, 2.0]
    assert trace.steps.total.tolist() == [2.0, 2.5, 2 / 3 + 2.0]
