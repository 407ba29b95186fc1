"""What must be true of a run folder after a death, and of a run that was resumed until its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from killing.programs import LOG_FREQUENCY
from neuroprism.monitor import read_events, read_run, read_steps, run_status
from neuroprism.monitor.sinks.tfrecord import read_records
from neuroprism.train import load_checkpoint

FRESH = ("time", "seconds", "samples_per_second")
"""Fields of events that no two runs share."""
TIMES = ("epoch_seconds", "samples_per_second")


class BrokenError(AssertionError):
    """A guarantee that did not hold."""


def expect(condition: object, guarantee: str) -> None:
    """Raise `BrokenError` unless `condition` holds."""
    if not condition:
        raise BrokenError(guarantee)


def lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file."""
    return path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []


def check_readable(folder: Path) -> None:
    """Every file of the folder is read by the reader that it is for."""
    read_steps(folder)
    read_events(folder)
    for name in ("run.json", "training_log.json", "split.json"):
        if (folder / name).exists():
            json.loads((folder / name).read_bytes())
    for path in folder.glob("*.jsonl"):
        for line in lines(path):
            json.loads(line)
    for path in (folder / "checkpoints").glob("*.pt"):
        load_checkpoint(path)
    for path in folder.glob("events.out.tfevents.*"):
        list(read_records(path))


def check_after_death(folder: Path, *, n_taken: int) -> int:
    """Look at what a process left that was killed; return the steps that are missing.

    Raises
    ------
    BrokenError
        If a guarantee does not hold.
    """
    check_readable(folder)
    if not (folder / "run.json").exists():
        expect(n_taken == 0, "a run that took steps has a card")
        return 0
    card = read_run(folder)
    # Before it opens the record a process leaves the card as it was, and after its last word too.
    status = run_status(folder)
    others = ("finished", "interrupted") if n_taken == 0 else ("finished",)
    expect(status == "lost" or (status == card.status in others), f"the run reads as lost, not {status}")
    steps = read_steps(folder)["step"].tolist()
    expect(steps == list(range(1, len(steps) + 1)), "every step stands in the record once")
    n_missing = max(0, n_taken - len(steps))
    expect(n_missing <= n_taken % LOG_FREQUENCY, f"only the unflushed window is missing, not {n_missing}")
    return n_missing


def check_equal(folder: Path, reference: Path) -> None:
    """A run that was resumed until its end equals the uninterrupted one, bit for bit.

    Raises
    ------
    BrokenError
        If it does not.
    """
    check_readable(folder)
    expect(run_status(folder) == "finished", "the run is finished")
    for name in ("steps.jsonl", "split.json"):
        expect((folder / name).read_bytes() == (reference / name).read_bytes(), f"{name} is the same")
    for name in ("last.pt", "best.pt"):
        one, other = (_state(path / "checkpoints" / name) for path in (folder, reference))
        expect(_same(one, other), f"{name} is the same")
    for kind in ("epoch", "test"):
        expect(_events(folder, kind) == _events(reference, kind), f"events '{kind}' are the same")
    logs = [json.loads((path / "training_log.json").read_text()) for path in (folder, reference)]
    for log in logs:
        log.pop("epoch_time")
    expect(logs[0] == logs[1], "training_log.json is the same")
    expect(_points(folder) == _points(reference), "TensorBoard shows the same points")
    expect(not list(folder.rglob("*.tmp")), "no unfinished file is left")


def check_saved(folder: Path, *, n_taken: int, said: str) -> None:
    """SIGTERM and Ctrl-C during training leave a checkpoint of the last step, and say how to go on.

    Raises
    ------
    BrokenError
        If they do not.
    """
    steps = read_steps(folder)["step"].tolist()
    saved = load_checkpoint(folder).step
    expect(steps == list(range(1, saved + 1)), f"{saved} steps are saved, {len(steps)} recorded")
    expect(saved >= n_taken, f"{n_taken} steps were taken, {saved} saved")
    expect(run_status(folder) == "interrupted", f"the run is interrupted, not {run_status(folder)}")
    expect("continue with --resume" in said, f"one line says how to go on: {said}")


def _events(folder: Path, kind: str) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in lines(folder / "events.jsonl")]
    return [{k: v for k, v in e.items() if k not in FRESH} for e in events if e["event"] == kind]


def _points(folder: Path) -> list[tuple[int, str, float]]:
    from tensorboard.compat.proto.event_pb2 import Event

    points = []
    for path in folder.glob("events.out.tfevents.*"):
        for data in read_records(path):
            event = Event.FromString(data)
            for value in event.summary.value:
                number = value.simple_value or sum(value.tensor.float_val)
                points.append((event.step, value.tag, number))
    series = ("step/", "train/", "val/", "test/")
    return sorted(p for p in points if p[1].startswith(series) and not p[1].endswith(TIMES))


def _state(path: Path) -> dict[str, Any]:
    checkpoint = load_checkpoint(path)
    names = ("epoch", "batch", "step", "model", "average", "task_state", "evaluation", "training")
    return {name: getattr(checkpoint, name) for name in names}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
