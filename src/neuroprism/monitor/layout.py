"""The files of a run folder, named once."""

from __future__ import annotations

RUN = "run.json"
CONFIG = "config.yaml"
OLD_CONFIG = "config.attempt*.yaml"
STEPS = "steps.jsonl"
EVENTS = "events.jsonl"
STEPS_SUPERSEDED = "steps.superseded.jsonl"
EVENTS_SUPERSEDED = "events.superseded.jsonl"
TRAINING_LOG = "training_log.json"
TEXT_LOG = "training.log"

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
    "checkpoints/last.pt",
    "checkpoints/best.pt",
    "figures/training_progress.png",
    "figures/training_progress.pdf",
)
"""Patterns of everything that a run writes at fixed places; other checkpoints are named by its events."""
