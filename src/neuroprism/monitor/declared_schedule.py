"""The course of the learning rate that a configuration declares, as far as rules hold a run to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredSchedule:
    """A type of `training.scheduler` with what its course depends on.

    Attributes
    ----------
    type
        E.g. ``"cosine_annealing"``; foreign names are translated where they mean the same.
    warmup_epochs, warmup_steps
        Length of the linear rise at the beginning, in one of both units.
    length
        Length of the course after the warm-up, in epochs, or in steps where it exceeds the planned
        epochs; None for the rest of the run.
    change_after
        Length before the first change of a schedule by steps, in the same units; None where nobody knows.
    gamma
        Factor per epoch of an exponential schedule.
    pct_start
        Share of a one-cycle schedule in which the rate rises.
    """

    type: str
    warmup_epochs: float = 0.0
    warmup_steps: int = 0
    length: float | None = None
    change_after: float | None = None
    gamma: float | None = None
    pct_start: float = 0.3

    def warmup(self, steps_per_epoch: float) -> float:
        """Return the steps of the warm-up."""
        return self.warmup_steps or self.warmup_epochs * steps_per_epoch

    def relative_rate(
        self, step: float, *, steps_per_epoch: float, n_steps: float, n_epochs: float
    ) -> float | None:
        """Return the declared rate after `step` steps over its peak, None where nothing is declared of it.

        The formulas are those of Loshchilov and Hutter (2017) for half a cosine and of Smith and Topin
        (2018) for one cycle; lowest rates are taken for 0.
        """
        warmup = self.warmup(steps_per_epoch)
        if step < warmup:
            return None if self.type == "one_cycle" else step / warmup
        length = n_steps - warmup
        if self.length is not None:
            length = in_steps(self.length, steps_per_epoch=steps_per_epoch, n_epochs=n_epochs)
        part = min((step - warmup) / max(length, 1.0), 1.0)
        match self.type:
            case "constant":
                return 1.0
            case "cosine_annealing":
                return (1 + math.cos(math.pi * part)) / 2
            case "linear":
                return 1 - part
            case "exponential" if self.gamma is not None:
                return float(self.gamma ** ((step - warmup) / max(steps_per_epoch, 1.0)))
            case "one_cycle":
                up = part / self.pct_start
                return (
                    (1 - math.cos(math.pi * up)) / 2
                    if up < 1
                    else (1 + math.cos(math.pi * (part - self.pct_start) / (1 - self.pct_start))) / 2
                )
            case _:
                return None


def in_steps(length: float, *, steps_per_epoch: float, n_epochs: float) -> float:
    """Return a length in steps; one of more epochs than there are counts steps already."""
    return length if n_epochs and length > n_epochs else length * steps_per_epoch


def declared_schedule(section: Mapping[str, Any]) -> DeclaredSchedule | None:
    """Return the schedule that a section like `training.scheduler` declares, None where it names no type."""
    name = next((section[key] for key in ("type", "name", "kind") if isinstance(section.get(key), str)), None)
    if name is None:
        return None
    kind = _FOREIGN.get(name.lower(), name.lower())
    milestones = section.get("milestones")
    change_after = {
        "step": number(section.get("step_size")),
        "multistep": number(milestones[0]) if isinstance(milestones, list | tuple) and milestones else None,
    }.get(kind)
    return DeclaredSchedule(
        type=kind,
        warmup_epochs=number(section.get("warmup_epochs")) or 0.0,
        warmup_steps=int(number(section.get("warmup_steps")) or 0),
        length=number(section.get("T_max")),
        change_after=change_after,
        gamma=number(section.get("gamma")),
        pct_start=min(max(number(section.get("pct_start")) or 0.3, 0.01), 0.99),
    )


def number(value: Any) -> float | None:
    """Return a finite number as a float, None for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
