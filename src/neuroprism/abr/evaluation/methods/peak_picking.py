"""Peak picking along a latency-level function, and the visual threshold: what a reader does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Answers, Kind
from neuroprism.abr.evaluation.methods import labels
from neuroprism.abr.evaluation.methods.conditions import conditions
from neuroprism.abr.evaluation.methods.detector import Detector
from neuroprism.abr.evaluation.methods.latency_level import LatencyLevel
from neuroprism.abr.evaluation.methods.least_absolute import LinearValue, predicted
from neuroprism.abr.evaluation.methods.peaks import Peaks, pick_peaks
from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]


@dataclass(kw_only=True)
class PeakPicking:
    """The largest peak near the expected latency; present if it stands out of the residual noise.

    Attributes
    ----------
    curve
        None where training has no latencies: then nothing is answered.
    amplitude_uv
        From the picked amplitude and the level: noise and smoothing bias what is picked.
    threshold_db_nhl
        From what was picked and the conditions.
    """

    curve: LatencyLevel | None
    detector: Detector | None = None
    amplitude_uv: LinearValue | None = None
    threshold_db_nhl: LinearValue | None = None
    name: str = "peak picking"
    kind: Kind = "classical"

    def answer(self, recordings: AbrRecordings) -> Answers:
        """Pick wave V in each recording; the expected latency stands where none stands out."""
        if self.curve is None:
            return Answers()
        picked = pick_peaks(recordings, self.curve)
        score, detector = picked.height_over_noise, self.detector
        present = None if detector is None else detector.present(score)
        taken = np.isfinite(picked.latency_ms) & (present if present is not None else True)
        seen = _seen(recordings, picked)
        ear = None if detector is None else detector.ear_threshold_db_nhl(recordings, score)
        scaled = recordings.signal_unit == "uV"
        return Answers(
            v_score=score,
            v_present=present,
            latency_ms=np.where(taken, picked.latency_ms, picked.expected_ms),
            amplitude_uv=predicted(self.amplitude_uv, seen) if scaled else None,
            threshold_db_nhl=predicted(self.threshold_db_nhl, seen),
            ear_threshold_db_nhl=ear,
        )


def fit_peak_picking(training: AbrRecordings) -> PeakPicking:
    """Fit the latency-level function and choose the criteria on the training recordings."""
    curve = LatencyLevel.fit(training)
    if curve is None:
        return PeakPicking(curve=None)
    picked = pick_peaks(training, curve)
    seen = _seen(training, picked)
    return PeakPicking(
        curve=curve,
        detector=Detector.fit(training, picked.height_over_noise),
        amplitude_uv=LinearValue.fit(seen, labels.amplitude_uv(training)),
        threshold_db_nhl=LinearValue.fit(seen, labels.threshold_db_nhl(training)),
    )


def _seen(recordings: AbrRecordings, picked: Peaks) -> Floats:
    """Return what amplitude and threshold are read from, (N, 6)."""
    return np.column_stack(
        [
            conditions(recordings),
            picked.latency_ms - picked.expected_ms,
            picked.amplitude,
            np.log1p(picked.height_over_noise),
        ]
    )
