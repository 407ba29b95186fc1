"""Going back to a checkpoint: what came after it moves to side files.

After a resume the record has one row per step and one record per epoch, without
duplicate and without gap; what the interrupted attempt wrote beyond the
checkpoint is kept in ``*.superseded.jsonl``. The side file is replaced before
the main file, both atomically, and every moved line carries the number of the
attempt that superseded it, so that a kill at any point between leaves a folder
that the next resume brings into the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from neuroprism.core.errors import DataError
from neuroprism.core.files import replace_with, whole_lines
from neuroprism.monitor import layout


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumePoint:
    """Where a run continues.

    Attributes
    ----------
    step
        Last optimizer step that is kept.
    epoch
        Last epoch that was closed; 0 before the end of the first.
    state
        `Monitor.state_dict` from the checkpoint: the sums of the epoch that
        was running. Empty at the end of an epoch.
    """

    step: int
    epoch: int
    state: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ResumePoint:
        """Return the point at which `Monitor.state_dict` returned `state`."""
        return cls(step=int(state["step"]), epoch=int(state["epoch"]), state=state)


class _Place(msgspec.Struct):
    """What of a line tells whether it came after the checkpoint."""

    event: str = ""
    step: int | None = None
    epoch: int | None = None
    last_seen: int | None = None
    at_end: bool = False


_PLACE = msgspec.json.Decoder(_Place)


def rewind(folder: Path, point: ResumePoint, *, attempt: int) -> int:
    """Move everything after `point` from the record to the side files.

    Parameters
    ----------
    folder
        Folder of the run; nothing else writes there.
    point
        The checkpoint.
    attempt
        Number of the attempt that begins now, from 2; a repeated call after a
        kill gets the same number.

    Returns
    -------
    int
        Step rows that were moved.

    Raises
    ------
    DataError
        If a line of the record is damaged; nothing was moved from its file then.
    """
    n_steps = _move(
        folder / layout.STEPS,
        folder / layout.STEPS_SUPERSEDED,
        lambda place: (place.step or 0) > point.step,
        attempt,
    )
    _move(
        folder / layout.EVENTS,
        folder / layout.EVENTS_SUPERSEDED,
        lambda place: _event_is_after(place, point),
        attempt,
    )
    return n_steps


def last_step(folder: Path) -> int:
    """Return the last step of the record, 0 without any."""
    last = b""
    for line in whole_lines(folder / layout.STEPS):
        last = line
    return (_place(last, folder / layout.STEPS).step or 0) if last else 0


def _event_is_after(place: _Place, point: ResumePoint) -> bool:
    if place.event == "epoch":
        return (place.epoch or 0) > point.epoch
    if place.event == "gradients":
        return (place.step or 0) > point.step
    if place.event in ("alert", "checkpoint"):
        # What the new attempt does again it will report again.
        step = place.step if place.last_seen is None else place.last_seen
        if step is None:
            return place.at_end or (place.epoch or 0) > point.epoch
        return place.at_end or step > point.step
    # Test results belong to the weights that the end of the attempt had selected.
    return place.event == "test"


def _place(line: bytes, path: Path) -> _Place:
    try:
        return _PLACE.decode(line)
    except msgspec.DecodeError as error:
        raise DataError(f"cannot resume: {path} holds a damaged line: {error}") from None


def _move(path: Path, side: Path, is_after: Callable[[_Place], bool], attempt: int) -> int:
    moved = [line for line in whole_lines(path) if is_after(_place(line, path))]
    if not moved:
        return 0
    prefix = b'{"superseded_by":%d,' % attempt
    marked = [prefix + line[1:] for line in moved]
    known = {line for line in whole_lines(side) if line.startswith(prefix)}
    fresh = [line for line in marked if line not in known]
    if fresh:
        replace_with(side, lambda file: _copy(file, side, fresh))
    replace_with(path, lambda file: _copy_kept(file, path, is_after))
    return len(moved)


def _copy(file: BinaryIO, source: Path, more: list[bytes]) -> None:
    for line in whole_lines(source):
        file.write(line + b"\n")
    file.writelines(line + b"\n" for line in more)


def _copy_kept(file: BinaryIO, source: Path, is_after: Callable[[_Place], bool]) -> None:
    for line in whole_lines(source):
        if not is_after(_place(line, source)):
            file.write(line + b"\n")
