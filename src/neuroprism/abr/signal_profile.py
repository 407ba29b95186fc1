"""What the training signals look like, so that a recording of another kind can be told.

Six features of one trace x(t), which need no labels:

1. ``ln sd(x)``: size;
2. ``ln (max x - min x) / sd(x)``: single large deflections, such as an artefact;
3. ``ln sd(x[k+1] - x[k]) / sd(x)``: fast parts, such as noise that was not filtered;
4. ``ln sd(moving average over 1 ms) / sd(x)``: slow parts, such as a baseline that drifts;
5. ``mean(x) / sd of all training samples``: an offset;
6. skewness: the polarity of the trace.

A recording is unlike the training recordings where a feature lies outside their range by more than a tenth
of its width, or where its distance (Mahalanobis, in these features) exceeds that of 99.9 % of them. This
finds other equipment, other units and broken traces; a recording that passes may still be of a kind that the
network has never seen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.core.errors import DataError

FEATURES = ("size", "range", "fast parts", "slow parts", "offset", "skewness")
LIMIT_SHARE = 0.999
MARGIN = 0.1
"""Part of the width of a feature's range by which a recording may lie outside."""

_SMALL = 1e-6
_CHUNK = 4096

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SignalProfile:
    """Distribution of the features over the training recordings.

    Attributes
    ----------
    mean, precision
        Of the features, (6,) and (6, 6).
    limit
        Distance that 99.9 % of the training recordings do not exceed.
    low, high
        Range of each feature with its margin, (6,).
    samples_per_ms
        Samples of the moving average of 1 ms.
    """

    mean: list[float]
    precision: list[list[float]]
    limit: float
    low: list[float]
    high: list[float]
    samples_per_ms: int

    @classmethod
    def fit(cls, standardised: NDArray[Any], sample_rate_hz: float) -> SignalProfile:
        """Fit on the standardised training signals (N, T)."""
        samples_per_ms = max(1, round(sample_rate_hz / 1000.0))
        features = _features(standardised, samples_per_ms)
        spread = np.cov(features, rowvar=False) if len(features) > 1 else np.eye(len(FEATURES))
        # A feature that hardly varies must not count without bound.
        spread = spread + 1e-4 * np.eye(len(FEATURES))
        mean, precision = features.mean(axis=0), np.linalg.inv(spread).astype(np.float64)
        low, high = features.min(axis=0), features.max(axis=0)
        margin = MARGIN * (high - low)
        return cls(
            mean=mean.tolist(),
            precision=precision.tolist(),
            limit=float(np.quantile(_mahalanobis(features, mean, precision), LIMIT_SHARE)),
            low=(low - margin).tolist(),
            high=(high + margin).tolist(),
            samples_per_ms=samples_per_ms,
        )

    def unlike(self, standardised: NDArray[Any]) -> list[str]:
        """Say of each standardised signal (N, T) in what it is unlike training; empty: in nothing."""
        features = _features(standardised, self.samples_per_ms)
        outside = (features < np.asarray(self.low)) | (features > np.asarray(self.high))
        far = _mahalanobis(features, np.asarray(self.mean), np.asarray(self.precision)) > self.limit
        words = []
        for row, distant in zip(outside, far, strict=True):
            named = [name for name, there in zip(FEATURES, row, strict=True) if there]
            words.append(", ".join(named) if named else "combination of features" * bool(distant))
        return words

    def state_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists."""
        return asdict(self)

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> SignalProfile:
        """Restore a profile.

        Raises
        ------
        DataError
            If `state` is not the state of a profile.
        """
        try:
            profile = cls(**state)
            vectors = {np.shape(part) for part in (profile.mean, profile.low, profile.high)}
        except (TypeError, ValueError) as error:
            raise DataError(f"not the state of a signal profile: {error}") from None
        n = len(FEATURES)
        if vectors != {(n,)} or np.shape(profile.precision) != (n, n):
            raise DataError(f"not the state of a signal profile: {n} features are expected")
        return profile


def _mahalanobis(features: Floats, mean: Floats, precision: Floats) -> Floats:
    away = features - mean
    squares: Floats = np.einsum("ni,ij,nj->n", away, precision, away)
    return np.sqrt(np.maximum(squares, 0.0))


def _features(signals: NDArray[Any], samples_per_ms: int) -> Floats:
    """Return the features (N, 6) of standardised signals (N, T)."""
    parts = [signals[start : start + _CHUNK] for start in range(0, len(signals), _CHUNK)]
    return np.concatenate([_features_of(part.astype(np.float64), samples_per_ms) for part in parts])


def _features_of(x: Floats, samples_per_ms: int) -> Floats:
    offset = x.mean(axis=1)
    centred = x - offset[:, None]
    sd = centred.std(axis=1) + _SMALL
    sums = np.cumsum(np.pad(centred, ((0, 0), (1, 0))), axis=1)
    smooth = (sums[:, samples_per_ms:] - sums[:, :-samples_per_ms]) / samples_per_ms
    return np.stack(
        [
            np.log(sd),
            np.log(np.ptp(x, axis=1) / sd + _SMALL),
            np.log(np.diff(x, axis=1).std(axis=1) / sd + _SMALL),
            np.log(smooth.std(axis=1) / sd + _SMALL),
            offset,
            (centred**3).mean(axis=1) / sd**3,
        ],
        axis=1,
    )
