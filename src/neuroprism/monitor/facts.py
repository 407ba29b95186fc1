"""What a run declares about itself: what rules may hold it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuroprism.core.records import Component


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredSchedule:
    """The course of the learning rate as the configuration declares it.

    Attributes
    ----------
    type
        A type of `training.scheduler`, e.g. ``"cosine_annealing"``; foreign
        names are translated where they mean the same.
    warmup_epochs, warmup_steps
        Length of the linear rise at the beginning, in one of both units.
    first_change_epochs, first_change_steps
        Length after the warm-up before which the declared rate stays where it
        is, in one of both units; 0 for a schedule that changes at every step.
        None where only the run can tell, as with a plateau.
    """

    type: str
    warmup_epochs: float = 0.0
    warmup_steps: int = 0
    first_change_epochs: float | None = 0.0
    first_change_steps: int | None = None


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
    """

    components: tuple[Component, ...]
    n_epochs: int | None = None
    steps_per_epoch: int | None = None
    schedule: DeclaredSchedule | None = None
    learning_rate: float | None = None
    gradient_clip: float | None = None
    batch_size: int | None = None
    mixed_precision: bool | None = None


def facts_of(
    components: tuple[Component, ...],
    config: Mapping[str, Any] | None,
    *,
    n_epochs: int | None = None,
    steps_per_epoch: int | None = None,
) -> RunFacts:
    """Return what a resolved configuration says; keys that it lacks, or that mean something else, are unknown.

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
        n_epochs=n_epochs or _whole_number(training.get("epochs")),
        steps_per_epoch=steps_per_epoch,
        schedule=declared_schedule(_section(training, "scheduler")),
        learning_rate=_number(optimizer.get("learning_rate")),
        gradient_clip=_number(training.get("gradient_clip")),
        batch_size=_whole_number(loader.get("batch_size")),
        mixed_precision=None if precision is None else precision not in (False, "no", "false", "32"),
    )


_FOREIGN = {
    "cosine": "cosine_annealing",
    "cosineannealinglr": "cosine_annealing",
    "cosine_with_restarts": "cosine_annealing_warm_restarts",
    "cosine_warm_restarts": "cosine_annealing_warm_restarts",
    "warm_restarts": "cosine_annealing_warm_restarts",
    "cosineannealingwarmrestarts": "cosine_annealing_warm_restarts",
    "onecycle": "one_cycle",
    "onecyclelr": "one_cycle",
    "steplr": "step",
    "multisteplr": "multistep",
    "exponentiallr": "exponential",
    "reducelronplateau": "reduce_on_plateau",
    "plateau": "reduce_on_plateau",
    "constant_with_warmup": "constant",
    "none": "constant",
}
_EVERY_STEP = ("cosine_annealing", "cosine_annealing_warm_restarts", "one_cycle", "exponential", "linear")


def declared_schedule(section: Mapping[str, Any]) -> DeclaredSchedule | None:
    """Return the schedule that a section like `training.scheduler` declares, None where it names no type."""
    name = next((section[key] for key in ("type", "name", "kind") if isinstance(section.get(key), str)), None)
    if name is None:
        return None
    kind = _FOREIGN.get(name.lower(), name.lower())
    epochs: float | None = None
    steps: int | None = None
    if kind in _EVERY_STEP:
        epochs = 0.0
    elif kind == "step":
        epochs, steps = _number(section.get("step_size")), _whole_number(section.get("step_size_steps"))
    elif kind == "multistep":
        epochs = _first(section.get("milestones"))
        steps = _whole_number(_first(section.get("milestones_steps")))
    return DeclaredSchedule(
        type=kind,
        warmup_epochs=_number(section.get("warmup_epochs")) or 0.0,
        warmup_steps=_whole_number(section.get("warmup_steps")) or _whole_number(section.get("warmup")) or 0,
        first_change_epochs=epochs,
        first_change_steps=steps,
    )


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole_number(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def _first(values: Any) -> float | None:
    return _number(values[0]) if isinstance(values, list | tuple) and values else None
