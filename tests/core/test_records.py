from __future__ import annotations

import math
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroprism.core.errors import UnknownNameError
from neuroprism.core.records import (
    Alert,
    AnyEvent,
    CheckpointSaved,
    Component,
    EpochRecord,
    Finished,
    Note,
    Resumed,
    Started,
    TestRecord,
    check_names,
    epoch_series,
    now,
    step_series,
    weighted_total,
)

COMPONENTS = (
    Component(name="signal", label="Signal", weight=1.0),
    Component(name="peak", label="Peak", weight=0.5),
    Component(name="threshold", label="Thresh", weight=-2.0),
)


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_total_is_the_weighted_sum(values: list[float]) -> None:
    losses = dict(zip(("signal", "peak", "threshold"), values, strict=True))
    expected = math.fsum([values[0], 0.5 * values[1], -2.0 * values[2]])
    assert weighted_total(COMPONENTS, losses) == pytest.approx(expected, rel=1e-12, abs=1e-6)


def test_component_that_was_not_computed_contributes_nothing() -> None:
    assert weighted_total(COMPONENTS, {"peak": 4.0}) == 2.0


def test_non_finite_component_reaches_the_total() -> None:
    assert math.isnan(weighted_total(COMPONENTS, {"signal": math.nan, "peak": 1.0}))
    assert weighted_total(COMPONENTS, {"threshold": math.inf}) == -math.inf


def test_unknown_component_is_named_with_the_nearest() -> None:
    check_names(COMPONENTS, ["peak", "signal"])
    with pytest.raises(UnknownNameError, match="unknown loss component 'signl'; did you mean 'signal'"):
        check_names(COMPONENTS, ["peak", "signl"])


def test_series_names() -> None:
    assert step_series("peak") == "loss/peak"
    assert epoch_series("val", "kappa") == "val/kappa"
    record = EpochRecord(
        epoch=1,
        step=2,
        train={"total": 1.0},
        val={"total": 2.0},
        train_metrics={"f1": 3.0},
        val_metrics={"f1": 4.0},
    )
    assert record.series() == {"train/total": 1.0, "train/f1": 3.0, "val/total": 2.0, "val/f1": 4.0}


def test_now_is_utc_with_an_offset() -> None:
    assert datetime.fromisoformat(now()).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("event", "tag"),
    [
        (Started(run_id="a", components=COMPONENTS), "started"),
        (Resumed(step=3, epoch=1), "resumed"),
        (EpochRecord(epoch=1, step=2, train={"total": 1.0}), "epoch"),
        (Alert(rule="r", kind="k", severity="info", message="m"), "alert"),
        (Note(message="m"), "note"),
        (CheckpointSaved(path="p", step=1, epoch=1, reason="best"), "checkpoint"),
        (TestRecord(metrics={"f1": 0.5}, confusion_matrix=[[1, 0], [0, 1]]), "test"),
        (Finished(status="finished"), "finished"),
    ],
)
def test_events_carry_their_kind_and_come_back(event: AnyEvent, tag: str) -> None:
    line = msgspec.json.encode(event)
    assert msgspec.json.decode(line)["event"] == tag
    assert msgspec.json.decode(line, type=AnyEvent) == event


def test_component_refuses_unknown_fields() -> None:
    with pytest.raises(msgspec.ValidationError, match="wieght"):
        msgspec.json.decode(b'{"name": "a", "label": "A", "wieght": 2.0}', type=Component)
