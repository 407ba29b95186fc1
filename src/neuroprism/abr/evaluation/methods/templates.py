"""Mean responses aligned at wave V, and where in a recording they fit best.

Templates and cross-correlation for auditory brainstem responses: Elberling 1979, Scandinavian Audiology
8:187. The correlation is weighted by the inverse of the noise correlation, which makes it the matched filter
in coloured noise. The fit at each lag is weighed with how often training latencies lie there, and all lags
count.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.conditions import conditions, filled
from neuroprism.abr.evaluation.methods.latency_level import LatencyLevel
from neuroprism.abr.evaluation.methods.noise_shape import after_artefact, noise_correlation
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core.errors import DataError

Floats = NDArray[np.float64]

BEFORE_MS, AFTER_MS = 1.0, 4.0
"""Usual length of a template before and after wave V: its own slopes and its trough.

Waves I to III are left out: their distance from wave V differs between ears, which blurs them in a mean.
"""

MAX_BANDS = 3
MIN_TRACES = 100
"""Traces behind the template of one band of levels; fewer are pooled with their neighbours."""

BLOCK = 4096
_TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class Matches:
    """How well the templates fit each of N recordings, and where.

    Attributes
    ----------
    correlation
        Noise-weighted correlation coefficient at the most plausible lag, from -1 to 1, (N,).
    evidence
        Logarithm of the likelihood of a response against none, over all lags, (N,).
    latency_ms, spread_ms
        Mean and SD of the lags, each weighed with its likelihood, (N,).
    best_ms
        The most plausible lag, (N,).
    amplitude
        Size that fits the template there best, from peak to trough, in the unit of the signals, (N,).
    """

    correlation: Floats
    evidence: Floats
    latency_ms: Floats
    spread_ms: Floats
    best_ms: Floats
    amplitude: Floats


@dataclass(frozen=True, kw_only=True)
class Templates:
    """Templates of B bands of levels.

    Attributes
    ----------
    expected
        Where wave V is looked for.
    edges_db
        Levels between the bands, (B - 1,).
    shapes
        (B, W), each from `before_ms` before wave V to `AFTER_MS` after it.
    whitener
        Factor L' of the inverse noise correlation L L', (T', T').
    time_ms
        Times of the samples on which the templates were made, (T,).
    """

    expected: LatencyLevel
    edges_db: Floats
    shapes: Floats
    whitener: Floats
    time_ms: Floats
    before_ms: float

    @classmethod
    def fit(
        cls, training: AbrRecordings, *, before_ms: float = BEFORE_MS, max_bands: int = MAX_BANDS
    ) -> Templates | None:
        """Average the training traces with a wave V; None where no latency is marked."""
        expected = LatencyLevel.fit(training)
        if expected is None:
            return None
        shown = training.select(training.latency_mask)
        level = filled(conditions(shown), expected.medians)[:, 0]
        n_bands = int(np.clip(len(shown) // MIN_TRACES, 1, max_bands))
        edges = np.quantile(level, np.arange(1, n_bands) / n_bands)
        edges = np.unique(edges[edges > level.min()])
        band = np.searchsorted(edges, level, side="right")
        shapes = [_aligned_mean(shown.select(band == k), before_ms) for k in range(len(edges) + 1)]
        lower = np.linalg.cholesky(noise_correlation(training))
        return cls(
            expected=expected,
            edges_db=edges,
            shapes=np.stack(shapes),
            whitener=np.linalg.inv(lower),
            time_ms=training.time_ms,
            before_ms=before_ms,
        )

    @property
    def sample_rate_hz(self) -> float:
        """Of the recordings that fit."""
        return 1000.0 / float(self.time_ms[1] - self.time_ms[0])

    def match(self, recordings: AbrRecordings) -> Matches:
        """Fit the template of each recording's band of levels.

        Raises
        ------
        DataError
            If the recordings have other sample times than the templates.
        """
        if recordings.n_times != len(self.time_ms) or not np.allclose(recordings.time_ms, self.time_ms):
            raise DataError(
                f"{recordings.n_times} samples from {recordings.time_ms[0]:g} ms do not fit templates of "
                f"{len(self.time_ms)} samples from {self.time_ms[0]:g} ms at {self.sample_rate_hz:g} Hz"
            )
        level = filled(conditions(recordings), self.expected.medians)[:, 0]
        band = np.searchsorted(self.edges_db, level, side="right")
        expected_ms = self.expected.expected_ms(recordings)
        found = np.full((len(fields(Matches)), len(recordings)), np.nan)
        for k in range(len(self.shapes)):
            rows = np.flatnonzero(band == k)
            for part in np.split(rows, np.arange(BLOCK, len(rows), BLOCK)):
                found[:, part] = self._match_band(k, recordings.signal_uv[part], expected_ms[part])
        return Matches(**{field.name: row for field, row in zip(fields(Matches), found, strict=True)})

    def _match_band(self, band: int, signal: NDArray[np.float32], expected_ms: Floats) -> Floats:
        """Return what `Matches` holds, in its order, for recordings of one band, (6, n)."""
        used = after_artefact(self.time_ms)
        lag_ms = self.time_ms[used]
        whitened = signal[:, used].astype(np.float64) @ self.whitener.T
        placed = self._placed(band)[:, used] @ self.whitener.T
        energy = np.maximum((placed**2).sum(axis=1), _TINY)
        total = np.maximum((whitened**2).sum(axis=1), _TINY)
        inner = whitened @ placed.T
        correlation = inner / np.sqrt(np.outer(total, energy))
        # Likelihood ratio of a response of any positive size in noise of any size.
        gain = -0.5 * whitened.shape[1] * np.log1p(-(np.clip(correlation, 0.0, 1.0 - 1e-9) ** 2))
        plausible = gain + self.expected.log_prior(lag_ms - expected_ms[:, None])
        best = plausible.argmax(axis=1)
        rows = np.arange(len(best))
        top = plausible[rows, best]
        weight = np.exp(plausible - top[:, None])
        sum_of_weights = weight.sum(axis=1)
        mean = weight @ lag_ms / sum_of_weights
        variance = (weight * (lag_ms - mean[:, None]) ** 2).sum(axis=1) / sum_of_weights
        shape, at_v = self.shapes[band], _samples(self.before_ms, self.time_ms)
        size = shape[at_v] - shape[at_v:].min()
        return np.stack(
            [
                correlation[rows, best],
                top + np.log(sum_of_weights),
                mean,
                np.sqrt(variance),
                lag_ms[best],
                inner[rows, best] / energy[best] * size,
            ]
        )

    def _placed(self, band: int) -> Floats:
        """Return the template with wave V at each sample that is looked at, (lags, T)."""
        lags = np.flatnonzero(after_artefact(self.time_ms))
        place = np.arange(len(self.time_ms))[None, :] - lags[:, None] + _samples(self.before_ms, self.time_ms)
        shape = self.shapes[band]
        inside = (place >= 0) & (place < len(shape))
        return np.where(inside, shape[np.clip(place, 0, len(shape) - 1)], 0.0)


def _samples(length_ms: float, time_ms: Floats) -> int:
    """Return the number of samples in a length of time."""
    return round(length_ms / float(time_ms[1] - time_ms[0]))


def _aligned_mean(shown: AbrRecordings, before_ms: float) -> Floats:
    """Return the mean trace around the marked wave V, (W,); 0 where no recording reaches."""
    time_ms = shown.time_ms
    step_ms = time_ms[1] - time_ms[0]
    offset = np.arange(-_samples(before_ms, time_ms), _samples(AFTER_MS, time_ms) + 1)
    place = (shown.v_latency_ms[:, None].astype(np.float64) - time_ms[0]) / step_ms + offset
    left = np.floor(place).astype(np.int64)
    inside = (left >= np.argmax(after_artefact(time_ms))) & (left < len(time_ms) - 1)
    left = np.clip(left, 0, len(time_ms) - 2)
    share = place - left
    rows = np.arange(len(shown))[:, None]
    value = (1.0 - share) * shown.signal_uv[rows, left] + share * shown.signal_uv[rows, left + 1]
    count = inside.sum(axis=0)
    mean: Floats = np.where(inside, value, 0.0).sum(axis=0) / np.maximum(count, 1)
    return mean
