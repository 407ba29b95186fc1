"""Tempering against posteriors in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroprism.abr.ideal_observer.tempering import temper

Floats = NDArray[np.float64]
BLOCKS = (np.array([1, 2]), np.array([3]))


def test_gaussian_posterior_and_evidence_are_exact() -> None:
    # y = z0 + 2 z1 + noise; z2 and z3 keep the prior.
    along, noise, seen = np.array([1.0, 2.0, 0.0, 0.0]), 0.1, 1.7

    def log_likelihood(scores: Floats) -> Floats:
        fit: Floats = -0.5 * ((seen - scores @ along) / noise) ** 2
        return fit

    found = [temper(log_likelihood, 1000, 4, BLOCKS, np.random.default_rng(seed)) for seed in range(5)]
    total = noise**2 + 5.0
    evidence = math.log(noise / math.sqrt(total)) - 0.5 * seen**2 / total
    assert np.mean([each.log_evidence for each in found]) == pytest.approx(evidence, abs=0.1)
    scores = np.concatenate([each.scores for each in found])
    assert scores.mean(axis=0) == pytest.approx(along * seen / total, abs=0.08)
    assert np.cov(scores.T) == pytest.approx(np.eye(4) - np.outer(along, along) / total, abs=0.1)


def test_steps_of_the_likelihood_are_sampled() -> None:
    # Two separate regions: 1 of 16 of the prior with evidence e^6, and all else with 1.
    def log_likelihood(scores: Floats) -> Floats:
        return np.where((scores > 0.0).all(axis=1), 6.0, 0.0)

    found = temper(log_likelihood, 4000, 4, BLOCKS, np.random.default_rng(0))
    evidence = (math.exp(6.0) + 15.0) / 16.0
    assert found.log_evidence == pytest.approx(math.log(evidence), abs=0.1)
    inside = (found.scores > 0.0).all(axis=1).mean()
    assert inside == pytest.approx(math.exp(6.0) / 16.0 / evidence, abs=0.02)


def test_likelihoods_that_say_nothing_leave_the_prior() -> None:
    found = temper(lambda scores: np.zeros(len(scores)), 500, 3, BLOCKS[:1], np.random.default_rng(0))
    assert found.log_evidence == 0.0
    assert found.scores.std(axis=0) == pytest.approx(np.ones(3), abs=0.15)


def test_equal_seeds_give_equal_particles() -> None:
    first, second = (
        temper(lambda s: -(s**2).sum(axis=1), 50, 4, BLOCKS, np.random.default_rng(3)) for _ in range(2)
    )
    assert (first.scores == second.scores).all()
