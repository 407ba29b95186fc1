"""Quantiles of weighted values, and classes weighed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from neuroprism.abr.ideal_observer.posterior import Distribution, Responding, combine


def test_quantiles_hold_the_stated_share() -> None:
    given = Distribution(np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3]))
    assert given.quantile([0.1, 0.5, 0.51, 0.8, 0.81, 1.0]).tolist() == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert given.median == 1.0


def test_quantiles_do_not_depend_on_the_scale_of_the_weights() -> None:
    rng = np.random.default_rng(0)
    value, weight = rng.normal(size=99), rng.random(99)
    share = np.linspace(0, 1, 9)
    plain, scaled = Distribution(value, weight), Distribution(value, 1e-9 * weight)
    assert (plain.quantile(share) == scaled.quantile(share)).all()


def responding(label: int, log_evidence: float, latency_ms: float, *, inside: bool = True) -> Responding:
    n = 4
    return Responding(
        label=label,
        log_evidence=log_evidence,
        latency_ms=np.full(n, latency_ms),
        amplitude_uv=np.full(n, 0.3),
        threshold_db_nhl=np.full(n, 40.0),
        inside=np.full(n, inside),
    )


ABOVE = Distribution(np.array([60.0, 65.0]), np.array([0.1, 0.1]))


def test_evidence_weighs_classes_and_presence() -> None:
    prior, unheard = np.array([0.3, 0.3, 0.0]), np.array([0.1, 0.1, 0.2])
    found = combine([responding(0, np.log(2.0), 6.0), responding(1, 0.0, 7.0)], prior, unheard, ABOVE)
    assert found.v_probability == pytest.approx(0.9 / 1.3)
    assert found.class_probability == pytest.approx(np.array([0.7, 0.4, 0.2]) / 1.3)
    assert found.latency_ms.median == 6.0
    assert found.latency_ms.quantile(0.7) == 7.0
    assert found.threshold_db_nhl.quantile([0.5, 0.85, 0.95]).tolist() == [40.0, 60.0, 65.0]


def test_what_hides_outside_the_window_counts_for_the_class_only() -> None:
    prior, unheard = np.array([0.3, 0.3, 0.0]), np.array([0.1, 0.1, 0.2])
    found = combine([responding(0, 0.0, 6.0), responding(1, 0.0, 11.0, inside=False)], prior, unheard, ABOVE)
    assert found.v_probability == pytest.approx(0.3 / 0.7)
    assert found.class_probability == pytest.approx([0.4, 0.4, 0.2])
    assert found.latency_ms.quantile(1.0) == 6.0


def test_an_answer_is_given_where_all_hide_outside_the_window() -> None:
    prior, unheard = np.array([0.5, 0.0]), np.array([0.0, 0.5])
    found = combine([responding(0, 0.0, 11.0, inside=False)], prior, unheard, ABOVE)
    assert found.latency_ms.median == 11.0
    assert found.v_probability == 0.0
