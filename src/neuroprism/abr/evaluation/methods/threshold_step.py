"""Where along the levels of an ear its responses set in, from probabilities that each is there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.ear_levels import BEYOND_HIGHEST_DB, Ears

Floats = NDArray[np.float64]

LEAST_PROBABILITY = 0.01


def step_db_nhl(ears: Ears, level_db_nhl: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """Return mean and SD of the level from which responses are there, over its likelihood, (E,) each.

    A step at a level explains the ear with the product of the probabilities of presence from there on and of
    absence below. Each tested level may be the step, and `BEYOND_HIGHEST_DB` above the highest.

    Parameters
    ----------
    ears
        E ears of N recordings.
    level_db_nhl, probability
        Level and probability that wave V is there, (N,).
    """
    likely = np.clip(probability, LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
    log_odds = np.log(likely) - np.log1p(-likely)
    order = ears.rows[np.argsort(ears.owner, kind="stable")]
    mean, sd = np.empty(len(ears)), np.empty(len(ears))
    ends = np.cumsum(np.bincount(ears.owner, minlength=len(ears)))
    for ear, rows in enumerate(np.split(order, ends[:-1]) if len(ears) else []):
        level = level_db_nhl[rows]
        steps = np.append(np.unique(level), level.max() + BEYOND_HIGHEST_DB)
        # Up to a constant: only the responses from the step on count as there.
        gain = (level[None, :] >= steps[:, None]) @ log_odds[rows]
        weight = np.exp(gain - gain.max())
        weight /= weight.sum()
        mean[ear] = weight @ steps
        sd[ear] = np.sqrt(weight @ (steps - mean[ear]) ** 2)
    return mean, sd
