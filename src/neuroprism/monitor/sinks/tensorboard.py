"""TensorBoard event files, written with the `tensorboard` package alone.

Two axes, never mixed in one series: ``step/...``, ``alerts/...`` and gradients by
component have the optimizer step, everything else the epoch.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from neuroprism.core.records import (
    Alert,
    EpochRecord,
    Gradients,
    Resumed,
    RunRecord,
    TestRecord,
    epoch_series,
)
from neuroprism.monitor.histograms import Histograms
from neuroprism.monitor.scalar_series import (
    GRADIENT_GROUPS,
    epoch_scalars,
    gradient_scalars,
    step_scalars,
)
from neuroprism.monitor.sinks.protocol import Record
from neuroprism.monitor.sinks.tfrecord import frame, read_records
from neuroprism.monitor.window import StepWindow

STEP_AXIS = ("step/", "alerts/", *GRADIENT_GROUPS)
FILES = "events.out.tfevents.*.neuroprism"


class TensorBoard:
    """Writes one event file per attempt into the run folder.

    Series: ``step/<component>``, ``step/total``, ``step/lr``,
    ``step/grad_norm``, ``step/metric/<name>`` for the first step and every
    `log_frequency` steps; per epoch ``train/<name>``, ``val/<name>``,
    ``loss_breakdown/<component>`` (weighted training mean),
    ``loss_share/<component>``; ``test/<name>``; histograms
    ``weights/<parameter>`` and ``gradients/<parameter>``; ``alerts/<kind>`` as
    text. The custom-scalars tab groups them. Where gradients were taken apart:
    ``gradient/<component>``, ``gradient_share/<component>`` (weighted),
    ``gradient_cosine/<a>|<b>``, ``update_ratio/<module>``, ``clip_rate``.

    All values of a step or an epoch go into one event, which is in the file
    when `write` returns. After a resume the file is written anew without what
    came after the checkpoint, so that no reader sees a point twice.

    Parameters
    ----------
    log_frequency
        Rows of `steps.jsonl` that are shown: multiples of this number.
    """

    name = "tensorboard"

    def __init__(self, log_frequency: int = 100) -> None:
        self.log_frequency = log_frequency
        self._path: Path | None = None

    def open(self, run: RunRecord, folder: Path) -> None:
        """Load `tensorboard`; the file appears with the first record."""
        from neuroprism.monitor.sinks import event_protos

        self._protos = event_protos
        self._run, self._folder = run, folder
        self._epoch = 0
        self._step = 0

    def write(self, record: Record) -> None:
        """Write the values of `record`."""
        if self._path is None:
            resumed = record if isinstance(record, Resumed) else None
            self._begin_file(resumed)
        match record:
            case StepWindow():
                self._append(self._step_events(record))
            case EpochRecord():
                self._epoch = record.epoch
                self._append([self._scalars(record.epoch, epoch_scalars(self._run, record))])
            case Histograms():
                self._append([self._histograms(record)])
            case Gradients():
                self._append([self._scalars(record.step, gradient_scalars(self._run, record))])
            case Alert() if record.is_news:
                self._append([self._alert(record)])
            case TestRecord():
                numbers = {epoch_series("test", k): v for k, v in (record.losses | record.metrics).items()}
                self._append([self._scalars(record.best_epoch or self._epoch, numbers)])
            case _:
                pass

    def close(self) -> None:
        """Close the file."""
        if self._path is not None:
            self._file.close()
            self._path = None

    def _scalars(self, step: int, numbers: dict[str, float]) -> Any:
        return self._protos.summary_event(step, self._protos.scalar_values(numbers))

    def _step_events(self, window: StepWindow) -> Iterator[Any]:
        self._step = int(window.step[-1]) if len(window) else self._step
        shown = (window.step % self.log_frequency == 0) | (window.step == 1)
        for index in shown.nonzero()[0]:
            i = int(index)
            yield self._scalars(int(window.step[i]), step_scalars(window, i))

    def _histograms(self, record: Histograms) -> Any:
        groups = (("weights", record.weights), ("gradients", record.gradients))
        values = [
            self._protos.histogram_value(f"{group}/{name}", histogram)
            for group, histograms in groups
            for name, histogram in histograms.items()
            if histogram.counts.sum() > 0
        ]
        return self._protos.summary_event(record.epoch, values)

    def _alert(self, alert: Alert) -> Any:
        where = f" in `{alert.component}`" if alert.component else ""
        advice = f"\n\n{alert.advice}" if alert.advice else ""
        text = f"**{alert.severity}: {alert.kind}**{where}\n\n{alert.message}{advice}"
        step = self._step if alert.step is None else alert.step
        return self._protos.summary_event(step, [self._protos.text_value(f"alerts/{alert.kind}", text)])

    def _append(self, events: Iterable[Any]) -> None:
        data = b"".join(frame(event.SerializeToString()) for event in events)
        self._write_whole(data)

    def _write_whole(self, data: bytes) -> None:
        """Write all of `data` or raise: a disk that is nearly full takes a part, and says nothing."""
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def _begin_file(self, resumed: Resumed | None) -> None:
        """Create the file; after a resume with everything that is kept of the one before."""
        earlier = sorted(self._folder.glob(FILES))
        # Later than the files before, whatever the clock says: readers follow the order of the names.
        began = max([int(time.time()), *(int(path.name.split(".")[3]) + 1 for path in earlier)])
        name = f"events.out.tfevents.{began:010d}.{socket.gethostname()}.{os.getpid()}"
        path = self._folder / f"{name}.{len(earlier)}.neuroprism"
        # Readers look for "tfevents" in the name: they see the file when it is complete.
        unfinished = self._folder / ".tensorboard.tmp"
        self._file = unfinished.open("wb", buffering=0)
        try:
            self._fill(earlier, resumed)
            unfinished.rename(path)
        except BaseException:
            self._file.close()
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise
        # Emptied, not removed: an open reader would wait for a removed file for ever.
        for old in earlier:
            os.truncate(old, 0)
        self._path = path

    def _fill(self, earlier: list[Path], resumed: Resumed | None) -> None:
        """Write what stands at the beginning of the file."""
        layout = self._protos.layout_value(self._run.components)
        # A reader that is open meanwhile drops at the restart what it read from the file before.
        self._append(
            [
                self._protos.version_event(),
                self._protos.restart_event(),
                self._protos.summary_event(0, [layout]),
            ]
        )
        if resumed is not None:
            for data in self._kept(earlier, resumed):
                self._write_whole(frame(data))

    def _kept(self, earlier: list[Path], resumed: Resumed) -> Iterator[bytes]:
        """Yield the events up to the point of resuming; the newest file with content has all of them."""
        source = next((path for path in reversed(earlier) if path.stat().st_size), None)
        for data in read_records(source) if source else ():
            event = self._protos.parse_event(data)
            tags = [value.tag for value in event.summary.value]
            if not tags or tags[0] == self._protos.LAYOUT_TAG or tags[0].startswith("test/"):
                continue
            limit = resumed.step if tags[0].startswith(STEP_AXIS) else resumed.epoch - 1
            if event.step <= limit:
                yield data
