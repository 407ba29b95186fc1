"""What the simulator makes of ears and recordings before the trace is seen.

Nothing is stated twice: shares and distributions are read off a large draw of
`draw_ears` and `draw_levels`. Every quantity of an ear is a function of
independent standard normal scores, so that samplers work on one plain space.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import HEARING_CLASSES, WAVE_V, WAVES
from neuroprism.abr.ears import PREVALENCE, Ears, Preset, draw_ears, draw_levels
from neuroprism.abr.physiology import MAX_LEVEL_DB, Floats
from neuroprism.abr.waves import SESSION_SD_MS

BANK_PATIENTS = 60_000
BANK_SEED = 20_260_101
GRID_DB = np.arange(0.0, MAX_LEVEL_DB + 1.0, 5.0)
"""Levels and thresholds of the simulator, (G,)."""

N_WAVES = len(WAVES)
# Which score is which.
THRESHOLD, DELAY, SEX, AGE = range(4)
SHIFT = slice(4, 4 + N_WAVES)
FOUND = slice(4 + N_WAVES, 4 + 2 * N_WAVES)
N_SCORES = 4 + 2 * N_WAVES
WAVE_SCORES = tuple(
    np.array([SHIFT.start + wave, FOUND.start + wave]) for wave in range(N_WAVES) if wave != WAVE_V
)
"""Scores of each wave but V: its interval to wave V, and whether it exists."""

_KNOTS = np.linspace(-4.0, 4.0, 321)
_CUMULATIVE = np.array([NormalDist().cdf(knot) for knot in _KNOTS])
_FACTOR_STRIDE = 3
_POOLED = 40_000


@dataclass(frozen=True)
class Known:
    """What is known of a recording beside its trace.

    Attributes
    ----------
    level_db_nhl, rate_hz
        Of the stimulus.
    age_years
        NaN where not known.
    """

    level_db_nhl: float
    rate_hz: float
    age_years: float


class Prior:
    """Classes, thresholds and ears behind a recording of which only the level is known.

    Parameters
    ----------
    preset
        Of the simulated set; states the shares of the classes.

    Attributes
    ----------
    responding
        Probability of (class, threshold) for ears that respond somewhere, given the level: axes level, class,
        threshold, (G, K, G). Which levels are recorded depends on the ear, so the level says much.
    silent
        The same for ears that never respond, (G, K). All in all 1 for each level.
    factors, log_share
        Amplitude factors that stand for their distribution in each class, (K, F), and the logarithm of the
        probability of each, (F,).
    """

    def __init__(self, preset: Preset) -> None:
        rng = np.random.default_rng(BANK_SEED)
        # Every class is drawn equally often; its share comes in by its weight.
        ears = draw_ears(BANK_PATIENTS, "balanced", rng)
        share = np.array(PREVALENCE[preset]) / np.bincount(ears.hearing_class, minlength=len(HEARING_CLASSES))
        self.responding, self.silent = _given_level(ears, share, rng)
        own = [ears.hearing_class == label for label in range(len(HEARING_CLASSES))]
        at = _CUMULATIVE[::_FACTOR_STRIDE]
        self.factors = np.array([np.quantile(ears.amplitude_factor[rows], at) for rows in own])
        density = np.exp(-0.5 * _KNOTS[::_FACTOR_STRIDE] ** 2)
        self.log_share: Floats = np.log(density / density.sum())
        self._delay_ms = _delays(ears, rng)
        self._age_years = np.quantile(ears.age_years, _CUMULATIVE)
        self._shift_ms = np.quantile(ears.wave_shift_ms, _CUMULATIVE, axis=0)
        self._found_below = _score_of(np.array([ears.wave_found[rows].mean(axis=0) for rows in own]))

    def responds(self, level_db_nhl: float) -> Floats:
        """Return the probability that an ear of each class responds in a recording at this level, (K,)."""
        level = grid_index(level_db_nhl)
        total: Floats = self.responding[level, :, : level + 1].sum(axis=1)
        return total

    def unheard(self, level_db_nhl: float) -> Floats:
        """Return the probability of each class without a response at this level, (K,)."""
        level = grid_index(level_db_nhl)
        total: Floats = self.silent[level] + self.responding[level, :, level + 1 :].sum(axis=1)
        return total

    def ears(self, scores: Floats, label: int, known: Known) -> Ears:
        """Return responding ears of one class with an amplitude factor of 1.

        Parameters
        ----------
        scores
            Independent standard normal values, (P, N_SCORES).
        label
            Hearing class.
        known
            Level, rate and age of the recording.

        Returns
        -------
        Ears
            P ears, of P patients. All that delays wave V by chance stands in `latency_shift_ms`, the scatter
            within a session included.
        """
        n, level = len(scores), grid_index(known.level_db_nhl)
        share = self.responding[level, label, : level + 1]
        steps = _score_of(np.cumsum(share) / share.sum())
        threshold = np.minimum(np.searchsorted(steps, scores[:, THRESHOLD]), level)
        age = np.full(n, known.age_years)
        if np.isnan(known.age_years):
            age = np.interp(scores[:, AGE], _KNOTS, self._age_years)
        shift = [
            np.interp(score, _KNOTS, knots)
            for score, knots in zip(scores[:, SHIFT].T, self._shift_ms.T, strict=True)
        ]
        nothing = np.zeros(n)
        return Ears(
            patient=np.arange(n),
            side=np.zeros(n, dtype=np.int64),
            hearing_class=np.full(n, label),
            age_years=age,
            sex=np.where(scores[:, SEX] < 0.0, 1, 2),
            rate_hz=np.full(n, known.rate_hz),
            threshold_db_nhl=GRID_DB[threshold],
            censored=np.zeros(n, dtype=np.bool_),
            air_bone_gap_db=nothing,
            latency_shift_ms=_interpolate(self._delay_ms[label], threshold, scores[:, DELAY]),
            high_frequency_delay_ms=nothing,
            amplitude_factor=np.ones(n),
            wave_shift_ms=np.stack(shift, axis=1),
            wave_found=scores[:, FOUND] < self._found_below[label],
        )


def grid_index(level_db_nhl: float) -> int:
    """Return the place of a level in `GRID_DB`."""
    return round(level_db_nhl / 5.0)


def _given_level(ears: Ears, share: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    ear, level_db = draw_levels(ears, rng)
    n_classes, n_grid = len(share), len(GRID_DB)
    level = np.round(level_db / 5.0).astype(np.int64)
    label, censored = ears.hearing_class[ear], ears.censored[ear]
    threshold = np.round(ears.threshold_db_nhl[ear] / 5.0).astype(np.int64)
    responding, silent = np.zeros((n_grid, n_classes, n_grid)), np.zeros((n_grid, n_classes))
    heard = ~censored
    np.add.at(responding, (level[heard], label[heard], threshold[heard]), share[label[heard]])
    np.add.at(silent, (level[censored], label[censored]), share[label[censored]])
    total = responding.sum(axis=(1, 2)) + silent.sum(axis=1)
    return responding / total[:, None, None], silent / total[:, None]


def _delays(ears: Ears, rng: np.random.Generator) -> Floats:
    """Return the delay of wave V by what is not known of an ear, at the knots, (K, G, knots).

    The lasting shift depends on the class, the steep loss on the threshold too;
    given both, the two are independent, as is the scatter within a session.
    """
    n_classes = len(HEARING_CLASSES)
    delay_ms = np.zeros((n_classes, len(GRID_DB), len(_KNOTS)))
    for label in range(n_classes):
        shift = rng.permutation(ears.latency_shift_ms[ears.hearing_class == label])[:_POOLED]
        shift = shift + rng.normal(0.0, SESSION_SD_MS, len(shift))
        for index, threshold in enumerate(GRID_DB):
            steep = ears.high_frequency_delay_ms[
                (ears.hearing_class == label) & (ears.threshold_db_nhl == threshold)
            ]
            more = rng.choice(steep, len(shift)) if len(steep) else 0.0
            delay_ms[label, index] = np.quantile(shift + more, _CUMULATIVE)
    return delay_ms


def _interpolate(table: Floats, row: NDArray[np.int64], score: Floats) -> Floats:
    """Interpolate in the rows of a table at `_KNOTS`, (P,)."""
    place = np.clip((score - _KNOTS[0]) / (_KNOTS[1] - _KNOTS[0]), 0.0, len(_KNOTS) - 1.000001)
    left = place.astype(np.int64)
    part = place - left
    value: Floats = table[row, left] * (1.0 - part) + table[row, left + 1] * part
    return value


def _score_of(probability: Floats) -> Floats:
    """Return the standard normal score below which a share of all lies; infinite at 0 and 1."""
    normal = NormalDist()
    scores = [
        normal.inv_cdf(p) if 0.0 < p < 1.0 - 1e-12 else (-np.inf if p <= 0.0 else np.inf)
        for p in probability.flat
    ]
    return np.array(scores).reshape(probability.shape)
