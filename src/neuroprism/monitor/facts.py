"""What a run declares about itself: what rules may hold it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuroprism.core.records import Component
from neuroprism.monitor.declared_schedule import DeclaredSchedule, declared_schedule, number


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """What is known of a run before its first step; None or empty where nothing was declared.

    Attributes
    ----------
    components
        Terms of the loss with weights and baselines.
    n_epochs
        Planned epochs.
    steps_per_epoch
        Planned optimizer steps of an epoch.
    schedule
        Declared course of the learning rate.
    learning_rate
        Its declared peak.
    gradient_clip
        Largest gradient norm.
    batch_size
        Samples of a batch.
    mixed_precision
        Whether numbers of half precision are used.
    steps_per_row
        Least number of optimizer steps that a recorded row stands for; more
        than 1 where rows are means of epochs.
    """

    components: tuple[Component, ...]
    n_epochs: int | None = None
    steps_per_epoch: int | None = None
    schedule: DeclaredSchedule | None = None
    learning_rate: float | None = None
    gradient_clip: float | None = None
    batch_size: int | None = None
    mixed_precision: bool | None = None
    steps_per_row: float = 1.0


def facts_of(
    components: tuple[Component, ...],
    config: Mapping[str, Any] | None,
    *,
    n_epochs: int | None = None,
    steps_per_epoch: int | None = None,
) -> RunFacts:
    """Return what a resolved configuration says; what it lacks, or means otherwise, is unknown.

    Parameters
    ----------
    components
        Terms of the loss.
    config
        Nested mapping with the keys of this project (`training.scheduler`,
        `training.gradient_clip`, ...).
    n_epochs, steps_per_epoch
        Planned, where the caller knows them.
    """
    whole = config if isinstance(config, Mapping) else {}
    training = _section(whole, "training")
    optimizer = _section(training, "optimizer")
    loader = _section(_section(whole, "data"), "dataloader")
    precision = _section(whole, "hardware").get("mixed_precision")
    return RunFacts(
        components=components,
        n_epochs=n_epochs or whole_number(training.get("epochs")),
        steps_per_epoch=steps_per_epoch,
        schedule=declared_schedule(_section(training, "scheduler")),
        learning_rate=number(optimizer.get("learning_rate")),
        gradient_clip=number(training.get("gradient_clip")),
        batch_size=whole_number(loader.get("batch_size")),
        mixed_precision=None if precision is None else precision not in (False, "no", "false", "32"),
    )


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def whole_number(value: Any) -> int | None:
    """Return a positive whole number, None for anything else."""
    found = number(value)
    return int(found) if found is not None and found > 0 and found == int(found) else None
