"""Generating recordings: signals under given conditions, with the labels that the network reads from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroprism.abr.columns import WAVE_V, WAVES
from neuroprism.abr.conditions import Conditions
from neuroprism.abr.predictions import AbrPredictions
from neuroprism.abr.predictor import AbrPredictor
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.sampling import SamplerSettings, draw_signals
from neuroprism.abr.trained import TrainedAbr
from neuroprism.abr.unlabelled import unlabelled, with_conditions
from neuroprism.core.errors import UserError

Floats = NDArray[np.float32]

MAX_DRAWS = 10
"""How often a signal is drawn before a constraint counts as impossible."""

PREDICTED = "predicted"
"""Provenance of thresholds that a network read from generated signals."""

LOWEST_THRESHOLD_DB = -20.0


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """Wishes beyond what the network learned; all of them off by default.

    Signals whose wave V, as the network reads it, lies outside a range are drawn anew, which changes the
    distribution of what is generated.

    Attributes
    ----------
    latency_ms, amplitude_uv
        Range of wave V where there is one.
    smoothing_ms
        SD of a Gaussian with which signals are smoothed.

    Raises
    ------
    UserError
        If a range is empty or the smoothing not positive.
    """

    latency_ms: tuple[float, float] | None = None
    amplitude_uv: tuple[float, float] | None = None
    smoothing_ms: float | None = None

    def __post_init__(self) -> None:
        for name, pair in (("latency", self.latency_ms), ("amplitude", self.amplitude_uv)):
            if pair is not None and not pair[0] < pair[1]:
                raise UserError(f"the {name} range must go from a lower to a higher value, not {_text(pair)}")
        if self.smoothing_ms is not None and not 0 < self.smoothing_ms < np.inf:
            raise UserError(f"smoothing must be above 0 ms, not {self.smoothing_ms:g}")

    def to_dict(self) -> dict[str, str | float]:
        """Return what is on, for a file."""
        known: dict[str, str | float | None] = {
            "constraint_latency_ms": _text(self.latency_ms),
            "constraint_amplitude_uv": _text(self.amplitude_uv),
            "smoothing_ms": self.smoothing_ms,
        }
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class Generated:
    """Generated recordings.

    Attributes
    ----------
    recordings
        Signals and conditions, the likeliest labels in place of measured ones, and the provenance.
    predictions
        What the network says of the signals, with probabilities and intervals.
    redrawn
        Number of signals that were thrown away to keep the constraints.
    """

    recordings: AbrRecordings
    predictions: AbrPredictions
    redrawn: int


def generate(
    trained: TrainedAbr,
    conditions: Conditions,
    settings: SamplerSettings,
    *,
    seed: int,
    constraints: Constraints | None = None,
    batch_size: int = 64,
    progress: bool = False,
) -> Generated:
    """Generate one recording for each condition.

    Parameters
    ----------
    trained
        Network.
    conditions
        (N,) each, see `neuroprism.abr.conditions`.
    settings
        Sampler, steps, guidance.
    seed
        Of the signals.
    constraints
        None: as the network draws them.
    batch_size
        Signals that are drawn together.
    progress
        Whether to show a bar.

    Raises
    ------
    UserError
        If the network cannot be sampled like this, a condition is implausible, or the constraints exclude
        what it generates.
    """
    constraints = constraints or Constraints()
    n = len(conditions["level_db_nhl"])
    empty = _empty(trained, conditions, n)
    given = tuple(map(torch.from_numpy, trained.scaler.standardise_conditions(empty)))
    signal_uv = np.empty((n, trained.n_times), dtype=np.float32)
    predictor, todo, redrawn = AbrPredictor(trained), np.arange(n), 0
    for attempt in range(MAX_DRAWS):
        drawn = draw_signals(
            trained,
            given[0][todo],
            given[1][todo],
            settings,
            seed=seed,
            # Numbers of a later draw lie apart from those of all earlier ones.
            numbers=[attempt * 2**32 + row for row in todo.tolist()],
            batch_size=batch_size,
            progress=progress,
        )
        signal_uv[todo] = _smooth(_in_uv(trained, drawn), constraints.smoothing_ms, trained.sample_rate_hz)
        recordings = replace(empty, signal_uv=signal_uv)
        predictions = predictor.predict(recordings, batch_size=batch_size)
        todo = np.flatnonzero(_outside(predictions, constraints))
        if not len(todo):
            break
        redrawn += len(todo)
    else:
        raise UserError(
            f"{len(todo)} of {n} signals lie outside the constraints after {MAX_DRAWS} draws: widen them"
        )
    provenance = _provenance(trained, settings, constraints, seed=seed, redrawn=redrawn)
    complete = labelled(trained, recordings, predictions, provenance).validate()
    return Generated(complete, predictions, redrawn)


def _in_uv(trained: TrainedAbr, signal: Tensor) -> Floats:
    """Return standardised signals (n, 1, T) in the unit of the recordings, (n, T)."""
    values: NDArray[np.float64] = trained.scaler.signal.invert(signal.squeeze(1).double()).numpy()
    return values.astype(np.float32)


def _empty(trained: TrainedAbr, conditions: Mapping[str, NDArray[np.float64]], n: int) -> AbrRecordings:
    """Return recordings without signal, of a patient each."""
    names = np.array([f"generated:{number:06d}" for number in range(n)])
    flat = np.zeros((n, trained.n_times), dtype=np.float32)
    empty = unlabelled(
        flat, sample_rate_hz=trained.sample_rate_hz, start_ms=trained.scaler.start_ms, patient_id=names
    )
    unit: Any = trained.scaler.signal_unit
    return with_conditions(replace(empty, window_ms=trained.window_ms, signal_unit=unit), conditions)


def _smooth(signal_uv: Floats, sd_ms: float | None, sample_rate_hz: float) -> Floats:
    if sd_ms is None:
        return signal_uv
    from scipy.ndimage import gaussian_filter1d

    smoothed: Floats = gaussian_filter1d(signal_uv, sd_ms * sample_rate_hz / 1000.0, axis=-1, mode="nearest")
    return smoothed


def _outside(predictions: AbrPredictions, constraints: Constraints) -> NDArray[np.bool_]:
    outside = np.zeros(len(predictions), dtype=np.bool_)
    for found, pair in (
        (predictions.latency_ms.value, constraints.latency_ms),
        (predictions.amplitude_uv.value, constraints.amplitude_uv),
    ):
        if pair is not None:
            outside |= predictions.v_present & ~((found >= pair[0]) & (found <= pair[1]))
    return outside


def labelled(
    trained: TrainedAbr,
    recordings: AbrRecordings,
    predictions: AbrPredictions,
    provenance: Mapping[str, str | int | float],
) -> AbrRecordings:
    """Return recordings with the labels that are likeliest by the predictions of their network."""
    n, highest = len(recordings), trained.scaler.condition_range["level_db_nhl"][1]
    latency, amplitude = (np.full((n, len(WAVES)), np.nan, dtype=np.float32) for _ in range(2))
    present, threshold = predictions.v_present, predictions.threshold_db_nhl.value
    latency[present, WAVE_V] = predictions.latency_ms.value[present]
    amplitude[present, WAVE_V] = predictions.amplitude_uv.value[present]
    return replace(
        recordings,
        wave_latency_ms=latency,
        wave_amplitude_uv=amplitude,
        v_marked=np.ones(n, dtype=np.bool_),
        v_present=present,
        hearing_class=predictions.class_probability.argmax(axis=1).astype(np.int64),
        class_names=trained.class_names,
        # A threshold beyond the highest level reads "no response there".
        threshold_db_nhl=np.clip(threshold, LOWEST_THRESHOLD_DB, highest).astype(np.float32),
        threshold_censored=threshold >= highest,
        threshold_provenance=PREDICTED,
        provenance=provenance,
    )


def _provenance(
    trained: TrainedAbr, settings: SamplerSettings, constraints: Constraints, *, seed: int, redrawn: int
) -> dict[str, str | int | float]:
    return {
        "source": "generated",
        **trained.provenance,
        "seed": seed,
        "sampler": settings.sampler,
        "steps": len(settings.levels(trained.schedule)),
        "eta": settings.eta,
        "guidance": settings.guidance,
        "signal_target": trained.config.data.signal_target,
        **constraints.to_dict(),
        **({"redrawn": redrawn} if redrawn else {}),
        "neuroprism": version("neuroprism"),
        "torch": version("torch"),
    }


def _text(pair: tuple[float, float] | None) -> str | None:
    return None if pair is None else f"{pair[0]:g} to {pair[1]:g}"
