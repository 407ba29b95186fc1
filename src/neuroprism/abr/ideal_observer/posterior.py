"""What one recording leaves possible: presence of wave V, its measures, class and threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroprism.abr.physiology import Floats


@dataclass(frozen=True)
class Distribution:
    """Values with weights.

    Attributes
    ----------
    value
        (M,).
    weight
        Not negative, with a positive sum, (M,).
    """

    value: Floats
    weight: Floats

    def quantile(self, probability: ArrayLike) -> Floats:
        """Return the smallest values that hold at least these shares of the weight, of the same shape."""
        order = np.argsort(self.value, kind="stable")
        below = np.cumsum(self.weight[order])
        share = np.asarray(probability, dtype=np.float64) * below[-1]
        # The sum of many weights is not exact: a share on a step must not fall behind it.
        place = np.searchsorted(below, share - 1e-9 * below[-1])
        result: Floats = self.value[order][np.minimum(place, len(order) - 1)]
        return result

    @property
    def median(self) -> float:
        """The value with the smallest expected absolute error."""
        return float(self.quantile(0.5))


@dataclass(frozen=True)
class Posterior:
    """The posterior of one recording.

    Attributes
    ----------
    v_probability
        That there is a wave V, provided that none hides outside the window.
    class_probability
        Of each hearing class, (K,).
    latency_ms, amplitude_uv
        Of wave V as measured on the clean trace, provided that it is there and inside the window.
    threshold_db_nhl
        Of the ear, provided that it responds at some level.
    """

    v_probability: float
    class_probability: Floats
    latency_ms: Distribution
    amplitude_uv: Distribution
    threshold_db_nhl: Distribution


@dataclass(frozen=True)
class Responding:
    """Equally likely ears of one class that respond, given the trace.

    Attributes
    ----------
    label
        Hearing class.
    log_evidence
        Of the trace, over its evidence without a response.
    latency_ms, amplitude_uv, threshold_db_nhl
        Of each ear, (P,).
    inside
        Whether wave V peaks inside the window, (P,).
    """

    label: int
    log_evidence: float
    latency_ms: Floats
    amplitude_uv: Floats
    threshold_db_nhl: Floats
    inside: NDArray[np.bool_]


def combine(
    responding: list[Responding],
    prior_responding: Floats,
    prior_unheard: Floats,
    unheard_threshold: Distribution,
) -> Posterior:
    """Weigh the classes with and without a response against each other.

    Parameters
    ----------
    responding
        Of each class that can respond at this level; at least one.
    prior_responding, prior_unheard
        Probability of each class with and without a response at this level, (K,).
    unheard_threshold
        Prior of thresholds above this level, of ears that respond somewhere; weights in the same scale.
    """
    # Evidence without a response is 1; everything is divided by the largest evidence.
    top = max(0.0, *(ears.log_evidence for ears in responding))
    silence = np.exp(-top)
    joint = prior_unheard * silence
    inside, weights = 0.0, []
    for ears in responding:
        mass = prior_responding[ears.label] * np.exp(ears.log_evidence - top)
        joint[ears.label] += mass
        inside += mass * float(ears.inside.mean())
        weights.append(np.full(len(ears.inside), mass / len(ears.inside)))
    weight = np.concatenate(weights)
    seen = np.concatenate([ears.inside for ears in responding]) & (weight > 0.0)
    # Where every ear has its wave V outside the window there is no better answer than that.
    shown = weight * seen if seen.any() else weight
    absent = float(prior_unheard.sum()) * silence
    return Posterior(
        v_probability=inside / (inside + absent) if inside + absent > 0.0 else 1.0,
        class_probability=joint / joint.sum(),
        latency_ms=Distribution(np.concatenate([ears.latency_ms for ears in responding]), shown),
        amplitude_uv=Distribution(np.concatenate([ears.amplitude_uv for ears in responding]), shown),
        threshold_db_nhl=Distribution(
            np.concatenate([*(ears.threshold_db_nhl for ears in responding), unheard_threshold.value]),
            np.concatenate([weight, unheard_threshold.weight * silence]),
        ),
    )
