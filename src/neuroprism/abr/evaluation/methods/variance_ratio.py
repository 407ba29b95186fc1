"""Detection by the variance ratio Fmp, which the device computes from its sub-averages.

Elberling and Don 1984, Scandinavian Audiology 13:187. Without a response the ratio follows F(5, 250), whose
99th percentile is 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Answers, Kind
from neuroprism.abr.evaluation.methods.detector import Detector
from neuroprism.abr.recordings import AbrRecordings

CRITICAL_FMP = 3.1


@dataclass(kw_only=True)
class VarianceRatio:
    """Fmp as score; a recording of which it was not measured counts as one without a response.

    Attributes
    ----------
    detector
        With the criterion for Fmp; None where training does not say.
    """

    detector: Detector | None
    name: str
    kind: Kind = "classical"

    def answer(self, recordings: AbrRecordings) -> Answers:
        """Compare each Fmp with the criterion; nothing is answered where none was measured."""
        if not np.isfinite(recordings.fmp).any() or self.detector is None:
            return Answers()
        score = _score(recordings)
        return Answers(
            v_score=score,
            v_present=self.detector.present(score),
            ear_threshold_db_nhl=self.detector.ear_threshold_db_nhl(recordings, score),
        )


def fit_critical_fmp(training: AbrRecordings) -> VarianceRatio:
    """Take the conventional criterion; only the bias of ear thresholds comes from training."""
    detector = Detector.fit(training, _score(training), criterion=CRITICAL_FMP)
    return VarianceRatio(detector=detector, name=f"Fmp, criterion {CRITICAL_FMP:g}")


def fit_chosen_fmp(training: AbrRecordings) -> VarianceRatio:
    """Choose the criterion on the training recordings; nothing where Fmp was never measured there."""
    measured = bool(np.isfinite(training.fmp).any())
    detector = Detector.fit(training, _score(training)) if measured else None
    return VarianceRatio(detector=detector, name="Fmp, chosen criterion")


def _score(recordings: AbrRecordings) -> NDArray[np.float64]:
    return np.nan_to_num(recordings.fmp.astype(np.float64), nan=0.0)
