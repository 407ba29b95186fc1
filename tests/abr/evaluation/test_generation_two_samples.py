"""Distances of two samples, against scipy and against samples in which values are really repeated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from neuroprism.abr.evaluation.generation.two_samples import (
    Floats,
    Sample,
    everyone,
    mean_shift,
    quantile,
    ratio,
    sd_ratio,
    share_below_quantile,
    wasserstein,
)

RNG = np.random.default_rng(0)
FIRST = Sample(RNG.normal(0.5, 1.0, 40).round(1), RNG.choice(["a", "b", "c"], 40))
SECOND = Sample(RNG.normal(0.0, 2.0, 70).round(1), RNG.choice(["b", "c", "d", "e"], 70))
PEOPLE = everyone(FIRST, SECOND)
DRAWS = np.array([[1, 1, 1, 1, 1], [3, 0, 2, 0, 1], [0, 1, 0, 4, 0], [2, 2, 0, 0, 1]], dtype=np.float64)


def repeated(sample: Sample, draw: Floats) -> Floats:
    count = dict(zip("abcde", draw.astype(int), strict=True))
    return np.repeat(sample.values, [count[name] for name in sample.patients])


def test_wasserstein_is_that_of_scipy() -> None:
    expected = [wasserstein_distance(repeated(FIRST, draw), repeated(SECOND, draw)) for draw in DRAWS]
    np.testing.assert_allclose(wasserstein(FIRST, SECOND, PEOPLE)(DRAWS), expected, rtol=1e-12)


def test_moments_are_those_of_repeated_values() -> None:
    pairs = [(repeated(FIRST, draw), repeated(SECOND, draw)) for draw in DRAWS]
    np.testing.assert_allclose(
        mean_shift(FIRST, SECOND, PEOPLE)(DRAWS), [one.mean() - other.mean() for one, other in pairs]
    )
    np.testing.assert_allclose(
        sd_ratio(FIRST, SECOND, PEOPLE)(DRAWS), [one.std() / other.std() for one, other in pairs]
    )


@pytest.mark.parametrize("q", [0.01, 0.3, 0.5, 1.0])
def test_quantile_is_that_of_repeated_values(q: float) -> None:
    pairs = [(repeated(FIRST, draw), repeated(SECOND, draw)) for draw in DRAWS]
    limits = np.array([np.quantile(other, q, method="inverted_cdf") for _, other in pairs])
    found = quantile(SECOND, q, PEOPLE)
    np.testing.assert_allclose(found(DRAWS), limits)
    np.testing.assert_allclose(
        share_below_quantile(FIRST, SECOND, q, PEOPLE)(DRAWS),
        [(one < limit).mean() for (one, _), limit in zip(pairs, limits, strict=True)],
    )
    np.testing.assert_allclose(ratio(found, found)(DRAWS)[limits > 0], 1.0)


def test_a_resample_without_one_of_the_samples_has_no_value() -> None:
    without = np.array([[0.0, 0.0, 0.0, 2.0, 3.0]])
    for statistic in (
        wasserstein(FIRST, SECOND, PEOPLE),
        mean_shift(FIRST, SECOND, PEOPLE),
        sd_ratio(FIRST, SECOND, PEOPLE),
        share_below_quantile(FIRST, SECOND, 0.5, PEOPLE),
        quantile(FIRST, 0.5, PEOPLE),
    ):
        assert np.isnan(statistic(without)).all()


def test_what_is_not_known_is_left_out() -> None:
    sample = Sample.of_finite(np.array([1.0, np.nan, 2.0]), np.array(["a", "b", "c"]))
    assert sample.values.tolist() == [1.0, 2.0]
    assert sample.patients.tolist() == ["a", "c"]
