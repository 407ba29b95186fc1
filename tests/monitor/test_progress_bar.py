from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest

from neuroprism.core.records import EpochRecord, Note, Resumed, RunRecord
from neuroprism.monitor.sinks import progress_bar
from neuroprism.monitor.sinks.console import Console
from neuroprism.monitor.sinks.progress_bar import ProgressBar
from neuroprism.monitor.sinks.protocol import Sink
from neuroprism.monitor.window import StepWindow

MakeWindow = Callable[..., StepWindow]
LOSSES = [1.0295, 1.9444, 0.8308, 2.8213, 1.3438, 130.4529]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def last_line(self) -> str:
        return re.split(r"[\r\n]+", self.getvalue().rstrip("\r\n"))[-1].rstrip()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the bar reads; a test moves them."""
    now = [1000.0]
    monkeypatch.setattr(progress_bar, "perf_counter", lambda: now[0])
    return now


def end(epoch: int, step: int) -> EpochRecord:
    return EpochRecord(epoch=epoch, step=step, train={"total": 1.0})


def plain(run: RunRecord, steps_per_epoch: int | None = 4) -> tuple[ProgressBar, io.StringIO]:
    stream = io.StringIO()
    bar = ProgressBar(steps_per_epoch, stream=stream)
    assert isinstance(bar, Sink)
    bar.open(run, Path())
    return bar, stream


def test_terminal_shows_every_component(six_run: RunRecord, make_window: MakeWindow) -> None:
    stream = Terminal()
    bar = ProgressBar(4, stream=stream, min_seconds=0.0)
    bar.open(six_run, Path())
    bar.tick()
    bar.write(make_window([LOSSES]))
    bar.close()
    assert re.fullmatch(
        r"Epoch 1/200: 25%\|██▌       \| 1/4 \[\d\d:\d\d<\d\d:\d\d, Total=[\d.]+ \| LR=1\.00e-04 \| "
        r"Signal=1\.030 \| Class=1\.944 \| "
        r"Peak=0\.831 \| PeakLat=2\.821 \| PeakAmp=1\.344 \| Thresh=130\.453\]",
        stream.last_line(),
    )


@pytest.mark.parametrize(("columns", "shown"), [(180, "PeakLat"), (140, "Thresh"), (124, "Peak"), (80, "LR")])
def test_terminal_line_keeps_to_the_width(
    six_run: RunRecord, make_window: MakeWindow, monkeypatch: pytest.MonkeyPatch, columns: int, shown: str
) -> None:
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda _: (columns, 40))
    stream = Terminal()
    bar = ProgressBar(1140, stream=stream, min_seconds=0.0)
    bar.open(six_run, Path())
    for _ in range(215):
        bar.tick()
    bar.write(make_window([LOSSES], first_step=215))
    line = stream.last_line()
    bar.close()
    assert len(line) <= columns
    assert line.endswith("]")
    assert f"{shown}=" in line
    assert ("PeakLat" in line) == (columns == 180)


def test_each_epoch_has_its_own_bar_and_no_thread_stays(six_run: RunRecord, make_window: MakeWindow) -> None:
    before = threading.active_count()
    stream = Terminal()
    bar = ProgressBar(2, stream=stream, min_seconds=0.0)
    bar.open(six_run, Path())
    for epoch in (1, 2):
        for step in (1, 2):
            bar.tick()
            bar.write(make_window([LOSSES], first_step=2 * (epoch - 1) + step, epoch=epoch))
        bar.write(end(epoch, 2 * epoch))
    bar.close()
    assert len([line for line in stream.getvalue().split("\n") if "2/2" in line]) == 2
    assert threading.active_count() == before


def test_console_lines_leave_the_bar_intact(six_run: RunRecord, make_window: MakeWindow) -> None:
    stream = Terminal()
    bar, console = ProgressBar(4, stream=stream, min_seconds=0.0), Console(stream=stream)
    for sink in (bar, console):
        sink.open(six_run, Path())
    bar.tick()
    bar.write(make_window([LOSSES]))
    console.write(Note(message="a note"))
    # The bar is wiped, the line printed at the left edge, the bar drawn again.
    assert re.search(r"\r +\ra note\n\rEpoch 1/200: 25%", stream.getvalue())
    bar.close()


def test_plain_lines_come_every_ten_seconds_and_at_the_end(
    six_run: RunRecord, make_window: MakeWindow, clock: list[float]
) -> None:
    bar, stream = plain(six_run, steps_per_epoch=100)
    for step in range(1, 101):
        clock[0] += 0.3
        bar.tick()
        bar.write(make_window([LOSSES], first_step=step))
    bar.write(end(1, 100))
    bar.close()
    lines = stream.getvalue().splitlines()
    assert [re.search(r"(\d+)/100", line)[1] for line in lines] == ["34", "68", "100"]  # type: ignore[index]
    assert lines[0].startswith("Epoch 1/200: 34%|███▍      | 34/100 [00:10<00:19, Total=")
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", stream.getvalue())


def test_plain_lines_without_blocks_where_the_encoding_has_none(six_run: RunRecord) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    bar = ProgressBar(2, stream=stream)
    bar.open(six_run, Path())
    bar.tick()
    bar.write(end(1, 1))
    assert raw.getvalue().startswith(b"Epoch 1/200: 50%|#####     | 1/2 [00:00<")


@pytest.mark.parametrize(
    ("step", "epoch", "first"),
    [(6, 2, "Epoch 2/200: 75%"), (8, 2, "Epoch 3/200: 25%"), (0, 0, "Epoch 1/200: 25%")],
)
def test_resumed_run_starts_at_the_right_count(six_run: RunRecord, step: int, epoch: int, first: str) -> None:
    bar, stream = plain(six_run)
    bar.write(Resumed(step=step, epoch=epoch))
    bar.tick()
    bar.close()
    assert stream.getvalue().startswith(first)


def test_unknown_length_counts_steps(six_run: RunRecord, make_window: MakeWindow) -> None:
    bar, stream = plain(six_run, steps_per_epoch=None)
    bar.tick()
    bar.tick()
    bar.write(make_window([LOSSES], first_step=2, lr=float("nan")))
    bar.write(end(1, 2))
    assert stream.getvalue().startswith("Epoch 1/200: 2 steps [00:00, Total=")
    assert "LR" not in stream.getvalue()


def test_epoch_longer_than_announced_still_counts(six_run: RunRecord) -> None:
    bar, stream = plain(six_run, steps_per_epoch=1)
    bar.tick()
    bar.tick()
    bar.close()
    assert stream.getvalue().startswith("Epoch 1/200: 2 steps [")


def test_nothing_is_drawn_without_a_step(six_run: RunRecord) -> None:
    bar, stream = plain(six_run)
    bar.write(Note(message="x"))
    bar.close()
    assert stream.getvalue() == ""


def test_a_tick_costs_next_to_nothing(six_run: RunRecord) -> None:
    bar, _ = plain(six_run)
    bar.tick()
    best = min(_seconds_of(bar, 20_000) for _ in range(5))
    assert best / 20_000 < 1.5e-6


def _seconds_of(bar: ProgressBar, n: int) -> float:
    start = perf_counter()
    for _ in range(n):
        bar.tick()
    return perf_counter() - start
