from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neuroprism.core.records import Alert, Component, EpochRecord
from neuroprism.monitor.buffer import PendingSteps
from neuroprism.monitor.history import History
from neuroprism.monitor.rules import RuleEngine, rules
from neuroprism.monitor.window import StepWindow

COMPONENTS = (Component(name="mse", label="MSE"),)


def window(*skipped: bool) -> StepWindow:
    pending = PendingSteps(COMPONENTS)
    for flag in skipped or (False,):
        pending.add({"mse": 1.0}, skipped=flag)
    return pending.take(first_step=1, epoch=1)


def epoch(number: int) -> EpochRecord:
    return EpochRecord(epoch=number, step=number, train={"total": 1.0})


def always(history: History) -> Iterator[Alert]:
    for component in ("mse", None):
        yield Alert(rule="always", kind="k", severity="info", message="m", component=component)


def test_one_alert_per_rule_kind_and_component_in_an_epoch() -> None:
    engine = RuleEngine(COMPONENTS, [always])
    assert [alert.component for alert in engine.look(window())] == ["mse", None]
    assert engine.look(window()) == []
    assert engine.look(epoch(1)) == []
    assert len(engine.look(window())) == 2


def test_rules_see_the_new_record_and_the_epochs_before_it() -> None:
    seen: list[History] = []

    def look(history: History) -> list[Alert]:
        seen.append(history)
        return []

    engine = RuleEngine(COMPONENTS, [look])
    engine.remember([epoch(1), epoch(2)])
    steps = window()
    engine.look(steps)
    engine.look(epoch(3))
    engine.look(epoch(4))
    assert seen[0].window is steps
    assert seen[0].epoch is None
    assert [record.epoch for record in seen[0].epochs] == [1, 2]
    assert seen[1].window is None
    assert seen[1].epoch == epoch(3) or seen[1].epoch is not None
    assert [record.epoch for record in seen[2].epochs] == [1, 2, 3]
    assert all(history.components == COMPONENTS for history in seen)


def test_the_row_of_skipped_steps_is_counted_over_windows() -> None:
    seen: list[int] = []

    def look(history: History) -> list[Alert]:
        if history.window is not None:
            seen.append(history.skipped_before)
        return []

    engine = RuleEngine(COMPONENTS, [look])
    for flags in [(False, True), (True, True), (True, False, True), (False,), (True,)]:
        engine.look(window(*flags))
    engine.look(epoch(1))
    engine.look(window())
    assert seen == [0, 1, 3, 1, 0, 1]


def test_a_rule_that_raises_is_off_with_one_alert_and_the_others_go_on() -> None:
    calls = []

    def broken(history: History) -> Iterator[Alert]:
        calls.append(history)
        yield Alert(rule="broken", kind="k", severity="critical", message="half", stop=True)
        raise ZeroDivisionError("division\nby zero")

    engine = RuleEngine(COMPONENTS, [broken, always])
    first = engine.look(window())
    assert [(alert.rule, alert.kind, alert.severity) for alert in first] == [
        ("broken", "rule_failed", "warning"),
        ("always", "k", "info"),
        ("always", "k", "info"),
    ]
    assert first[0].message == (
        "alert rule 'broken' raised ZeroDivisionError: division by zero; it is off from now on"
    )
    engine.look(window())
    assert len(calls) == 1


def test_evidence_of_any_kind_becomes_fit_for_json() -> None:
    def rule(history: History) -> list[Alert]:
        return [
            Alert(
                rule="r",
                kind="k",
                severity="info",
                message="m",
                evidence={"mean": np.float32(0.5), "ids": np.array([3, 4])},
            )
        ]

    (alert,) = RuleEngine(COMPONENTS, [rule]).look(window())
    assert alert.evidence == {"mean": 0.5, "ids": [3, 4]}


def test_every_registered_rule_is_silent_about_a_healthy_run() -> None:
    engine = RuleEngine(COMPONENTS, list(rules.values()))
    for number in range(1, 4):
        assert engine.look(window(False, False)) == []
        assert engine.look(epoch(number)) == []
