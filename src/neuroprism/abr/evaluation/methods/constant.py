"""The same answer for every recording: what the training labels alone say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroprism.abr.answers import Answers, Kind
from neuroprism.abr.evaluation.methods import labels
from neuroprism.abr.evaluation.methods.ear_levels import Ears
from neuroprism.abr.recordings import AbrRecordings


@dataclass(kw_only=True)
class Constant:
    """Shares and medians of the training labels; None where there are no labels.

    Attributes
    ----------
    v_share
        Share of recordings with wave V; it counts as present everywhere from one half.
    latency_ms, amplitude_uv, threshold_db_nhl
        Medians; the threshold is that of recordings, and stands for ears too.
    class_shares
        Share of each class, (K,).
    """

    v_share: float | None
    latency_ms: float | None
    amplitude_uv: float | None
    threshold_db_nhl: float | None
    class_shares: tuple[float, ...] | None
    name: str = "constant"
    kind: Kind = "trivial"

    def answer(self, recordings: AbrRecordings) -> Answers:
        """Return the constants for every recording."""
        n = len(recordings)

        def repeated(value: float | None) -> np.ndarray | None:
            return None if value is None else np.full(n, value)

        ear = None
        if self.threshold_db_nhl is not None:
            ears = Ears.of(recordings)
            ear = ears.spread(np.full(len(ears), self.threshold_db_nhl))
        return Answers(
            v_score=repeated(self.v_share),
            v_present=None if self.v_share is None else np.full(n, self.v_share >= 0.5),
            latency_ms=repeated(self.latency_ms),
            amplitude_uv=None if recordings.signal_unit == "zscore" else repeated(self.amplitude_uv),
            class_probability=None if self.class_shares is None else np.tile(self.class_shares, (n, 1)),
            threshold_db_nhl=repeated(self.threshold_db_nhl),
            ear_threshold_db_nhl=ear,
        )


def fit_constant(training: AbrRecordings) -> Constant:
    """Take shares and medians of the training labels."""
    presence = labels.presence(training)
    classes = labels.hearing_class(training)
    counts = np.bincount(classes.values, minlength=len(training.class_names))
    return Constant(
        v_share=float(presence.values.mean()) if presence else None,
        latency_ms=_median(labels.latency_ms(training)),
        amplitude_uv=_median(labels.amplitude_uv(training)),
        threshold_db_nhl=_median(labels.threshold_db_nhl(training)),
        class_shares=tuple((counts / counts.sum()).tolist()) if classes else None,
    )


def _median(label: labels.Label) -> float | None:
    return float(np.median(label.values)) if label else None
