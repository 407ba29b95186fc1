"""How the cases of the tuning half are put together from a problem, a plan and what reaches into the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from case import Case, Label, Recording
from fitting import Hooks, Plan, Problem, fit

Make = Callable[[int], Problem]
MakeHooks = Callable[[int], Hooks]
Also = tuple[tuple[str, str | None], ...]


def healthy(
    name: str,
    make: Make,
    plan: Plan,
    *,
    hooks: MakeHooks | None = None,
    seeds: Sequence[int] = (0, 1),
) -> Case:
    """Return a case with nothing wrong; `name` begins with its family."""
    return _case(f"healthy-{name}", name.split("-")[0], Label(), make, plan, hooks, seeds)


def faulty(
    name: str,
    kind: str,
    make: Make,
    plan: Plan,
    *,
    component: str | None = None,
    step: int = 1,
    also: Also = (),
    hooks: MakeHooks | None = None,
    seeds: Sequence[int] = (0, 1),
) -> Case:
    """Return a case with a fault of `kind` in `component` from `step` on; `name` begins with its family."""
    label = Label(kind=kind, component=component, step=step, also=also)
    return _case(f"{kind}-{name}", name.split("-")[0], label, make, plan, hooks, seeds)


def _case(
    name: str,
    family: str,
    label: Label,
    make: Make,
    plan: Plan,
    hooks: MakeHooks | None,
    seeds: Sequence[int],
) -> Case:
    def train(recording: Recording, seed: int) -> None:
        fit(recording, make(seed), plan, seed=seed, hooks=hooks(seed) if hooks else None)

    return Case(name=name, family=family, label=label, train=train, seeds=tuple(seeds))
