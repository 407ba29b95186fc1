"""The files of a run folder, named once."""

from __future__ import annotations

from pathlib import Path

RUN = "run.json"
CONFIG = "config.yaml"
OLD_CONFIG = "config.attempt*.yaml"
STEPS = "steps.jsonl"
EVENTS = "events.jsonl"
STEPS_SUPERSEDED = "steps.superseded.jsonl"
EVENTS_SUPERSEDED = "events.superseded.jsonl"
TRAINING_LOG = "training_log.json"
TEXT_LOG = "training.log"
PREDICTIONS = "predictions.jsonl"
WRITERS = ".writers"

WRITTEN = (
    RUN,
    CONFIG,
    OLD_CONFIG,
    STEPS,
    EVENTS,
    STEPS_SUPERSEDED,
    EVENTS_SUPERSEDED,
    TRAINING_LOG,
    TEXT_LOG,
    "events.out.tfevents.*.neuroprism",
    "tracker.json",
    PREDICTIONS,
    "checkpoints/last.pt",
    "checkpoints/best.pt",
    "figures/training_progress.png",
    "figures/training_progress.pdf",
)
"""Patterns of everything that a run writes at fixed places; other checkpoints are named by its events."""

UNFINISHED = tuple(f"{place}.*.[0-9]*.tmp" for place in ("", "checkpoints/", "figures/", f"{WRITERS}/"))
"""Patterns of files that were being written when their process was killed; see `core.files`."""


def name_in_run(folder: Path, path: Path) -> str:
    """Return `path` relative to the folder of the run where it lies inside, else as it is."""
    full, root = path.resolve(), folder.resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else str(path)
