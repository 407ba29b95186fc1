from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from neuroprism.core.records import Alert, EpochRecord, Gradients
from neuroprism.monitor.history import History
from neuroprism.monitor.rules import Rule

Build = Callable[..., Any]
N = 400


def finding(*, name: str = "found", at: str = "block", when: Callable[[History], bool] | None = None) -> Rule:
    """Return a rule that speaks at its moments, always or when a condition holds."""

    def judge(history: History) -> Iterator[Alert]:
        if when is None or when(history):
            yield Alert(rule=name, kind="k", severity="info", message="m", component="a")

    return Rule(name=name, judge=judge, moments=frozenset({at}))  # type: ignore[arg-type]


def spike_at(healthy_loss: Build, *rows: int) -> Any:
    loss = healthy_loss(N)
    loss[list(rows)] += 5
    return loss


def test_an_alert_is_raised_once_and_kept_up_to_date(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(64))
    engine = run.engine(finding())
    (alert,) = engine.look(run.window(0, 8))
    assert (alert.count, alert.first_seen, alert.last_seen, alert.state) == (1, 8, 8, "open")
    assert engine.look(run.window(8, 64)) == []
    assert (alert.count, alert.first_seen, alert.last_seen) == (8, 8, 64)
    assert engine.open_alerts() == [alert]


def test_what_lasts_at_the_end_is_written_with_its_last_numbers(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(64))
    engine = run.engine(finding())
    (alert,) = engine.look(run.window(0, 64))
    assert not alert.at_end
    (last,) = engine.finish()
    assert last is alert
    assert (last.at_end, last.state) == (True, "open")


def test_the_end_closes_nothing_and_repeats_nothing(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(64))
    once = finding(when=lambda history: history.stream.n_rows == 56)
    engine = run.engine(once)
    assert len(engine.look(run.window(0, 64))) == 1
    assert engine.finish() == []


def test_rows_that_complete_no_block_are_judged_at_the_end(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(13))
    engine = run.engine(finding(when=lambda history: history.ended and history.stream.n_rows == 13))
    assert engine.look(run.window(0, 13)) == []
    assert [alert.at_end for alert in engine.finish()] == [True]


def test_rules_are_asked_at_their_moments(make_run: Build, healthy_loss: Build) -> None:
    asked: dict[str, list[int]] = {}

    def listening(at: str) -> Rule:
        def judge(history: History) -> list[Alert]:
            asked.setdefault(at, []).append(history.stream.n_rows)
            return []

        return Rule(name=at, judge=judge, moments=frozenset({at}))  # type: ignore[arg-type]

    looks = [Gradients(step=30, epoch=1, norms={"a": 1.0})]
    run = make_run(healthy_loss(64), steps_per_epoch=32, gradients=looks)
    engine = run.engine(*map(listening, ("window", "block", "course", "epoch", "gradients")))
    for record in run.records():
        engine.look(record)
    assert asked == {
        "window": [0, 8, 16, 24, 24, 32, 40, 48, 56],
        "block": [8, 16, 24, 32, 40, 48, 56, 64],
        "course": [8, 16, 24, 32, 40, 48, 56, 64],
        "epoch": [32, 64],
        "gradients": [24],
    }
    engine.finish()
    assert [len(asked[at]) for at in ("window", "block", "course", "epoch", "gradients")] == [9, 9, 9, 3, 1]


def test_rules_see_the_new_record_and_what_came_before(make_run: Build, healthy_loss: Build) -> None:
    seen: list[History] = []

    def look(history: History) -> list[Alert]:
        seen.append(history)
        return []

    looks = [Gradients(step=64, epoch=2, norms={"a": 1.0})]
    run = make_run(healthy_loss(64), steps_per_epoch=32, gradients=looks)
    engine = run.engine(Rule(name="look", judge=look, moments=frozenset({"window", "epoch"})))
    engine.remember([EpochRecord(epoch=0, step=0, train={})])
    for record in run.records():
        engine.look(record)
    assert [history.window is None for history in seen] == [*[False] * 4, True] * 2
    assert [len(history.epochs) for history in seen] == [1] * 5 + [2] * 5
    assert [history.epoch.epoch for history in seen if history.epoch] == [1, 2]
    assert [len(history.all_epochs) for history in seen] == [1, 1, 1, 1, 2, 2, 2, 2, 2, 3]
    assert [len(history.gradients) for history in seen] == [0] * 9 + [1]
    assert all(history.components == run.components for history in seen)


def test_the_row_of_skipped_steps_is_counted_over_windows(make_run: Build, healthy_loss: Build) -> None:
    seen: list[int] = []

    def look(history: History) -> list[Alert]:
        seen.append(history.skipped_before)
        return []

    run = make_run(healthy_loss(9), skipped=[2, 3, 4, 6, 8])
    engine = run.engine(Rule(name="look", judge=look, moments=frozenset({"window"})))
    for first, last in [(0, 2), (2, 4), (4, 6), (6, 7), (7, 8), (8, 9)]:
        engine.look(run.window(first, last))
    assert seen == [0, 1, 3, 1, 0, 1]


def test_a_plain_function_is_a_rule(make_run: Build, healthy_loss: Build) -> None:
    def loud(history: History) -> Iterator[Alert]:
        yield Alert(rule="loud", kind="k", severity="info", message="m")

    run = make_run(healthy_loss(8))
    assert [alert.rule for alert in run.engine(loud).look(run.window(0, 8))] == ["loud"]


def test_a_rule_that_raises_is_off_with_one_alert_and_the_others_go_on(
    make_run: Build, healthy_loss: Build
) -> None:
    calls = []

    def broken(history: History) -> Iterator[Alert]:
        calls.append(history)
        yield Alert(rule="broken", kind="k", severity="critical", message="half", stop=True)
        raise ZeroDivisionError("division\nby zero")

    run = make_run(healthy_loss(64))
    engine = run.engine(
        Rule(name="broken", judge=broken, moments=frozenset({"block"})), finding(), stop_on=["critical"]
    )
    failed, found = engine.look(run.window(0, 8))
    assert (failed.rule, failed.kind, failed.severity, failed.stop) == (
        "broken",
        "rule_failed",
        "warning",
        False,
    )
    assert failed.message == (
        "alert rule 'broken' raised ZeroDivisionError: division by zero; it is off from now on"
    )
    engine.look(run.window(8, 64))
    assert len(calls) == 1
    assert (failed.state, found.count) == ("open", 8)


def test_evidence_of_any_kind_becomes_fit_for_json(make_run: Build, healthy_loss: Build) -> None:
    def judge(history: History) -> list[Alert]:
        evidence = {"mean": np.float32(0.5), "ids": np.array([3, 4])}
        return [Alert(rule="r", kind="k", severity="info", message="m", evidence=evidence)]

    run = make_run(healthy_loss(8))
    (alert,) = run.engine(judge).look(run.window(0, 8))
    assert alert.evidence == {"mean": 0.5, "ids": [3, 4]}


@pytest.mark.parametrize(("stop_on", "stops"), [((), False), (("critical",), False), (("info",), True)])
def test_severities_stop_as_configured(
    make_run: Build, healthy_loss: Build, stop_on: tuple[str, ...], stops: bool
) -> None:
    run = make_run(healthy_loss(8))
    (alert,) = run.engine(finding(), stop_on=stop_on).look(run.window(0, 8))
    assert alert.stop == stops


def test_what_could_not_be_checked_is_listed_with_its_reason(make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(64), lr=math.nan)
    engine = run.engine()
    for record in run.records():
        engine.look(record)
    reasons = {entry.rule: entry.why for entry in engine.not_checked()}
    assert reasons["vanishing_gradient"] == "no gradient norm was recorded"
    assert reasons["lr_frozen"] == "no learning rate was recorded"
    assert reasons["dominance"] == "the loss has one component only"
    assert reasons["overfitting"] == "no validation losses were recorded"
    assert "; " in reasons["worse_than_baseline"]
    assert "spike" not in reasons
    assert "non_finite" not in reasons


def test_everything_can_be_checked_where_everything_is_recorded(make_run: Build, healthy_loss: Build) -> None:
    looks = [Gradients(step=50, epoch=1, norms={"a": 1.0, "b": 1.0}, cosines={"a|b": 0.1})]
    run = make_run(
        healthy_loss(N),
        healthy_loss(N, seed=1),
        grad_norm=1.0,
        seconds=np.full(N, 0.1),
        steps_per_epoch=50,
        val=np.linspace([1.0, 1.0], [0.3, 0.3], 8),
        baselines={"a": 2.0, "b": 2.0},
        gradients=looks,
    )
    engine = run.engine()
    assert [alert for record in run.records() for alert in engine.look(record)] == []
    assert engine.finish() == []
    assert engine.not_checked() == []


def test_a_component_at_fault_in_the_middle_of_a_resume(make_run: Build, healthy_loss: Build) -> None:
    loss = healthy_loss(N)
    loss[200:] = 0
    run = make_run(healthy_loss(N, seed=1), loss)
    engine = run.engine("dead_component")
    (alert,) = [alert for k in range(0, 300, 50) for alert in engine.look(run.window(k, k + 50))]
    saved = json.loads(json.dumps(engine.state_dict()))
    count = alert.count
    later = run.engine("dead_component")
    later.load_state_dict(saved)
    (kept,) = later.open_alerts()
    assert kept == alert
    assert later.look(run.window(300, N)) == []
    (last,) = later.finish()
    assert (last.first_seen, last.key()) == (alert.first_seen, alert.key())
    assert last.count > count
    assert last.last_seen == N


def plain_values(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and plain_values(entry) for key, entry in value.items())
    if isinstance(value, list):
        return all(map(plain_values, value))
    return value is None or type(value) in (str, int, float, bool)


def test_the_state_is_plain_values(make_run: Build, healthy_loss: Build) -> None:
    looks = [Gradients(step=50, epoch=1, norms={"a": 1.0, "b": 1.0}, cosines={"a|b": 0.1})]
    nan = healthy_loss(N)
    nan[-1] = math.nan
    run = make_run(spike_at(healthy_loss, 398, 399), nan, gradients=looks, grad_norm=1.0)
    engine = run.engine()
    for record in run.records():
        engine.look(record)
    state = engine.state_dict()
    assert state["book"]["alerts"]
    assert plain_values(state)


def test_the_state_does_not_grow_with_the_run(make_run: Build) -> None:
    n, size = 200_000, 4000
    random = np.random.default_rng(0)
    noise = [1 + 0.1 * random.standard_normal(n) for _ in range(2)]
    noise[0][::977] += 5
    run = make_run(*noise, grad_norm=1.0)
    engine = run.engine()
    sizes = []
    for first in range(0, n, size):
        engine.look(run.window(first, first + size))
        sizes.append(len(json.dumps(engine.state_dict())))
    # The number of bins goes from half to full and back; nothing else changes.
    assert max(sizes[10:]) <= 1.1 * max(sizes[:10])
