"""From the scores of a method to responses that are present, and to the thresholds of ears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.criterion import best_f1_criterion
from neuroprism.abr.evaluation.methods.ear_levels import Ears, lowest_level_with_response
from neuroprism.abr.evaluation.methods.labels import presence, threshold_db_nhl
from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Detector:
    """The criterion for the scores of one method.

    Attributes
    ----------
    criterion
        Score from which wave V counts as present.
    ear_bias_db
        Median by which the lowest level with a response exceeds the thresholds of the training ears; None
        where no training ear has a threshold.
    """

    criterion: float
    ear_bias_db: float | None

    @classmethod
    def fit(
        cls, training: AbrRecordings, score: Floats, *, criterion: float | None = None
    ) -> Detector | None:
        """Choose the criterion for the greatest F1, and measure the bias of ear thresholds.

        Parameters
        ----------
        training
            N recordings.
        score
            Of each, (N,).
        criterion
            Taken instead if it is given.

        Returns
        -------
        Detector | None
            None where wave V was judged nowhere and no criterion is given.
        """
        judged = presence(training)
        if criterion is None:
            if not judged:
                return None
            criterion = best_f1_criterion(score[judged.known], judged.values)
        ears = Ears.of(training)
        threshold = ears.label(threshold_db_nhl(training))
        bias_db = None
        if threshold:
            level = training.level_db_nhl.astype(np.float64)
            found = lowest_level_with_response(ears, level, score >= criterion)
            bias_db = float(np.median(found[threshold.known] - threshold.values))
        return cls(criterion=criterion, ear_bias_db=bias_db)

    def present(self, score: Floats) -> NDArray[np.bool_]:
        """Return where wave V counts as present, (N,)."""
        return score >= self.criterion

    def ear_threshold_db_nhl(self, recordings: AbrRecordings, score: Floats) -> Floats | None:
        """Return the lowest level with a response of each recording's ear, less the bias, (N,)."""
        if self.ear_bias_db is None:
            return None
        ears = Ears.of(recordings)
        level = recordings.level_db_nhl.astype(np.float64)
        return ears.spread(lowest_level_with_response(ears, level, self.present(score)) - self.ear_bias_db)
