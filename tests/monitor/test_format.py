from __future__ import annotations

import math

import pytest
from tqdm import tqdm

from neuroprism.core.records import (
    Alert,
    CheckpointSaved,
    Component,
    EpochRecord,
    Finished,
    Note,
    Resumed,
    RunRecord,
    TestRecord,
)
from neuroprism.monitor import format as text
from neuroprism.monitor.sinks.progress_bar import WITH_TOTAL

Components = tuple[Component, ...]

VALUES = {
    "total": 138.00734,
    "signal": 1.02951,
    "classification": 1.94442,
    "peak_exist": 0.83081,
    "peak_latency": 2.82131,
    "peak_amplitude": 1.34382,
    "threshold": 130.45293,
}
EXAMPLE = "Total=138.007 | LR=1.00e-04 | Signal=1.030 | Class=1.944 | Peak=0.831 | Thresh=130.453"
FULL = (
    "Total=138.007 | LR=1.00e-04 | Signal=1.030 | Class=1.944 | Peak=0.831"
    " | PeakLat=2.821 | PeakAmp=1.344 | Thresh=130.453"
)


def fitted(components: Components, width: int) -> str:
    return text.bar_postfix(components, VALUES, 1e-4, lambda line: len(line) <= width)


def test_whole_bar_reads_as_the_example_where_detail_does_not_fit(six_components: Components) -> None:
    postfix = fitted(six_components, len(FULL) - 1)
    line = tqdm.format_meter(
        215,
        1140,
        37 * 60 + 38,
        rate=925 / (2 * 3600 + 24 * 60 + 26),
        prefix="Epoch 1/200",
        postfix=postfix,
        bar_format=WITH_TOTAL,
    )
    assert line == f"Epoch 1/200: 19%|█▉        | 215/1140 [37:38<2:24:26, {EXAMPLE}]"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (10_000, FULL),
        (len(FULL), FULL),
        (len(FULL) - 1, EXAMPLE),
        (len(EXAMPLE), EXAMPLE),
        (len(EXAMPLE) - 1, EXAMPLE.removesuffix(" | Thresh=130.453")),
        (58, "Total=138.007 | LR=1.00e-04 | Signal=1.030 | Class=1.944"),
        (45, "Total=138.007 | LR=1.00e-04 | Signal=1.030"),
        (27, "Total=138.007 | LR=1.00e-04"),
        (3, "Total=138.007 | LR=1.00e-04"),
    ],
)
def test_bar_leaves_out_detail_first_then_from_the_right(
    six_components: Components, width: int, expected: str
) -> None:
    assert fitted(six_components, width) == expected


def test_bar_shows_everything_where_the_width_is_unknown(six_components: Components) -> None:
    assert text.bar_postfix(six_components, VALUES, 1e-4) == FULL


def test_bar_leaves_out_what_was_not_given(six_components: Components) -> None:
    assert (
        text.bar_postfix(six_components, {"total": 1.0, "signal": 1.0}, None) == "Total=1.000 | Signal=1.000"
    )


def test_step_line(six_components: Components) -> None:
    assert text.step_line(six_components, 100, VALUES) == (
        "Step 100 - Total: 138.0073, Signal: 1.0295, Class: 1.9444, Peak: 0.8308, "
        "PeakLat: 2.8213, PeakAmp: 1.3438, Thresh: 130.4529"
    )


def test_step_line_leaves_out_absent_components_and_shows_nan(six_components: Components) -> None:
    values = {"total": math.nan, "signal": math.nan, "threshold": math.inf}
    line = text.step_line(six_components, 3, values, skipped=True)
    assert line == "Step 3 - Total: nan, Signal: nan, Thresh: inf (step not applied)"


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (0.0, 3, "0.000"),
        (0.0005, 3, "0.001"),
        (1.2e-5, 3, "1.20e-05"),
        (-1.2e-5, 4, "-1.20e-05"),
        (2.0, 4, "2.0000"),
    ],
)
def test_number_never_hides_a_small_value(value: float, digits: int, expected: str) -> None:
    assert text.number(value, digits) == expected


def test_epoch_summary(six_components: Components) -> None:
    record = EpochRecord(
        epoch=1,
        step=1140,
        train=VALUES,
        val={"total": 4.0, "signal": 0.9, "classification": 1.4, "peak_exist": math.nan, "threshold": 1.0},
        val_metrics={"acc": 0.81234, "macro_f1": 0.7},
        train_metrics={"peak_error_ms": 0.25, "lr_head": 5e-4},
        lr=1e-4,
    )
    assert text.epoch_lines(six_components, record, 200) == [
        "Epoch 1/200 Summary:",
        "  Train - Total: 138.0073, Signal: 1.0295, Class: 1.9444, Peak: 0.8308, "
        "PeakLat: 2.8213, PeakAmp: 1.3438, Thresh: 130.4529",
        "  Val   - Total: 4.0000, Signal: 0.9000, Class: 1.4000, Peak: nan, Thresh: 1.0000",
        "  LR: 1.00e-04, head: 5.00e-04",
        "  Baseline - Signal: 1.0000, Class: 1.3863, Peak: 0.6900, Thresh: 1.0000; "
        "not yet below: Class, Peak, Thresh",
        "  Metrics - balanced_accuracy: 0.8123, macro_f1: 0.7000",
        "  Train metrics - peak_error_ms: 0.2500",
    ]


def test_epoch_summary_leaves_out_what_does_not_exist() -> None:
    components = (Component(name="mse", label="MSE"),)
    record = EpochRecord(epoch=2, step=4, train={"total": 1.0, "mse": 1.0})
    assert text.epoch_lines(components, record, None) == [
        "Epoch 2 Summary:",
        "  Train - Total: 1.0000, MSE: 1.0000",
    ]


def test_baselines_all_beaten_are_not_followed_by_names(six_components: Components) -> None:
    val = dict.fromkeys(VALUES, 0.1)
    assert text.baseline_text(six_components, val).endswith("Thresh: 1.0000")


def test_event_lines(six_run: RunRecord) -> None:
    alert = Alert(
        rule="non_finite",
        kind="non_finite",
        severity="critical",
        message="loss is NaN",
        component="peak_latency",
        step=12,
        epoch=1,
        advice="lower training.learning_rate",
    )
    cases = [
        (
            alert,
            [
                ("critical", "Alert non_finite in PeakLat at step 12, epoch 1: loss is NaN"),
                ("critical", "  Advice: lower training.learning_rate"),
            ],
        ),
        (
            Alert(rule="sink", kind="sink_failed", severity="warning", message="disk full"),
            [("warning", "Alert sink_failed: disk full")],
        ),
        (
            Alert(
                rule="r",
                kind="spike",
                severity="critical",
                message="m",
                component="signal",
                step=401,
                state="closed",
            ),
            [("info", "Alert over: spike in Signal (step 401, seen 1 time)")],
        ),
        (
            Alert(
                rule="r",
                kind="stall",
                severity="critical",
                message="m",
                first_seen=64,
                last_seen=612,
                count=3,
                state="closed",
                told=True,
            ),
            [("info", "Alert over: stall (step 64, seen 3 times, last at step 612)")],
        ),
        (Alert(rule="r", kind="k", severity="critical", message="m", told=True, at_end=True), []),
        (Note(message="12 peaks masked"), [("info", "12 peaks masked")]),
        (
            TestRecord(best_epoch=7, losses={"total": 1.0, "signal": 1.0}, metrics={"acc": 0.5}),
            [
                ("info", "Test (weights of epoch 7):"),
                ("info", "  Losses - Total: 1.0000, Signal: 1.0000"),
                ("info", "  Metrics - balanced_accuracy: 0.5000"),
            ],
        ),
        (Finished(status="finished"), [("info", "Run finished")]),
        (Finished(status="failed", message="out of memory"), [("critical", "Run failed: out of memory")]),
        (
            Resumed(step=10, epoch=2, superseded_steps=3),
            [("info", "Run demo resumed after step 10, epoch 2, 3 later steps set aside")],
        ),
        (
            CheckpointSaved(path="checkpoints/last.pt", step=10, epoch=1, reason="last"),
            [("debug", "Checkpoint (last, step 10, epoch 1): checkpoints/last.pt")],
        ),
    ]
    for event, expected in cases:
        assert list(text.event_lines(six_run, event)) == expected
