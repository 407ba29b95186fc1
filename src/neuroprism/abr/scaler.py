"""Standardisation of signals, conditions and targets, fitted on the training split only.

The signal keeps its microvolt scale: one mean and one SD for all recordings,
never one per recording. The scaler travels in every checkpoint, and prediction
refuses to run without it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError

CONDITION_NAMES = ("age_years", "level_db_nhl", "rate_hz", "fmp")
TARGET_NAMES = ("latency_ms", "amplitude_uv", "threshold_db_nhl")
CLIP_PERCENTILES = (0.01, 99.99)

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Standard:
    """Mean and SD of one quantity, and the value that stands in where it is missing."""

    mean: float
    sd: float
    median: float

    @classmethod
    def fit(cls, values: NDArray[Any], name: str) -> Standard:
        """Fit on the finite values.

        Raises
        ------
        DataError
            If there is none.
        """
        known = np.asarray(values, dtype=np.float64)
        known = known[np.isfinite(known)]
        if known.size == 0:
            raise DataError(f"the training split has no value of {name}")
        sd = float(known.std())
        # A constant quantity carries no information; dividing by 1 keeps it at zero.
        constant = sd <= 1e-9 * max(1.0, abs(float(known.mean())))
        return cls(float(known.mean()), 1.0 if constant else sd, float(np.median(known)))

    def apply(self, values: NDArray[Any]) -> FloatArray:
        """Return z-scores; NaN stays NaN."""
        return ((values.astype(np.float64) - self.mean) / self.sd).astype(np.float32)

    def invert(self, z: Any) -> Any:
        """Return values in their own unit from z-scores (array or tensor)."""
        return z * self.sd + self.mean


_UNKNOWN = Standard(0.0, 1.0, 0.0)


@dataclass(frozen=True)
class AbrScaler:
    """Everything that turns recordings into what the network sees, and back.

    Attributes
    ----------
    signal
        Of all samples of all training recordings, in `signal_unit`.
    conditions
        Of age, level, rate and Fmp (as logarithm), in the order of `CONDITION_NAMES`.
    targets
        Of the latency and amplitude of wave V and of the known thresholds.
    clip
        Range of standardised samples that holds all but 0.02 % of the training data.
    condition_range
        Smallest and largest training value of each condition, in its own unit.
    class_counts
        Training recordings per class.
    v_prior
        Share of training recordings with wave V among those where it can be asked.
    """

    signal: Standard
    conditions: dict[str, Standard]
    targets: dict[str, Standard]
    clip: tuple[float, float]
    condition_range: dict[str, tuple[float, float]]
    class_counts: dict[str, int]
    v_prior: float
    sample_rate_hz: float
    window_ms: float
    start_ms: float
    n_times: int
    signal_unit: str

    @classmethod
    def fit(cls, training: AbrRecordings) -> AbrScaler:
        """Fit on the training recordings.

        Raises
        ------
        DataError
            If a target has no value in the training split, or the signal is constant.
        """
        signal = Standard.fit(training.signal_uv, "signal_uv")
        if not training.signal_uv.std() > 0:
            raise DataError("the signals of the training split are constant")
        standardised = (training.signal_uv - signal.mean) / signal.sd
        low, high = np.percentile(standardised, CLIP_PERCENTILES)
        conditions = {name: _condition(training, name) for name in CONDITION_NAMES}
        asked = training.v_present[training.v_mask]
        if asked.size == 0:
            raise DataError("the training split has no recording in which wave V was judged")
        return cls(
            signal=signal,
            conditions={
                name: Standard.fit(values, name) if np.isfinite(values).any() else _UNKNOWN
                for name, values in conditions.items()
            },
            targets={
                "latency_ms": Standard.fit(training.v_latency_ms[training.latency_mask], "wave V latency"),
                "amplitude_uv": Standard.fit(
                    training.v_amplitude_uv[training.amplitude_mask], "wave V amplitude"
                ),
                "threshold_db_nhl": Standard.fit(
                    training.threshold_db_nhl[training.threshold_mask & ~training.threshold_censored],
                    "uncensored threshold",
                ),
            },
            clip=(float(low), float(high)),
            condition_range={name: _range(getattr(training, name)) for name in CONDITION_NAMES},
            class_counts=training.class_counts(),
            v_prior=float(asked.mean()),
            sample_rate_hz=training.sample_rate_hz,
            window_ms=training.window_ms,
            start_ms=training.start_ms,
            n_times=training.n_times,
            signal_unit=training.signal_unit,
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the hearing classes, by index."""
        return tuple(self.class_counts)

    def condition_known(self, name: str) -> bool:
        """Return whether any training recording has this condition."""
        # What `fit` stores where there was nothing to fit.
        return self.conditions[name] != _UNKNOWN

    def standardise_conditions(self, recordings: AbrRecordings) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return z-scores (N, F), the median where a value is missing, and flags of missing ones (N, F)."""
        values, missing = [], []
        for name in CONDITION_NAMES:
            raw, standard = _condition(recordings, name), self.conditions[name]
            absent = ~np.isfinite(raw)
            values.append(standard.apply(np.where(absent, standard.median, raw)))
            missing.append(absent)
        return np.stack(values, axis=1), np.stack(missing, axis=1)

    def state_dict(self) -> dict[str, Any]:
        """Return plain numbers, texts, lists and dicts."""
        return asdict(self)

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> AbrScaler:
        """Restore a scaler.

        Raises
        ------
        DataError
            If `state` is not the state of a scaler.
        """
        try:
            return cls(
                **{
                    **state,
                    "signal": Standard(**state["signal"]),
                    "conditions": {name: Standard(**state["conditions"][name]) for name in CONDITION_NAMES},
                    "targets": {name: Standard(**state["targets"][name]) for name in TARGET_NAMES},
                    "clip": tuple(state["clip"]),
                    "condition_range": {name: tuple(pair) for name, pair in state["condition_range"].items()},
                }
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"not the state of an ABR scaler: {error}") from None


def _condition(recordings: AbrRecordings, name: str) -> NDArray[np.float64]:
    """Return a condition on the scale on which it is standardised."""
    values: NDArray[np.float64] = getattr(recordings, name).astype(np.float64)
    # Fmp is a ratio of variances with a long tail; 0 would mean a flat average.
    return np.log(np.maximum(values, 1e-3)) if name == "fmp" else values


def _range(values: NDArray[Any]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
