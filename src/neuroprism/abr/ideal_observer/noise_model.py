"""The noise of an averaged recording as a Gaussian, and the likelihood of responses under it.

A recording is the mean of independent sub-averages with Gaussian noise, so its
noise is exactly Gaussian, whatever the variances of the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.noise import artefact_sd_uv, artefact_shape, unit_noise_covariance
from neuroprism.abr.physiology import WIDTH_MS, Floats

_SPAN_STEP_MS = 0.05
_SPAN_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Fit:
    """How responses fit one recording, each (P,).

    With the covariance S of noise and artefact, the trace y and a response x,
    the log likelihood ratio of "factor A times x" to "no response" is
    A b - A^2 c / 2, where b = x' S^-1 y and c = x' S^-1 x.
    """

    b: Floats
    c: Floats


@dataclass(frozen=True)
class Heard:
    """One recording, prepared for the comparison with many responses.

    Attributes
    ----------
    filtered
        S^-1 y, (T,).
    residual_noise_uv
        SD of its noise.
    artefact_gain
        How much less the direction of the artefact counts.
    """

    filtered: NDArray[np.float32]
    residual_noise_uv: float
    artefact_gain: float


class NoiseModel:
    """Noise and stimulus artefact of recordings of one window.

    Parameters
    ----------
    n_times, sample_rate_hz
        Of the recordings.
    """

    def __init__(self, n_times: int, sample_rate_hz: float) -> None:
        time_ms: Any = np.arange(n_times) * (1000.0 / sample_rate_hz)
        factor: Any = np.linalg.cholesky(unit_noise_covariance(n_times, sample_rate_hz))
        self._whitening: Floats = np.linalg.inv(factor)
        self._artefact: Floats = self._whitening @ artefact_shape(time_ms)
        # Every wave is a mixture of the narrowest Gaussians: few directions of the trace can hold a response.
        centre_ms = np.arange(-3.0, time_ms[-1] + 3.0, _SPAN_STEP_MS)
        narrow = np.exp(-0.5 * ((time_ms[:, None] - centre_ms) / WIDTH_MS.min()) ** 2)
        directions, size, _ = np.linalg.svd(self._whitening @ narrow, full_matrices=False)
        span = directions[:, size > _SPAN_TOLERANCE * size[0]]
        self._projection = (span.T @ self._whitening).T.astype(np.float32)
        self._artefact_in_span = (span.T @ self._artefact).astype(np.float32)

    def whitened(self, trace_uv: Floats, residual_noise_uv: float, level_db_nhl: float) -> Floats:
        """Return noise with artefact, (T,) or (N, T), as independent values of unit variance."""
        white = trace_uv @ self._whitening.T / residual_noise_uv
        size2 = float(self._artefact @ self._artefact)
        ratio = (artefact_sd_uv(level_db_nhl) / residual_noise_uv) ** 2
        shrink = (1.0 - 1.0 / np.sqrt(1.0 + ratio * size2)) / size2
        result: Floats = white - shrink * (white @ self._artefact)[..., None] * self._artefact
        return result

    def hear(self, signal_uv: NDArray[np.float32], residual_noise_uv: float, level_db_nhl: float) -> Heard:
        """Prepare one recording, (T,)."""
        white = self._whitening @ signal_uv.astype(np.float64)
        ratio = float(artefact_sd_uv(level_db_nhl) / residual_noise_uv) ** 2
        gain = ratio / (1.0 + ratio * float(self._artefact @ self._artefact))
        rest = white - gain * float(self._artefact @ white) * self._artefact
        filtered = (self._whitening.T @ rest / residual_noise_uv**2).astype(np.float32)
        return Heard(filtered, residual_noise_uv, gain)

    def fit(self, heard: Heard, response_uv: NDArray[np.float32]) -> Fit:
        """Compare responses without noise, (P, T), with one recording."""
        white = response_uv @ self._projection
        along = white @ self._artefact_in_span
        power = np.einsum("pr,pr->p", white, white) - heard.artefact_gain * along**2
        return Fit(
            b=(response_uv @ heard.filtered).astype(np.float64),
            c=power.astype(np.float64) / heard.residual_noise_uv**2,
        )
