from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroprism.core.records import Alert, Component
from neuroprism.monitor.buffer import PendingSteps
from neuroprism.monitor.facts import RunFacts
from neuroprism.monitor.history import History, Stream
from neuroprism.monitor.rules import RuleEngine, non_finite
from neuroprism.monitor.window import StepWindow

COMPONENTS = (Component(name="signal", label="Signal"), Component(name="peak", label="Peak", weight=0.5))
GOOD = {"signal": 1.0, "peak": 2.0}
FACTS = RunFacts(components=COMPONENTS)


def window(steps: list[dict[str, Any]], *, first_step: int = 101) -> StepWindow:
    pending = PendingSteps(COMPONENTS)
    for step in steps:
        pending.add(**{"losses": GOOD, "lr": 1e-3, "grad_norm": 1.0, **step})
    return pending.take(first_step=first_step, epoch=4)


def history(
    steps: list[dict[str, Any]], *, skipped_before: int = 0, mixed_precision: bool | None = False
) -> History:
    facts = RunFacts(components=COMPONENTS, mixed_precision=mixed_precision)
    return History(
        facts=facts, stream=Stream(COMPONENTS), window=window(steps), skipped_before=skipped_before
    )


def alerts(steps: list[dict[str, Any]], **given: Any) -> list[Alert]:
    return list(non_finite(history(steps, **given)))


@pytest.mark.parametrize(("value", "shown"), [(math.nan, "NaN"), (math.inf, r"\+inf"), (-math.inf, "-inf")])
def test_component_and_step_are_named(value: float, shown: str) -> None:
    (alert,) = alerts([{}, {"losses": {"signal": 1.0, "peak": value}, "samples": ["s7", "s9"]}, {}])
    assert pytest.approx(alert.evidence["values"].pop("peak"), nan_ok=True) == value
    assert (alert.component, alert.step, alert.epoch) == ("peak", 102, 4)
    assert (alert.rule, alert.kind, alert.severity, alert.stop) == (
        "non_finite",
        "non_finite",
        "critical",
        True,
    )
    assert re.search(f"'peak' is {shown} at step 102", alert.message)
    assert alert.evidence["samples"] == ["s7", "s9"]
    assert alert.evidence["last_finite"] == {"step": 101, "values": {"total": 2.0, **GOOD}}
    assert alert.evidence["lr"] == 1e-3


def test_the_advice_names_keys_and_proposes_values() -> None:
    (alert,) = alerts([{"losses": {"signal": math.nan, "peak": 1.0}, "samples": [3]}], mixed_precision=True)
    assert alert.advice is not None
    assert "training.optimizer.learning_rate from 0.001 to 0.0001" in alert.advice
    assert "training.gradient_clip to 1.0" in alert.advice
    assert "hardware.mixed_precision to false" in alert.advice
    assert "samples" in alert.advice


def test_every_component_at_fault_has_its_alert_with_its_first_step() -> None:
    bad = {"signal": math.nan, "peak": math.inf}
    found = alerts([{"losses": {"signal": 1.0, "peak": math.nan}}, {"losses": bad}, {"losses": bad}])
    assert [(alert.component, alert.step, alert.evidence["n_steps"]) for alert in found] == [
        ("signal", 102, 2),
        ("peak", 101, 3),
    ]


def test_gradient_norm_is_reported_when_the_losses_are_finite() -> None:
    (alert,) = alerts([{}, {"grad_norm": math.inf}])
    assert (alert.component, alert.step, alert.severity, alert.stop) == (None, 102, "critical", True)
    assert "gradient norm is +inf at step 102, while every loss component is finite" in alert.message
    assert alert.evidence["grad_norm"] == math.inf


@pytest.mark.parametrize(
    ("mixed_precision", "severity"), [(True, "info"), (None, "info"), (False, "critical")]
)
def test_an_overflow_of_half_precision_is_information(mixed_precision: bool | None, severity: str) -> None:
    (alert,) = alerts([{"grad_norm": math.inf}], mixed_precision=mixed_precision)
    assert alert.severity == severity
    (alert,) = alerts([{"grad_norm": math.nan}], mixed_precision=mixed_precision)
    assert alert.severity == "critical"


def test_only_an_overflow_upwards_is_information() -> None:
    (alert,) = alerts([{"grad_norm": -math.inf}], mixed_precision=True)
    assert (alert.severity, alert.stop) == ("critical", True)
    (alert,) = alerts([{"grad_norm": math.inf}], mixed_precision=True)
    assert not alert.stop


def test_gradient_norm_is_not_blamed_for_a_loss() -> None:
    found = alerts([{"losses": {"signal": math.nan, "peak": 1.0}, "grad_norm": math.nan}])
    assert [alert.component for alert in found] == ["signal"]


def test_overflow_of_the_sum_is_reported_as_the_total() -> None:
    (alert,) = alerts([{"losses": {"signal": 1.7e308, "peak": 1.7e308}}])
    assert alert.component == "total"
    assert "total loss is +inf" in alert.message


def test_masked_and_missing_values_are_no_fault() -> None:
    steps = [
        {"losses": {"signal": math.nan, "peak": 1.0}, "counts": {"signal": 0}},
        {"losses": {"peak": 1.0}},
        {"grad_norm": None, "lr": None},
    ]
    assert alerts(steps) == []


def test_a_skipped_step_warns_and_does_not_stop() -> None:
    loss, norm = (
        {"losses": {"signal": math.nan, "peak": 1.0}, "skipped": True},
        {"grad_norm": math.inf, "skipped": True},
    )
    found = alerts([loss, {}, norm])
    assert [(alert.component, alert.severity, alert.stop) for alert in found] == [
        ("signal", "warning", False),
        (None, "info", False),
    ]
    assert all("the step was skipped" in alert.message for alert in found)


def test_eight_skipped_steps_in_a_row_stop_over_window_borders() -> None:
    skipped = {"grad_norm": math.inf, "skipped": True}
    assert not any(alert.stop for alert in alerts([skipped] * 7))
    assert not any(alert.stop for alert in alerts([skipped] * 4 + [{}] + [skipped] * 4))
    (stop,) = [alert for alert in alerts([skipped] * 3, skipped_before=5) if alert.stop]
    assert (stop.step, stop.severity) == (103, "critical")
    assert "8 steps in a row were skipped up to step 103" in stop.message


def test_a_milder_severity_does_not_stop() -> None:
    (alert,) = non_finite.bind(severity="warning")(history([{"losses": {"signal": math.nan, "peak": 1.0}}]))
    assert (alert.severity, alert.stop) == ("warning", False)


def test_trouble_that_grows_worse_is_heard_again() -> None:
    engine = RuleEngine(FACTS, [non_finite])
    bad = {"losses": {"signal": math.nan, "peak": 1.0}}
    told = [engine.look(window([step], first_step=1 + k)) for k, step in enumerate([bad | SKIPPED, bad, bad])]
    (first,), (second,), third = told
    assert first is second
    assert (second.severity, second.stop, third) == ("critical", True, [])
    assert (second.first_seen, second.last_seen, second.count) == (1, 3, 3)


SKIPPED = {"skipped": True}


@given(
    st.lists(
        st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(0, 1e9)), min_size=1, max_size=20
    )
)
@settings(max_examples=50, deadline=None)
def test_finite_runs_never_alarm(values: list[tuple[float, float, float]]) -> None:
    steps = [{"losses": {"signal": a, "peak": b}, "grad_norm": norm} for a, b, norm in values]
    assert alerts(steps) == []


def test_the_rule_is_silent_about_epochs() -> None:
    assert list(non_finite(History(facts=FACTS, stream=Stream(COMPONENTS)))) == []
