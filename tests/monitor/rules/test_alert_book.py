from __future__ import annotations

import json
from typing import Any

import pytest

from neuroprism.core.records import Alert
from neuroprism.monitor.rules import Rule
from neuroprism.monitor.rules.alert_book import AlertBook

RULE = Rule(name="r", judge=lambda history: [], quiet=3)


def found(**given: Any) -> Alert:
    return Alert(**{"rule": "r", "kind": "k", "severity": "info", "message": "m", "component": "a", **given})


def test_a_finding_is_raised_once_per_kind_and_component() -> None:
    book = AlertBook()
    first = found()
    assert book.see(RULE, first, step=10) is first
    assert book.see(RULE, found(), step=20) is None
    other, another = found(component="b"), found(kind="l")
    assert book.see(RULE, other, step=20) is other
    assert book.see(RULE, another, step=20) is another
    assert book.open_alerts() == [first, other, another]
    assert (first.first_seen, first.last_seen, first.count) == (10, 20, 2)


def test_findings_that_know_when_they_were_seen_are_believed() -> None:
    book = AlertBook()
    book.see(RULE, found(first_seen=3, last_seen=7, count=4), step=10)
    book.see(RULE, found(first_seen=12, last_seen=15, count=2), step=20)
    (alert,) = book.open_alerts()
    assert (alert.first_seen, alert.last_seen, alert.count) == (3, 15, 6)


def test_a_more_severe_finding_replaces_what_is_said() -> None:
    book = AlertBook()
    alert = book.see(RULE, found(advice="wait"), step=10)
    worse = found(
        severity="critical", message="worse", advice="stop", evidence={"x": 1}, step=19, epoch=2, stop=True
    )
    assert book.see(RULE, worse, step=20) is alert
    assert alert is not None
    assert (alert.severity, alert.message, alert.advice, alert.evidence) == (
        "critical",
        "worse",
        "stop",
        {"x": 1},
    )
    assert (alert.step, alert.epoch, alert.stop, alert.first_seen, alert.count) == (19, 2, True, 10, 2)


def test_a_milder_finding_changes_nothing_but_the_count() -> None:
    book = AlertBook()
    alert = book.see(RULE, found(severity="warning"), step=10)
    assert book.see(RULE, found(message="milder"), step=20) is None
    assert alert is not None
    assert (alert.severity, alert.message, alert.count) == ("warning", "m", 2)


def test_quiet_moments_in_a_row_close_it_and_it_may_be_raised_again() -> None:
    book = AlertBook()
    alert = book.see(RULE, found(), step=10)
    closed = [book.pass_by(["r"], step=step) for step in (10, 20, 30)]
    assert closed == [[], [], []]
    book.see(RULE, found(), step=40)
    closed = [book.pass_by(["r"], step=step) for step in (40, 50, 60)]
    assert closed == [[], [], []]
    assert book.pass_by(["r"], step=70) == [alert]
    assert alert is not None
    assert (alert.state, alert.last_seen) == ("closed", 40)
    assert book.open_alerts() == []
    again = found()
    assert book.see(RULE, again, step=80) is again
    assert again.first_seen == 80


def test_moments_of_other_rules_do_not_count() -> None:
    book = AlertBook()
    alert = book.see(RULE, found(), step=10)
    for step in range(20, 200, 10):
        assert book.pass_by(["other"], step=step) == []
    assert book.open_alerts() == [alert]


@pytest.mark.parametrize(
    ("component", "of_alert", "explained"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a", None, True),
        ("a", "total", True),
        (None, "a", True),
        ("total", "a", True),
    ],
)
def test_alerts_about_the_whole_run_cover_every_component(
    component: str | None, of_alert: str | None, explained: bool
) -> None:
    book = AlertBook()
    book.see(RULE, found(component=of_alert), step=1)
    assert book.explains(["k"], component) == explained
    assert not book.explains(["l"], component)


def test_a_saved_book_goes_on_in_the_middle_of_a_quiet_time() -> None:
    book, other = AlertBook(), AlertBook()
    book.see(RULE, found(evidence={"x": [1.5]}), step=10)
    for step in (10, 20, 30):
        book.pass_by(["r"], step=step)
    other.load_state_dict(json.loads(json.dumps(book.state_dict())))
    assert other.open_alerts() == book.open_alerts()
    assert other.pass_by(["r"], step=40) == book.pass_by(["r"], step=40) != []


PATIENT = Rule(name="r", judge=lambda history: [], confirm=3)


def test_a_finding_is_raised_only_after_its_moments_in_a_row() -> None:
    book = AlertBook()
    for step in (10, 20):
        assert book.see(PATIENT, found(), step=step) is None
        assert book.pass_by(["r"], step=step) == []
        assert book.open_alerts() == []
        assert not book.explains(["k"], "a")
    alert = found()
    assert book.see(PATIENT, alert, step=30) is alert
    assert (alert.first_seen, alert.last_seen, alert.state) == (10, 30, "open")
    assert book.open_alerts() == [alert]
    assert book.see(PATIENT, found(), step=40) is None
    assert (alert.first_seen, alert.last_seen) == (10, 40)


def test_a_quiet_moment_forgets_what_was_not_confirmed() -> None:
    book = AlertBook()
    for step in (10, 20, 40, 50):
        assert book.see(PATIENT, found(), step=step) is None
        book.pass_by(["r"], step=step)
        if step == 20:
            assert book.pass_by(["r"], step=30) == []
    alert = book.see(PATIENT, found(), step=60)
    assert alert is not None
    assert alert.first_seen == 40


def test_moments_of_other_rules_forget_nothing() -> None:
    book = AlertBook()
    for step in (10, 20):
        book.see(PATIENT, found(), step=step)
        book.pass_by(["r"], step=step)
        book.pass_by(["other"], step=step + 5)
    alert = book.see(PATIENT, found(), step=30)
    assert alert is not None
    assert alert.first_seen == 10


def test_components_and_kinds_are_confirmed_apart() -> None:
    book = AlertBook()
    for step, component in ((10, "a"), (20, "a"), (20, "b"), (30, "b")):
        assert book.see(PATIENT, found(component=component), step=step) is None
    assert book.see(PATIENT, found(kind="l"), step=30) is None
    assert book.see(PATIENT, found(component="a"), step=30) is not None
    assert [alert.component for alert in book.open_alerts()] == ["a"]


def test_at_the_end_one_moment_is_enough() -> None:
    book = AlertBook()
    alert = found()
    assert book.see(PATIENT, alert, step=10, ended=True) is alert
    assert (alert.first_seen, book.open_alerts()) == (10, [alert])


def test_it_is_confirmed_anew_after_it_was_closed() -> None:
    book = AlertBook()
    for step in (10, 20, 30):
        book.see(PATIENT, found(), step=step)
        book.pass_by(["r"], step=step)
    closed = [alert for step in (40, 50, 60) for alert in book.pass_by(["r"], step=step)]
    assert [alert.state for alert in closed] == ["closed"]
    assert book.see(PATIENT, found(), step=70) is None
    assert book.open_alerts() == []


@pytest.mark.parametrize("passed", [True, False])
def test_a_saved_book_goes_on_in_the_middle_of_a_confirmation(passed: bool) -> None:
    book, other = AlertBook(), AlertBook()
    for step in (10, 20):
        book.see(PATIENT, found(), step=step)
        if passed or step == 10:
            book.pass_by(["r"], step=step)
    state = json.loads(json.dumps(book.state_dict()))
    assert set(state) == {"alerts", "unconfirmed"}
    assert (state["alerts"], len(state["unconfirmed"])) == ([], 1)
    other.load_state_dict(state)
    assert other.state_dict() == book.state_dict()
    alert = other.see(PATIENT, found(), step=30)
    assert alert is not None
    assert (alert.first_seen, alert.last_seen) == (10, 30)
