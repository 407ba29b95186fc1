"""Synthetic runs from arrays, and an engine that judges them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neuroprism.core.records import Alert, Component, EpochRecord, Gradients, weighted_total
from neuroprism.monitor.facts import RunFacts
from neuroprism.monitor.history import STEP_SECONDS, History
from neuroprism.monitor.rules import Rule, RuleEngine, rules
from neuroprism.monitor.window import StepWindow

FloatArray = npt.NDArray[np.float64]
Record = StepWindow | EpochRecord | Gradients


@dataclass(frozen=True, kw_only=True, repr=False)
class Run:
    """What a run recorded: one row per step, one value per component.

    `val` has one row per epoch, NaN where a component was not validated; without `steps_per_epoch` no epoch
    is closed. A component whose loss is absent in a step is masked by `missing`.
    """

    components: tuple[Component, ...]
    losses: FloatArray
    missing: npt.NDArray[np.bool_] | None = None
    lr: FloatArray | float = 1e-3
    grad_norm: FloatArray | float | None = None
    seconds: FloatArray | None = None
    skipped: Sequence[int] = ()
    steps_per_epoch: int | None = None
    val: FloatArray | None = None
    samples_per_second: FloatArray | None = None
    gradients: Sequence[Gradients] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.losses)

    def window(self, first: int, last: int) -> StepWindow:
        """Return the rows from `first` to before `last`."""
        rows, n = slice(first, last), last - first
        losses = self.losses[rows].copy()
        counts = np.ones_like(losses)
        if self.missing is not None:
            counts[self.missing[rows]] = 0
        losses[counts == 0] = np.nan
        weights = np.array([c.weight for c in self.components])
        with np.errstate(invalid="ignore", over="ignore"):
            parts = np.where(counts > 0, losses * weights, 0.0)
            total = np.add.accumulate(parts, axis=1)[:, -1]
        total[~(counts > 0).any(axis=1)] = np.nan
        norm = np.full(len(self), np.nan if self.grad_norm is None else self.grad_norm)[rows]
        per_epoch = self.steps_per_epoch or len(self)
        step = np.arange(first + 1, last + 1)
        return StepWindow(
            components=self.components,
            step=step,
            epoch=(step - 1) // per_epoch + 1,
            losses=losses,
            counts=counts,
            total=total,
            lr=(np.ones(len(self)) * self.lr)[rows],
            grad_norm=norm,
            grad_norm_given=np.full(n, self.grad_norm is not None),
            n_samples=np.ones(n),
            skipped=np.isin(step, self.skipped),
            metrics={} if self.seconds is None else {STEP_SECONDS: self.seconds[rows]},
        )

    def epoch(self, number: int) -> EpochRecord:
        """Return the record of an epoch."""
        per_epoch = self.steps_per_epoch
        assert per_epoch is not None
        train = self._with_total(self.losses[(number - 1) * per_epoch : number * per_epoch].mean(axis=0))
        speed = None if self.samples_per_second is None else float(self.samples_per_second[number - 1])
        val = {} if self.val is None else self._with_total(self.val[number - 1])
        return EpochRecord(
            epoch=number, step=number * per_epoch, train=train, val=val, samples_per_second=speed
        )

    def records(self, cuts: Sequence[int] = ()) -> Iterator[Record]:
        """Yield windows that end at `cuts`, with epochs and gradients where they belong."""
        per_epoch = self.steps_per_epoch or 0
        ends = range(per_epoch, len(self) + 1, per_epoch) if per_epoch else ()
        looks: dict[int, list[Gradients]] = {}
        for look in self.gradients:
            looks.setdefault(look.step, []).append(look)
        first = 0
        for last in sorted({*cuts, *ends, *looks, len(self)}):
            if last > first:
                yield self.window(first, last)
                first = last
            yield from looks.get(last, ())
            if last in ends:
                yield self.epoch(last // per_epoch)

    def engine(self, *judges: Rule | str, **options: Any) -> RuleEngine:
        """Return an engine with some rules, all of them if none is named."""
        asked = [rules[judge] if isinstance(judge, str) else judge for judge in judges]
        facts = RunFacts(**{"components": self.components, **self.facts})
        return RuleEngine(facts, asked or list(rules.values()), **options)

    def _with_total(self, values: FloatArray) -> dict[str, float]:
        named = {
            c.name: float(value) for c, value in zip(self.components, values, strict=True) if value == value
        }
        return {"total": weighted_total(self.components, named), **named} if named else {}


def forerunner(kind: str, component: str | None) -> Rule:
    """Return a rule that finds a fault from the beginning to the end."""

    def judge(history: History) -> Iterator[Alert]:
        yield Alert(rule="forerunner", kind=kind, severity="warning", message="m", component=component)

    return Rule(name="forerunner", judge=judge, moments=frozenset({"window"}))


def judged(
    run: Run,
    *judges: Rule | str,
    every: int = 50,
    before: tuple[str, str | None] | None = None,
    **options: Any,
) -> list[Alert]:
    """Return the alerts of a run in the order in which they were raised, as they stand in the end.

    `before` is the kind and component of an alert that is open all the time, and left out of the answer.
    """
    engine = run.engine(*([] if before is None else [forerunner(*before)]), *judges, **options)
    found: dict[int, Alert] = {}
    for record in run.records(range(0, len(run), every)):
        found |= {id(alert): alert for alert in engine.look(record)}
    found |= {id(alert): alert for alert in engine.finish()}
    return [alert for alert in found.values() if alert.rule != "forerunner"]


def fallen(n: int, *, start: float = 2.0, end: float = 0.2, noise: float = 0.05, seed: int = 0) -> FloatArray:
    """Return a loss that falls as a healthy one does, with noise in units of its level."""
    random = np.random.default_rng(seed)
    level = end + (start - end) * np.exp(-5 * np.arange(n) / n)
    return level * (1 + noise * random.standard_normal(n))


def flat(n: int, *, level: float = 1.0, noise: float = 0.05, seed: int = 0) -> FloatArray:
    """Return a loss that stays where it is, with noise in units of its level."""
    return level * (1 + noise * np.random.default_rng(seed).standard_normal(n))


def columns(*series: FloatArray, names: Sequence[str] = "abcdef", weights: Sequence[float] = ()) -> Any:
    """Return components named a, b, ... and the losses as columns: what `Run` wants."""
    shares = [*weights, *[1.0] * (len(series) - len(weights))]
    components = tuple(
        Component(name=name, label=name.upper(), weight=weight)
        for name, weight in zip(names, shares, strict=False)
    )
    return {"components": components, "losses": np.column_stack(series)}


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """Return a builder of runs from series: ``make_run(first, second, ..., weights=(1, 0.5), lr=...)``."""

    def make(
        *series: FloatArray,
        weights: Sequence[float] = (),
        baselines: Mapping[str, float] | None = None,
        **recorded: Any,
    ) -> Run:
        given = columns(*series, weights=weights)
        if baselines:
            given["components"] = tuple(
                Component(name=c.name, label=c.label, weight=c.weight, baseline=baselines.get(c.name))
                for c in given["components"]
            )
        return Run(**{**given, **recorded})

    return make


@pytest.fixture(scope="session")
def judge() -> Callable[..., list[Alert]]:
    """Return `judged`."""
    return judged


@pytest.fixture(scope="session")
def healthy_loss() -> Callable[..., FloatArray]:
    """Return `fallen`."""
    return fallen


@pytest.fixture(scope="session")
def still_loss() -> Callable[..., FloatArray]:
    """Return `flat`."""
    return flat
