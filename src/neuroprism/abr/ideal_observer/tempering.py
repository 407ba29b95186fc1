"""Tempered sequential Monte Carlo from a standard normal prior (Del Moral, Doucet and Jasra 2006).

Particles start in the prior; the likelihood comes in by powers that rise from 0
to 1, each as far as the weights stay even. After each step the particles are
resampled and moved by Metropolis steps that keep the tempered posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LogLikelihood = Callable[[Floats], Floats]

EVEN_SHARE = 0.5
"""Effective share of the particles that a step has to leave."""

MOVES = 2.0
"""Accepted steps for each particle after each rise of the power, on average."""

MAX_ROUNDS = 10
_SMALLEST_STEP = 0.1
_SHRINK = 0.05


@dataclass(frozen=True)
class Sampled:
    """A posterior as particles of equal weight.

    Attributes
    ----------
    scores
        Particles, (P, D).
    log_evidence
        Logarithm of the mean likelihood over the prior.
    """

    scores: Floats
    log_evidence: float


def temper(
    log_likelihood: LogLikelihood,
    n_particles: int,
    n_scores: int,
    blocks: Sequence[NDArray[np.int64]],
    rng: np.random.Generator,
) -> Sampled:
    """Return the posterior under a standard normal prior of `n_scores` values.

    Parameters
    ----------
    log_likelihood
        Of particles (P, D), (P,).
    n_particles, n_scores
        P and D.
    blocks
        Scores that are also redrawn together from the prior: what likelihoods with steps need.
    rng
        Source of everything that is drawn.
    """
    scores = rng.standard_normal((n_particles, n_scores))
    fit = log_likelihood(scores)
    power, log_evidence = 0.0, 0.0
    while power < 1.0:
        step = _next_step(fit, 1.0 - power)
        power = min(power + step, 1.0)
        top = float(fit.max())
        weight = np.exp(step * (fit - top))
        log_evidence += step * top + float(np.log(weight.mean()))
        weight /= weight.sum()
        centre, factor = _spread(scores, weight)
        chosen = _resample(weight, rng)
        scores, fit = scores[chosen], fit[chosen]
        moved, rounds = 0.0, 0
        while moved < MOVES and rounds < MAX_ROUNDS:
            before = fit
            scores, fit = _move(log_likelihood, power, scores, fit, (centre, factor), rng)
            moved, rounds = moved + float((fit != before).mean()), rounds + 1
            scores, fit = _redraw(log_likelihood, power, scores, fit, blocks, rng)
    return Sampled(scores, log_evidence)


def _next_step(fit: Floats, most: float) -> float:
    """Return the largest rise of the power that leaves `EVEN_SHARE` of the particles effective."""

    def even(step: float) -> bool:
        weight = np.exp(step * (fit - fit.max()))
        return bool(weight.sum() ** 2 >= EVEN_SHARE * len(fit) * (weight**2).sum())

    if even(most):
        return most
    low, high = 0.0, most
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if even(middle) else (low, middle)
    # Never 0, also where a single particle outweighs all others by far.
    return max(low, 1e-9 * most)


def _spread(scores: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return mean and Cholesky factor of the covariance of weighted particles, a little towards the prior."""
    centre = weight @ scores
    apart = scores - centre
    covariance = (apart * weight[:, None]).T @ apart
    covariance = (1.0 - _SHRINK) * covariance + _SHRINK * np.diag(np.diag(covariance))
    covariance += 1e-6 * np.eye(len(centre))
    factor: Any = np.linalg.cholesky(covariance)
    return centre, factor


def _resample(weight: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the particles that go on: systematic resampling."""
    places = (np.arange(len(weight)) + rng.random()) / len(weight)
    return np.minimum(np.searchsorted(np.cumsum(weight), places), len(weight) - 1)


def _move(
    log_likelihood: LogLikelihood,
    power: float,
    scores: Floats,
    fit: Floats,
    gaussian: tuple[Floats, Floats],
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Move each particle along an autoregression that keeps the Gaussian fitted to all particles.

    The preconditioned Crank-Nicolson step of Cotter et al. 2013, around the
    posterior instead of the prior (Rudolf and Sprungk 2018): small and large
    steps are mixed.
    """
    centre, factor = gaussian
    now = np.linalg.solve(factor, (scores - centre).T).T
    share = rng.uniform(_SMALLEST_STEP, 1.0, len(scores))[:, None]
    new = np.sqrt(1.0 - share**2) * now + share * rng.standard_normal(scores.shape)
    proposed = centre + new @ factor.T
    proposed_fit = log_likelihood(proposed)
    correction = 0.5 * ((new**2 - proposed**2).sum(axis=1) - (now**2 - scores**2).sum(axis=1))
    accept = np.log(rng.random(len(scores))) < power * (proposed_fit - fit) + correction
    return np.where(accept[:, None], proposed, scores), np.where(accept, proposed_fit, fit)


def _redraw(
    log_likelihood: LogLikelihood,
    power: float,
    scores: Floats,
    fit: Floats,
    blocks: Sequence[NDArray[np.int64]],
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Redraw one block of each particle from the prior."""
    which = rng.integers(len(blocks), size=len(scores))
    fresh = np.zeros(scores.shape, dtype=np.bool_)
    for number, block in enumerate(blocks):
        fresh[np.ix_(which == number, block)] = True
    proposed = np.where(fresh, rng.standard_normal(scores.shape), scores)
    proposed_fit = log_likelihood(proposed)
    accept = np.log(rng.random(len(scores))) < power * (proposed_fit - fit)
    return np.where(accept[:, None], proposed, scores), np.where(accept, proposed_fit, fit)
