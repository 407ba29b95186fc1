"""Courses of the learning rate in the health benchmark, and how a run declares them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Course of the learning rate; all lengths are optimizer steps and count from the end of the warm-up.

    Attributes
    ----------
    type
        Shape; the names are those of `training.scheduler.type`.
    period
        Of ``step``: steps between reductions. Of the warm restarts: steps of the first period.
    gamma
        Of ``step``, ``multistep``: factor of a reduction. Of ``exponential``: factor per `period` steps.
    milestones
        Of ``multistep``: steps of the reductions.
    growth
        Of the warm restarts: every next period is longer by this.
    lowest
        Of the cosines: last rate over highest rate.
    patience, factor
        Of ``reduce_on_plateau``: validations without improvement that are tolerated, and factor after them.
    """

    type: Literal[
        "constant",
        "step",
        "multistep",
        "exponential",
        "cosine_annealing",
        "cosine_annealing_warm_restarts",
        "one_cycle",
        "reduce_on_plateau",
    ] = "constant"
    warmup_steps: int = 0
    period: int = 100
    gamma: float = 0.1
    milestones: tuple[int, ...] = ()
    growth: int = 1
    lowest: float = 0.0
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    patience: int = 2
    factor: float = 0.5

    def at(self, step: int, n_steps: int) -> float:
        """Return the factor of step number `step` (from 0) of `n_steps`, plateaus left aside."""
        if step < self.warmup_steps:
            return self._curve(0, n_steps - self.warmup_steps) * (step + 1) / (self.warmup_steps + 1)
        return self._curve(step - self.warmup_steps, n_steps - self.warmup_steps)

    def _curve(self, k: int, length: int) -> float:
        match self.type:
            case "step":
                return self.gamma ** (k // self.period)
            case "multistep":
                return self.gamma ** sum(k >= milestone for milestone in self.milestones)
            case "exponential":
                return self.gamma ** (k / self.period)
            case "cosine_annealing":
                return self.lowest + (1 - self.lowest) * _half_cosine(min(k / length, 1.0))
            case "cosine_annealing_warm_restarts":
                period = self.period
                while k >= period:
                    k -= period
                    period *= self.growth
                return self.lowest + (1 - self.lowest) * _half_cosine(k / period)
            case "one_cycle":
                return self._one_cycle(k, length)
            case _:
                return 1.0

    def _one_cycle(self, k: int, length: int) -> float:
        first, top = 1 / self.div_factor, max(self.pct_start * length - 1, 1.0)
        if k <= top:
            return 1 + (first - 1) * _half_cosine(k / top)
        last = first / self.final_div_factor
        return last + (1 - last) * _half_cosine(min((k - top) / max(length - 1 - top, 1.0), 1.0))

    def declaration(self, learning_rate: float, n_steps: int, steps_per_epoch: int) -> dict[str, Any]:
        """Return what a run declares, in the words of `training.scheduler`: lengths in epochs."""
        epoch = steps_per_epoch
        eta_min = self.lowest * learning_rate
        options: dict[str, dict[str, Any]] = {
            "step": {"step_size": self.period / epoch, "gamma": self.gamma},
            "multistep": {"milestones": [k / epoch for k in self.milestones], "gamma": self.gamma},
            "exponential": {"gamma": self.gamma ** (epoch / self.period)},
            "cosine_annealing": {"eta_min": eta_min},
            "cosine_annealing_warm_restarts": {
                "T_0": self.period / epoch,
                "T_mult": self.growth,
                "eta_min": eta_min,
            },
            "one_cycle": {
                "pct_start": self.pct_start,
                "div_factor": self.div_factor,
                "final_div_factor": self.final_div_factor,
            },
            "reduce_on_plateau": {"patience": self.patience, "factor": self.factor},
        }
        general = {
            "learning_rate": learning_rate,
            "n_steps": n_steps,
            "steps_per_epoch": steps_per_epoch,
            "warmup_steps": self.warmup_steps,
        }
        return {"type": self.type} | general | options.get(self.type, {})


def _half_cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))
