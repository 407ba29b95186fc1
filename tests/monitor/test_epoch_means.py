from __future__ import annotations

import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroprism.core.records import Component
from neuroprism.monitor.buffer import PendingSteps
from neuroprism.monitor.epoch_means import EpochMeans

COMPONENTS = (
    Component(name="signal", label="Signal", weight=1.0),
    Component(name="peak", label="Peak", weight=0.5),
)
Step = tuple[float, float, int, int, bool]
STEPS = st.lists(
    st.tuples(
        st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.integers(1, 64), st.integers(0, 64), st.booleans()
    ),
    min_size=1,
    max_size=12,
)


def feed(means: EpochMeans, steps: list[Step]) -> None:
    pending = PendingSteps(COMPONENTS)
    for signal, peak, n_samples, n_peaks, skipped in steps:
        pending.add(
            {"signal": signal, "peak": peak},
            lr=0.1,
            grad_norm=abs(signal),
            n_samples=n_samples,
            counts={"peak": n_peaks},
            metrics={"scale": peak},
            skipped=skipped,
        )
    if steps:
        means.add(pending.take(first_step=1, epoch=1))


@given(STEPS)
def test_means_are_weighted_by_valid_elements_of_applied_steps(steps: list[Step]) -> None:
    means = EpochMeans(COMPONENTS)
    feed(means, steps)
    applied = [step for step in steps if not step[4]]
    exact: dict[str, float] = {}
    for name, value, count in (("signal", 0, 2), ("peak", 1, 3)):
        n = sum(step[count] for step in applied)
        if n:
            exact[name] = float(sum(Fraction(step[value]) * step[count] for step in applied) / n)
    result = means.losses()
    assert result.keys() == ({"total", *exact} if exact else set())
    for name, value in exact.items():
        assert result[name] == pytest.approx(value, rel=1e-12, abs=1e-9)
    if exact:
        weighted = exact.get("signal", 0.0) + 0.5 * exact.get("peak", 0.0)
        assert result["total"] == pytest.approx(weighted, rel=1e-12, abs=1e-9)
    assert means.n_samples == sum(step[2] for step in steps)


@given(STEPS, st.data())
def test_means_do_not_depend_on_flushes_nor_on_a_resume(steps: list[Step], data: st.DataObject) -> None:
    whole = EpochMeans(COMPONENTS)
    feed(whole, steps)
    cut = data.draw(st.integers(0, len(steps)))
    first = EpochMeans(COMPONENTS)
    feed(first, steps[:cut])
    # The state goes through a checkpoint, which holds plain numbers.
    resumed = EpochMeans(COMPONENTS)
    resumed.load_state_dict(json.loads(json.dumps(first.state_dict())))
    feed(resumed, steps[cut:])
    assert resumed.losses() == whole.losses()
    assert resumed.grad_norm() == whole.grad_norm()
    assert resumed.metrics() == whole.metrics()
    assert resumed.last_lr == whole.last_lr
    assert resumed.n_samples == whole.n_samples


def test_gradient_norm_and_metrics_leave_skipped_steps_out() -> None:
    means = EpochMeans(COMPONENTS)
    feed(means, [(1.0, 3.0, 1, 1, False), (5.0, 9.0, 1, 1, True), (2.0, 4.0, 3, 1, False)])
    assert means.grad_norm() == 1.5
    assert means.metrics() == {"scale": 3.75}


def test_of_learning_rates_the_last_one_counts() -> None:
    means = EpochMeans(COMPONENTS)
    pending = PendingSteps(COMPONENTS)
    for rate in (4e-4, 2e-4, None):
        pending.add({"signal": 1.0}, lr=rate, metrics={} if rate is None else {"lr_head": 5 * rate})
    means.add(pending.take(first_step=1, epoch=1))
    assert means.last_lr == 2e-4
    resumed = EpochMeans(COMPONENTS)
    resumed.load_state_dict(json.loads(json.dumps(means.state_dict())))
    assert resumed.metrics() == means.metrics() == {"lr_head": 5 * 2e-4}


def test_what_was_never_given_is_absent() -> None:
    means = EpochMeans(COMPONENTS)
    pending = PendingSteps(COMPONENTS)
    pending.add({"signal": 1.0})
    means.add(pending.take(first_step=1, epoch=1))
    assert means.losses() == {"total": 1.0, "signal": 1.0}
    assert means.grad_norm() is None
    assert means.metrics() == {}
    assert means.last_lr is None


def test_a_non_finite_step_makes_the_mean_non_finite_unless_it_was_skipped() -> None:
    means = EpochMeans(COMPONENTS)
    feed(means, [(math.inf, 1.0, 1, 1, True), (1.0, 1.0, 1, 1, False)])
    assert means.losses()["signal"] == 1.0
    feed(means, [(math.inf, 1.0, 1, 1, False), (-math.inf, 1.0, 1, 1, False)])
    assert math.isnan(means.losses()["signal"])
    assert means.losses()["peak"] == 1.0


def test_reset_forgets_the_epoch() -> None:
    means = EpochMeans(COMPONENTS)
    feed(means, [(1.0, 1.0, 1, 1, False)])
    means.reset()
    assert means.losses() == {}
    assert means.n_samples == 0


def changing(means: EpochMeans, weights: list[dict[str, float] | None]) -> None:
    for number, given_weights in enumerate(weights, start=1):
        pending = PendingSteps(COMPONENTS)
        losses = {"signal": float(number), "peak": 2.0 * number}
        pending.add(losses, n_samples=number, counts={"peak": 1}, weights=given_weights)
        means.add(pending.take(first_step=number, epoch=1))


def test_mean_weights_times_means_are_the_total() -> None:
    means = EpochMeans(COMPONENTS)
    changing(means, [{"signal": 2.0, "peak": 1.0}, {"signal": 5.0, "peak": 4.0}])
    # Weighted by count, as the means of the components are.
    assert means.weights() == {"signal": 4.0, "peak": 2.5}
    losses = means.losses()
    assert losses["total"] == pytest.approx(4.0 * losses["signal"] + 2.5 * losses["peak"])


def test_weights_that_begin_within_an_epoch_count_from_there_on() -> None:
    means = EpochMeans(COMPONENTS)
    changing(means, [None, {"signal": 4.0, "peak": 0.5}, None])
    assert means.weights() == {"signal": (1 * 1 + 2 * 4 + 3 * 1) / 6, "peak": 0.5}


def test_weights_survive_a_resume_and_end_with_the_epoch() -> None:
    first, second = EpochMeans(COMPONENTS), EpochMeans(COMPONENTS)
    changing(first, [{"signal": 2.0, "peak": 1.0}])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.weights() == first.weights() == {"signal": 2.0, "peak": 1.0}
    second.reset()
    assert second.weights() == {}
    changing(second, [None])
    assert second.weights() == {}
    assert "weights" not in second.state_dict()
