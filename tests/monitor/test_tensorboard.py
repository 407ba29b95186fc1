from __future__ import annotations

import math
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as replace_struct

from neuroprism.core.records import (
    Alert,
    Component,
    EpochRecord,
    Finished,
    Gradients,
    Resumed,
    RunRecord,
    Started,
    TestRecord,
)
from neuroprism.monitor.histograms import Histogram, Histograms
from neuroprism.monitor.sinks.protocol import Record, Sink
from neuroprism.monitor.sinks.tensorboard import TensorBoard
from neuroprism.monitor.sinks.tfrecord import frame, masked_crc32c, read_records
from neuroprism.monitor.window import StepWindow

MakeWindow = Callable[..., StepWindow]


def record(run: RunRecord, folder: Path, *records: Record, log_frequency: int = 1) -> TensorBoard:
    sink = TensorBoard(log_frequency)
    assert isinstance(sink, Sink)
    sink.open(run, folder)
    for item in records:
        sink.write(item)
    return sink


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def series(accumulator: Any, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]


def started(run: RunRecord) -> Started:
    return Started(run_id=run.id, components=run.components)


def epoch(number: int, step: int, value: float = 1.0) -> EpochRecord:
    return EpochRecord(
        epoch=number,
        step=step,
        train={"total": 3 * value, "signal": value, "peak_latency": 4 * value},
        val={"total": value, "signal": value / 2},
        val_metrics={"macro_f1": 0.5},
        lr=1e-3,
        grad_norm=0.25,
        seconds=2.0,
        samples_per_second=40.0,
    )


def test_steps_are_read_back_at_the_frequency(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    losses = np.random.default_rng(0).uniform(0.1, 2.0, (25, 6))
    window = make_window(losses, metrics={"masked": np.arange(25.0)})
    record(six_run, tmp_path, started(six_run), window, log_frequency=10).close()
    accumulator = read(tmp_path)
    for k, component in enumerate(six_run.components):
        expected = [(s, np.float32(losses[s - 1, k])) for s in (1, 10, 20)]
        assert series(accumulator, f"step/{component.name}") == expected
    assert [s for s, _ in series(accumulator, "step/total")] == [1, 10, 20]
    assert series(accumulator, "step/metric/masked") == [(1, 0.0), (10, 9.0), (20, 19.0)]
    assert series(accumulator, "step/lr")[0] == (1, pytest.approx(1e-4))
    assert series(accumulator, "step/grad_norm")[0] == (1, 0.5)


def test_a_disk_that_takes_parts_gets_all_of_them(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    """A system may write less than it is asked to, and says only how much."""
    sink = record(six_run, tmp_path, started(six_run))
    whole = sink._file

    class Parts:
        def write(self, data: bytes) -> int:
            return whole.write(data[:100])

    sink._file = Parts()  # type: ignore[assignment]
    sink.write(make_window([[1.0] * 6] * 3))
    sink._file = whole
    sink.close()
    assert [s for s, _ in series(read(tmp_path), "step/total")] == [1, 2, 3]


def test_several_values_go_into_one_event(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    from tensorboard.compat.proto.event_pb2 import Event

    record(six_run, tmp_path, started(six_run), make_window([[1.0] * 6] * 3)).close()
    (path,) = tmp_path.glob("events.out.tfevents.*")
    events = [Event.FromString(data) for data in read_records(path)]
    assert [len(event.summary.value) for event in events] == [0, 0, 1, 9, 9, 9]


def test_what_was_not_computed_is_absent_and_nan_is_shown(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    window = make_window(
        [[math.nan, 0, 1, 1, 1, 1]],
        counts=[[1, 0, 1, 1, 1, 1]],
        lr=math.nan,
        grad_norm=None,
        metrics={"masked": [math.nan]},
    )
    record(six_run, tmp_path, started(six_run), window).close()
    accumulator = read(tmp_path)
    tags = accumulator.Tags()["scalars"]
    assert math.isnan(series(accumulator, "step/signal")[0][1])
    absent = {"step/classification", "step/lr", "step/grad_norm", "step/metric/masked"}
    assert not absent & set(tags)


def test_a_nan_gradient_norm_that_was_given_is_shown(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    record(six_run, tmp_path, started(six_run), make_window([[1.0] * 6], grad_norm=math.nan)).close()
    assert math.isnan(series(read(tmp_path), "step/grad_norm")[0][1])


def test_epochs_have_their_own_axis(tmp_path: Path, six_run: RunRecord) -> None:
    test = TestRecord(best_epoch=2, losses={"signal": 0.75}, metrics={"macro_f1": 0.25})
    record(six_run, tmp_path, started(six_run), epoch(1, 100), epoch(2, 200, 2.0), test).close()
    accumulator = read(tmp_path)
    assert series(accumulator, "train/signal") == [(1, 1.0), (2, 2.0)]
    assert series(accumulator, "val/macro_f1") == [(1, 0.5), (2, 0.5)]
    # peak_latency has weight 0.5: parts 1 x signal and 2 x signal.
    assert series(accumulator, "loss_breakdown/peak_latency") == [(1, 2.0), (2, 4.0)]
    assert series(accumulator, "loss_share/peak_latency")[1] == (2, pytest.approx(2 / 3))
    assert series(accumulator, "train/lr")[0] == (1, pytest.approx(1e-3))
    assert series(accumulator, "train/grad_norm")[0] == (1, 0.25)
    assert series(accumulator, "train/epoch_seconds")[0] == (1, 2.0)
    assert series(accumulator, "test/signal") == [(2, 0.75)]
    assert series(accumulator, "test/macro_f1") == [(2, 0.25)]


def test_layout_groups_the_components(tmp_path: Path, six_run: RunRecord) -> None:
    from tensorboard.plugins.custom_scalar import layout_pb2

    record(six_run, tmp_path, started(six_run)).close()
    (event,) = read(tmp_path).Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    breakdown, against = layout.category
    assert len(breakdown.chart[0].multiline.tag) == 6
    assert breakdown.chart[0].multiline.tag[3] == "^loss_breakdown/peak_latency$"
    titles = ["Total", "Signal", "Class", "Peak", "PeakLat", "PeakAmp", "Thresh"]
    assert [chart.title for chart in against.chart] == titles
    assert list(against.chart[1].multiline.tag) == ["^train/signal$", "^val/signal$"]


def test_alerts_are_text(tmp_path: Path, six_run: RunRecord, make_window: MakeWindow) -> None:
    alert = Alert(rule="r", kind="spike", severity="warning", message="3 x the median", component="signal")
    record(six_run, tmp_path, started(six_run), make_window([[1.0] * 6] * 7), alert).close()
    accumulator = read(tmp_path)
    (event,) = accumulator.Tensors("alerts/spike")
    assert event.step == 7
    assert b"3 x the median" in event.tensor_proto.string_val[0]
    assert accumulator.SummaryMetadata("alerts/spike").plugin_data.plugin_name == "text"


def test_histograms(tmp_path: Path, six_run: RunRecord) -> None:
    values = np.random.default_rng(1).normal(size=1000)
    counts, edges = np.histogram(values, bins=20)
    histogram = Histogram(
        edges=edges,
        counts=counts,
        minimum=values.min(),
        maximum=values.max(),
        total=values.sum(),
        total_squares=(values**2).sum(),
        n_non_finite=0,
    )
    both = Histograms(
        step=50, epoch=3, weights={"head.weight": histogram}, gradients={"head.weight": histogram}
    )
    record(six_run, tmp_path, started(six_run), both).close()
    accumulator = read(tmp_path)
    (event,) = accumulator.Histograms("weights/head.weight")
    assert event.step == 3
    assert event.histogram_value.num == 1000
    assert event.histogram_value.bucket_limit == edges.tolist()
    assert event.histogram_value.bucket == [0, *counts.tolist()]
    assert accumulator.Histograms("gradients/head.weight")


def first_attempt(run: RunRecord, folder: Path, make_window: MakeWindow) -> TensorBoard:
    return record(
        run,
        folder,
        started(run),
        make_window([[1.0] * 6] * 10),
        epoch(1, 10),
        make_window([[1.0] * 6] * 10, first_step=11, epoch=2),
        epoch(2, 20),
        make_window([[1.0] * 6] * 5, first_step=21, epoch=3),
        TestRecord(best_epoch=1, losses={"signal": 9.0}),
    )


@pytest.mark.parametrize(("step", "running_epoch"), [(10, 2), (15, 2), (20, 3), (0, 1)])
def test_resume_leaves_no_duplicate_and_no_gap(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow, step: int, running_epoch: int
) -> None:
    first_attempt(six_run, tmp_path, make_window).close()
    (old,) = tmp_path.glob("events.out.tfevents.*")
    with old.open("ab") as file:
        file.write(frame(b"torn record")[:-3])
    records: list[Record] = [
        make_window([[2.0] * 6] * (30 - step), first_step=step + 1, epoch=running_epoch),
        *(epoch(number, 10 * number, 2.0) for number in range(running_epoch, 4)),
        Finished(status="finished"),
    ]
    record(six_run, tmp_path, Resumed(step=step, epoch=running_epoch), *records).close()
    accumulator = read(tmp_path)
    for tag in ("step/signal", "step/total", "step/lr"):
        assert [s for s, _ in series(accumulator, tag)] == list(range(1, 31))
    assert [v for _, v in series(accumulator, "step/signal")] == [1.0] * step + [2.0] * (30 - step)
    kept = running_epoch - 1
    values = list(enumerate([1.0] * kept + [2.0] * (3 - kept), start=1))
    assert series(accumulator, "train/signal") == values
    assert "test/signal" not in accumulator.Tags()["scalars"]
    assert len(accumulator.Tensors("custom_scalars__config__")) == 1
    assert not list(tmp_path.glob(".*"))


def plugin_steps(reader: Any, tag: str) -> list[int]:
    return [event.step for event in reader.Tensors(tag)]


def test_reader_that_stayed_open_sees_no_duplicate(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    first = first_attempt(six_run, tmp_path, make_window)
    # The older reader, and the one behind the web page.
    older, newer = read(tmp_path), EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    newer.Reload()
    assert len(series(older, "step/signal")) == len(plugin_steps(newer, "step/signal")) == 25
    first.close()
    window = make_window([[2.0] * 6] * 15, first_step=16, epoch=2)
    record(six_run, tmp_path, Resumed(step=15, epoch=2), window, epoch(2, 20), epoch(3, 30)).close()
    older.Reload()
    newer.Reload()
    assert [s for s, _ in series(older, "step/signal")] == list(range(1, 31))
    assert [s for s, _ in series(older, "train/signal")] == [1, 2, 3]
    assert plugin_steps(newer, "step/signal") == list(range(1, 31))
    assert plugin_steps(newer, "train/signal") == [1, 2, 3]


def test_event_files_of_others_are_left_alone(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    other = tmp_path / "events.out.tfevents.1700000000.host.1.0"
    other.write_bytes(frame(b"theirs"))
    first_attempt(six_run, tmp_path, make_window).close()
    record(six_run, tmp_path, Resumed(step=15, epoch=2)).close()
    assert list(read_records(other)) == [b"theirs"]


def test_kill_while_resuming_leaves_a_folder_that_resumes(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    first_attempt(six_run, tmp_path, make_window).close()
    (old,) = tmp_path.glob("events.out.tfevents.*")
    content = old.read_bytes()
    resumed = Resumed(step=15, epoch=2)
    window = make_window([[2.0] * 6] * 15, first_step=16, epoch=2)
    record(six_run, tmp_path, resumed, window).close()
    old.write_bytes(content)  # as if the process had been killed before it emptied the file
    assert [s for s, _ in series(read(tmp_path), "step/signal")] == list(range(1, 31))
    record(six_run, tmp_path, resumed, window).close()
    assert [s for s, _ in series(read(tmp_path), "step/signal")] == list(range(1, 31))


def test_values_are_on_disk_when_write_returns(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    sink = record(six_run, tmp_path, started(six_run), make_window([[1.0] * 6]))
    assert series(read(tmp_path), "step/signal") == [(1, 1.0)]
    sink.close()
    sink.close()


def test_needs_no_tensorflow_and_no_torch_and_warns_of_nothing(tmp_path: Path) -> None:
    component = repr(Component(name="mse", label="MSE"))
    code = f"""
import sys
from pathlib import Path
from neuroprism.core.records import Component, RunRecord, Started
from neuroprism.monitor.sinks.tensorboard import TensorBoard
assert "tensorboard" not in sys.modules
run = RunRecord(id="x", name="x", task="", components=({component},))
sink = TensorBoard()
sink.open(run, Path({str(tmp_path)!r}))
sink.write(Started(run_id="x", components=run.components))
sink.close()
assert not {{"torch", "tensorflow", "tensorboard.compat.tensorflow_stub"}} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


@pytest.mark.parametrize("n_bytes", [*range(10), 999, 4096])
def test_record_framing_equals_that_of_tensorboard(n_bytes: int) -> None:
    from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

    data = np.random.default_rng(2).integers(0, 256, n_bytes, dtype=np.uint8).tobytes()
    assert masked_crc32c(data) == pywrap_tensorflow.masked_crc32c(data)
    assert struct.unpack("<Q", frame(data)[:8]) == (n_bytes,)


def test_reading_stops_at_a_damaged_record(tmp_path: Path) -> None:
    path = tmp_path / "records"
    good, bad = frame(b"good"), bytearray(frame(b"evil"))
    bad[13] ^= 1
    for content in (good + bytes(bad) + good, good + good[:7], good + b"\0" * 40):
        path.write_bytes(content)
        assert list(read_records(path)) == [b"good"]


def looked_at(step: int, value: float = 1.0) -> Gradients:
    return Gradients(
        step=step,
        epoch=1,
        norms={"signal": value, "peak_latency": 2 * value},
        cosines={"signal|peak_latency": -0.5},
        clip_rate=0.25,
        update_ratios={"encoder": 0.001},
    )


def test_gradients_by_component_lie_over_the_step(tmp_path: Path, six_run: RunRecord) -> None:
    record(six_run, tmp_path, started(six_run), looked_at(1), looked_at(200, 3.0)).close()
    accumulator = read(tmp_path)
    assert series(accumulator, "gradient/peak_latency") == [(1, 2.0), (200, 6.0)]
    # peak_latency has weight 0.5: both weighted norms are equal.
    assert series(accumulator, "gradient_share/signal") == [(1, 0.5), (200, 0.5)]
    assert series(accumulator, "gradient_cosine/signal|peak_latency")[0] == (1, -0.5)
    assert series(accumulator, "update_ratio/encoder")[0] == (1, pytest.approx(0.001))
    assert series(accumulator, "clip_rate") == [(1, 0.25), (200, 0.25)]


def test_gradients_after_the_checkpoint_are_dropped_by_their_step(tmp_path: Path, six_run: RunRecord) -> None:
    first = [looked_at(1), looked_at(200), looked_at(400)]
    record(six_run, tmp_path, started(six_run), *first).close()
    record(six_run, tmp_path, Resumed(step=300, epoch=2), looked_at(400, 2.0)).close()
    assert series(read(tmp_path), "gradient/signal") == [(1, 1.0), (200, 1.0), (400, 2.0)]


def test_weights_that_change_are_shown_beside_the_steps(
    tmp_path: Path, six_run: RunRecord, make_window: MakeWindow
) -> None:
    window = replace(make_window([[1.0] * 6], counts=[[1, 1, 1, 1, 1, 0]]), weights=np.arange(6.0)[None])
    changed = replace_struct(epoch(1, 1), weights={"signal": 2.0, "peak_latency": 0.25})
    record(six_run, tmp_path, started(six_run), window, changed).close()
    accumulator = read(tmp_path)
    assert series(accumulator, "step/weight/peak_exist") == [(1, 2.0)]
    assert "step/weight/threshold" not in accumulator.Tags()["scalars"]
    assert series(accumulator, "loss_breakdown/signal") == [(1, 2.0)]
    assert series(accumulator, "loss_breakdown/peak_latency") == [(1, 1.0)]
