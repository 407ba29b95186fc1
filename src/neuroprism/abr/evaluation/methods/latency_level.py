"""Where wave V is expected: its latency as a function of level, age and rate.

Latency falls exponentially with level (Neely, Norton, Gorga and Jesteadt 1988, JASA 83:652). It is longer in
infants, by an amount that dies away with age, and grows linearly with age in adults and with the rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.evaluation.methods.conditions import conditions, filled, known_medians
from neuroprism.abr.evaluation.methods.labels import latency_ms
from neuroprism.abr.evaluation.methods.least_absolute import least_absolute
from neuroprism.abr.recordings import AbrRecordings

Floats = NDArray[np.float64]

LEVEL_SCALES_DB = np.arange(15.0, 65.0, 5.0)
AGE_SCALES_YEARS = (0.3, 0.5, 0.8, 1.3, 2.0)

BIN_MS = 0.05
SMOOTHING_MS = 0.15
FLOOR = 1e-4
"""Share of an even density over the reach: no place within it is ruled out."""

BEYOND_REACH_PER_MS = 1e4


@dataclass(frozen=True, kw_only=True)
class LatencyLevel:
    """``c0 + c1 exp(-level / level_scale) + c2 exp(-age / age_scale) + c3 age + c4 rate``.

    Attributes
    ----------
    coefficients
        c0 to c4, in ms and ms per unit, (5,).
    level_scale_db, age_scale_years
        How fast latency falls with level and with age.
    medians
        Level, age and rate that stand where one is not known, (3,).
    reach_ms
        Distance from the curve within which nearly all training latencies lie.
    log_density
        Logarithm of the density of training latencies around the curve at `offset_ms`, (B,) each.
    """

    coefficients: Floats
    level_scale_db: float
    age_scale_years: float
    medians: Floats
    reach_ms: float
    offset_ms: Floats
    log_density: Floats

    @classmethod
    def fit(cls, training: AbrRecordings) -> LatencyLevel | None:
        """Fit to the smallest sum of absolute errors; None where no latency is marked."""
        label = latency_ms(training)
        if not label:
            return None
        known = conditions(training)[label.known]
        medians = known_medians(known)
        seen = filled(known, medians)
        scales = [(level, age) for level in LEVEL_SCALES_DB for age in AGE_SCALES_YEARS]
        level_scale, age_scale = min(scales, key=lambda pair: _misfit(_terms(seen, *pair), label.values))
        terms = _terms(seen, level_scale, age_scale)
        coefficients = least_absolute(terms, label.values)
        residual = label.values - terms @ coefficients
        reach_ms = float(np.clip(np.quantile(np.abs(residual), 0.998), 0.5, 4.0))
        offset_ms, log_density = _density(residual, reach_ms)
        return cls(
            coefficients=coefficients,
            level_scale_db=float(level_scale),
            age_scale_years=float(age_scale),
            medians=medians,
            reach_ms=reach_ms,
            offset_ms=offset_ms,
            log_density=log_density,
        )

    def expected_ms(self, recordings: AbrRecordings) -> Floats:
        """Return the latency that the conditions of each recording predict, (N,)."""
        seen = filled(conditions(recordings), self.medians)
        expected: Floats = _terms(seen, self.level_scale_db, self.age_scale_years) @ self.coefficients
        return expected

    def log_prior(self, distance_ms: Floats) -> Floats:
        """Return the logarithm of the density at distances from the curve, of any shape.

        Beyond reach it falls steeply but stays finite: where the window ends before, the nearest lag is left.
        """
        inside = np.interp(distance_ms, self.offset_ms, self.log_density)
        beyond_ms = np.maximum(np.abs(distance_ms) - self.reach_ms, 0.0)
        return inside - BEYOND_REACH_PER_MS * beyond_ms


def _terms(seen: Floats, level_scale_db: float, age_scale_years: float) -> Floats:
    level, age, rate = seen.T
    return np.column_stack(
        [np.ones_like(level), np.exp(-level / level_scale_db), np.exp(-age / age_scale_years), age, rate]
    )


def _misfit(terms: Floats, latency_ms: Floats) -> float:
    solution = np.linalg.lstsq(terms, latency_ms, rcond=None)[0]
    return float(((latency_ms - terms @ solution) ** 2).sum())


def _density(residual_ms: Floats, reach_ms: float) -> tuple[Floats, Floats]:
    """Return places and the logarithm of the smoothed histogram of the residuals there."""
    n_bins = int(np.ceil(reach_ms / BIN_MS))
    offset = np.arange(-n_bins, n_bins + 1) * BIN_MS
    edges = np.append(offset - BIN_MS / 2, offset[-1] + BIN_MS / 2)
    share = np.histogram(residual_ms, edges)[0] / len(residual_ms)
    kernel = np.exp(-0.5 * (np.arange(-60, 61) * BIN_MS / SMOOTHING_MS) ** 2)
    smooth = np.convolve(share, kernel / kernel.sum(), mode="full")[60:-60]
    log_density: Floats = np.log((1 - FLOOR) * smooth / BIN_MS + FLOOR / (2 * reach_ms))
    return offset.astype(np.float64), log_density
