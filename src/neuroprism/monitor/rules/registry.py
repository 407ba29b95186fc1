"""The registry of alert rules.

A rule is a pure function of the `History` that returns alerts. Its keyword-only
arguments, with defaults, are its settings under ``monitoring.rules.<name>``.
Rules are asked in the order of their registration, so that causes come before
their consequences.
"""

from __future__ import annotations

from collections.abc import Callable

from neuroprism.core.registry import Registry
from neuroprism.monitor.rules.rule import Judge, Moment, Need, Rule

rules: Registry[Rule] = Registry("alert rule")


def rule(
    name: str,
    *,
    at: Moment | tuple[Moment, ...] = ("window", "epoch"),
    needs: tuple[Need, ...] = (),
    confirm: int = 1,
    quiet: int = 3,
    yields_to: tuple[str, ...] = (),
) -> Callable[[Judge], Rule]:
    """Return a decorator that registers a function as a rule; for the arguments see `Rule`.

    Raises
    ------
    ValueError
        If the name is taken.

    Examples
    --------
    >>> from neuroprism.monitor import Alert
    >>> @rule("long_run", at="epoch")
    ... def long_run(history, *, epochs: int = 1000):
    ...     '''Say that a run is long.
    ...
    ...     Parameters
    ...     ----------
    ...     epochs
    ...         From which epoch on.
    ...     '''
    ...     if history.epoch is not None and history.epoch.epoch > epochs:
    ...         yield Alert(rule="long_run", kind="long_run", severity="info", message="a long run")
    >>> long_run.parameters["epochs"].default
    1000
    """
    moments: frozenset[Moment] = frozenset((at,) if isinstance(at, str) else at)

    def decorate(judge: Judge) -> Rule:
        made = Rule(
            name=name,
            judge=judge,
            moments=moments,
            needs=needs,
            confirm=confirm,
            quiet=quiet,
            yields_to=yields_to,
        )
        return rules.register(name)(made)

    return decorate
