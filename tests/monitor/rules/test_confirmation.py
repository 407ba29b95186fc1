"""Alerts that are raised once their finding has stood for several moments."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest

from neuroprism.core.records import Alert
from neuroprism.monitor.history import History
from neuroprism.monitor.rules import Rule, rules

Build = Callable[..., Any]
N = 400


def patient(rows: Collection[int] = range(N + 1), *, confirm: int = 3, quiet: int = 3) -> Rule:
    """Return a rule that speaks at blocks that end at these rows."""

    def judge(history: History) -> Iterator[Alert]:
        if history.stream.n_rows in rows:
            yield Alert(rule="patient", kind="k", severity="warning", message="m", component="a")

    return Rule(name="patient", judge=judge, moments=frozenset({"block"}), confirm=confirm, quiet=quiet)


@pytest.mark.parametrize("confirm", [1, 2, 3, 5])
def test_as_many_blocks_in_a_row_are_needed(make_run: Build, healthy_loss: Build, confirm: int) -> None:
    run = make_run(healthy_loss(64))
    engine = run.engine(patient(confirm=confirm))
    raised = {k + 8: engine.look(run.window(k, k + 8)) for k in range(0, 64, 8)}
    assert [row for row, alerts in raised.items() if alerts] == [8 * confirm]
    (alert,) = raised[8 * confirm]
    assert (alert.first_seen, alert.last_seen) == (8, 64)


def test_a_quiet_block_begins_anew(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(88))
    engine = run.engine(patient({8, 16, 32, 40, 56, 64, 72}))
    raised = [(k + 8, a.first_seen) for k in range(0, 88, 8) for a in engine.look(run.window(k, k + 8))]
    assert raised == [(72, 56)]


def test_what_was_never_confirmed_is_never_told(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(64))
    engine = run.engine(patient({8, 16, 40}))
    assert engine.look(run.window(0, 64)) == []
    assert engine.open_alerts() == []
    assert engine.finish() == []


@pytest.mark.parametrize("n", [60, 64])
def test_at_the_end_one_moment_is_enough(make_run: Build, healthy_loss: Build, n: int) -> None:
    run = make_run(healthy_loss(n))
    engine = run.engine(patient({n}))
    assert engine.look(run.window(0, n)) == []
    (alert,) = engine.finish()
    assert (alert.first_seen, alert.last_seen, alert.at_end) == (n, n, True)


@pytest.mark.parametrize("cuts", [[], range(64), [3, 11, 17, 40]])
def test_it_does_not_matter_where_windows_end(make_run: Build, healthy_loss: Build, cuts: Any) -> None:
    run = make_run(healthy_loss(64))
    engine = run.engine(patient({16, 24, 32}))
    (alert,) = {id(a): a for record in run.records(cuts) for a in engine.look(record)}.values()
    assert (alert.first_seen, alert.last_seen, alert.state) == (16, 32, "closed")


@pytest.mark.parametrize("resumed_at", [4, 8, 12, 16, 20])
def test_it_survives_a_resume(make_run: Build, healthy_loss: Build, resumed_at: int) -> None:
    run = make_run(healthy_loss(64))
    engine, later = run.engine(patient()), run.engine(patient())
    assert engine.look(run.window(0, resumed_at)) == []
    later.load_state_dict(json.loads(json.dumps(engine.state_dict())))
    (alert,) = later.look(run.window(resumed_at, 24))
    assert (alert.first_seen, alert.last_seen) == (8, 24)


def test_what_is_not_confirmed_explains_nothing(make_run: Build, healthy_loss: Build) -> None:
    def judge(history: History) -> Iterator[Alert]:
        yield Alert(rule="second", kind="l", severity="info", message="m", component="a")

    second = Rule(name="second", judge=judge, moments=frozenset({"block"}), yields_to=("k",))
    run = make_run(healthy_loss(64))
    engine = run.engine(patient(), second)
    engine.look(run.window(0, 64))
    found = {alert.rule: (alert.first_seen, alert.last_seen) for alert in engine.open_alerts()}
    assert found["patient"] == (8, 64)
    assert "second" not in found or found["second"][1] == 16


@pytest.mark.parametrize("name", ["stall", "task_stall"])
def test_a_trend_is_told_later_and_since_its_first_finding(
    make_run: Build, healthy_loss: Build, still_loss: Build, name: str
) -> None:
    series = [still_loss(4 * N, seed=1)] if name == "stall" else []
    run = make_run(still_loss(4 * N), *(series or [healthy_loss(4 * N)]))
    first, third = (told_at(run, replace(rules[name], confirm=confirm)) for confirm in (1, 3))
    assert third[0] > first[0]
    assert third[1] == first[1]


def told_at(run: Any, rule: Rule) -> tuple[int, int | None]:
    """Return the row at which an alert is raised, and where it was first seen."""
    engine = run.engine(rule)
    for k in range(0, len(run), 8):
        for alert in engine.look(run.window(k, k + 8)):
            return k + 8, alert.first_seen
    raise AssertionError("nothing is told")


def test_changes_are_told_as_they_happen_and_looks_once(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(64))
    brief = patient({8, 16, 24}, quiet=2)
    changes = [(alert.state, alert.last_seen) for alert in run.engine(brief).changes(run.window(0, 64))]
    assert changes == [("open", 24), ("closed", 24)]
    assert [alert.state for alert in run.engine(brief).look(run.window(0, 64))] == ["closed"]
