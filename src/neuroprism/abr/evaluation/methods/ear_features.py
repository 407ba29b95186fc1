"""What all recordings of an ear together say of its threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.conditions_only import tested_levels
from neuroprism.abr.evaluation.methods.ear_levels import Ears
from neuroprism.abr.evaluation.methods.threshold_step import step_db_nhl
from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]


def ear_features(
    recordings: AbrRecordings, ears: Ears, probability: Floats, threshold_db_nhl: Floats
) -> Floats:
    """Return the levels tested, the step along them, and the mean of the single thresholds, (E, 8).

    Parameters
    ----------
    recordings
        N recordings.
    ears
        Their E ears.
    probability, threshold_db_nhl
        Probability of wave V and threshold, from each recording alone, (N,).
    """
    level = recordings.level_db_nhl.astype(np.float64)
    mean, sd = step_db_nhl(ears, level, probability)
    return np.column_stack([tested_levels(recordings, ears), mean, sd, ears.mean(threshold_db_nhl)])
