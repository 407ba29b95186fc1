"""How much of the noise a network takes off recordings whose true response is known.

Noise as in simulated recordings is added to true responses at stated ratios, so that a result does not
depend on how noisy the recordings happened to be. The response itself, without noise, goes through the
network as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.answers import Floats
from neuroprism.abr.denoising import denoise
from neuroprism.abr.evaluation import signal_measures
from neuroprism.abr.evaluation.score import Score, score
from neuroprism.abr.noise import averaged_noise, unit_noise_covariance
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.trained import TrainedAbr
from neuroprism.abr.wave_picking import pick_wave
from neuroprism.metrics import resampling

INPUT_SNRS_DB = (-6.0, 0.0, 6.0, 12.0)
"""Power of the response over power of the noise, both over the whole window."""

REACH_MS = 1.0
"""Wave V is looked for this far around its true place, in the traces of every method."""

Traces = NDArray[np.float32]
Denoiser = Callable[[AbrRecordings], Traces]
"""Noisy recordings, with their residual noise, to traces (N, T)."""


class DenoisingResult(msgspec.Struct, kw_only=True, frozen=True):
    """One measure at one ratio.

    Attributes
    ----------
    input_snr_db
        None: the response without noise.
    name, label, unit, better
        Measure; means over recordings.
    scores
        By method.
    """

    input_snr_db: float | None
    name: str
    label: str
    unit: str
    better: Literal["higher", "lower"]
    scores: dict[str, Score]


@dataclass(frozen=True, kw_only=True)
class _Measure:
    """A number for each denoised trace (N, T) of noisy recordings that hold their true response."""

    name: str
    label: str
    unit: str = ""
    better: Literal["higher", "lower"] = "higher"
    of: Callable[[Traces, AbrRecordings], Floats]


def _clean(noisy: AbrRecordings) -> Traces:
    assert noisy.clean_uv is not None
    return noisy.clean_uv


def _snr_gain_db(found: Traces, noisy: AbrRecordings) -> Floats:
    clean = _clean(noisy)
    return signal_measures.snr_db(found, clean) - signal_measures.snr_db(noisy.signal_uv, clean)


def _wave_v_errors(found: Traces, noisy: AbrRecordings) -> tuple[Floats, Floats]:
    """Return the absolute errors of wave V as picked on the traces; NaN where no peak is there."""
    expected_ms = noisy.v_latency_ms.astype(np.float64)
    latency, amplitude = pick_wave(found, noisy.time_ms, expected_ms, reach_ms=REACH_MS)
    return np.abs(latency - expected_ms), np.abs(amplitude - noisy.v_amplitude_uv)


MEASURES = (
    _Measure(
        name="mse_uv2",
        label="mean squared error",
        unit="uV^2",
        better="lower",
        of=lambda found, noisy: signal_measures.mean_squared_error(found, _clean(noisy)),
    ),
    _Measure(
        name="correlation",
        label="correlation",
        of=lambda found, noisy: signal_measures.correlation(found, _clean(noisy)),
    ),
    _Measure(name="snr_gain_db", label="gain of the ratio", unit="dB", of=_snr_gain_db),
    _Measure(
        name="spectral_similarity",
        label="spectral similarity",
        of=lambda found, noisy: signal_measures.spectral_similarity(
            found, _clean(noisy), noisy.sample_rate_hz
        ),
    ),
    _Measure(
        name="envelope_similarity",
        label="envelope similarity",
        of=lambda found, noisy: signal_measures.envelope_similarity(found, _clean(noisy)),
    ),
    _Measure(
        name="latency_mae_ms",
        label="MAE of wave V latency",
        unit="ms",
        better="lower",
        of=lambda found, noisy: _wave_v_errors(found, noisy)[0],
    ),
    _Measure(
        name="amplitude_mae_uv",
        label="MAE of wave V amplitude",
        unit="uV",
        better="lower",
        of=lambda found, noisy: _wave_v_errors(found, noisy)[1],
    ),
)
"""What is measured on a denoised trace."""


class LinearDenoiser:
    """The best linear estimate of the response from the whole trace.

    ``m + S (S + s^2 C)^-1 (y - m)`` with mean m and covariance S of the true responses of the training
    recordings and covariance C of the noise: the classical limit for traces without a model of their shape
    (Kay 1993, Fundamentals of Statistical Signal Processing, chapter 12).

    Parameters
    ----------
    training
        Recordings with their true responses.
    """

    def __init__(self, training: AbrRecordings) -> None:
        if training.clean_uv is None:
            raise ValueError("the training recordings have no true responses")
        responses = training.clean_uv[training.v_present].astype(np.float64)
        self._mean = responses.mean(axis=0)
        self._signal = np.cov(responses, rowvar=False)
        self._noise = unit_noise_covariance(training.n_times, training.sample_rate_hz)

    def __call__(self, recordings: AbrRecordings) -> Traces:
        """Return the estimated responses, (N, T)."""
        found = np.empty_like(recordings.signal_uv)
        # Recordings of equal noise share one matrix; noise is rounded so that there are few.
        noise_uv = _rounded(recordings.residual_noise_uv.astype(np.float64))
        for value in np.unique(noise_uv):
            rows = noise_uv == value
            total = self._signal + value**2 * self._noise
            gain = np.linalg.solve(total + 1e-9 * np.trace(total) * np.eye(len(total)), self._signal)
            found[rows] = self._mean + (recordings.signal_uv[rows] - self._mean) @ gain
        return found


def denoising_results(
    trained: TrainedAbr, training: AbrRecordings, test: AbrRecordings, *, n_recordings: int, seed: int
) -> list[DenoisingResult]:
    """Return every measure at every ratio; empty where no true response is known.

    Parameters
    ----------
    trained
        Network.
    training, test
        With true responses.
    n_recordings
        How many test recordings that have a wave V are used, if there are as many.
    seed
        Of the noise, and of which recordings are taken.
    """
    known = test.clean_uv is not None and training.clean_uv is not None and test.signal_unit == "uV"
    rows = np.flatnonzero(test.latency_mask)
    if not known or len(rows) < 2:
        return []
    rng = np.random.default_rng(seed)
    chosen = test.select(np.sort(rng.permutation(rows)[:n_recordings]))
    methods: dict[str, Denoiser] = {
        "network": lambda recordings: denoise(trained, recordings, seed=seed),
        "noisy input": lambda recordings: recordings.signal_uv,
        "linear estimate": LinearDenoiser(training),
    }
    results = []
    for ratio in (*INPUT_SNRS_DB, None):
        noisy = _with_noise(chosen, ratio, rng)
        traces = {name: method(noisy) for name, method in methods.items()}
        results += _measure(traces, noisy, ratio)
    return results


def _with_noise(recordings: AbrRecordings, snr_db: float | None, rng: np.random.Generator) -> AbrRecordings:
    """Return the true responses with fresh noise at a ratio."""
    clean = recordings.clean_uv
    assert clean is not None
    if snr_db is None:
        return replace(recordings, signal_uv=clean, residual_noise_uv=np.zeros(len(clean), dtype=np.float32))
    noise_uv = clean.std(axis=1) * np.float32(10 ** (-snr_db / 20))
    noise = averaged_noise(len(clean), recordings.n_times, recordings.sample_rate_hz, rng)
    return replace(recordings, signal_uv=clean + noise_uv[:, None] * noise, residual_noise_uv=noise_uv)


def _measure(
    traces: dict[str, Traces], noisy: AbrRecordings, input_snr_db: float | None
) -> list[DenoisingResult]:
    return [
        DenoisingResult(
            input_snr_db=input_snr_db,
            name=measure.name,
            label=measure.label,
            unit=measure.unit,
            better=measure.better,
            scores=_scores({name: measure.of(x, noisy) for name, x in traces.items()}, noisy.patient_id),
        )
        for measure in MEASURES
        # Without noise there is nothing to gain.
        if input_snr_db is not None or measure.name != "snr_gain_db"
    ]


def _scores(values: dict[str, Floats], patients: NDArray[np.str_]) -> dict[str, Score]:
    found = {}
    for method, each in values.items():
        rows = np.isfinite(each)
        result = score(resampling.mean(each[rows], patients[rows]), patients[rows]) if rows.any() else None
        if result is not None:
            found[method] = result
    return found


def _rounded(noise_uv: Floats) -> Floats:
    """Return values on a logarithmic grid of 5 %, so that many share one."""
    step = np.log(1.05)
    safe = np.maximum(noise_uv, 1e-6)
    result: Floats = np.where(noise_uv > 0, np.exp(np.round(np.log(safe) / step) * step), 0.0)
    return result
