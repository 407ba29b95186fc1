"""Latency and height of the seven waves in every simulated recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr import physiology
from neuroprism.abr.columns import WAVE_V
from neuroprism.abr.ears import CONDUCTIVE, NORMAL, SENSORINEURAL, Ears
from neuroprism.abr.physiology import Floats

SESSION_SD_MS = 0.05


@dataclass(frozen=True)
class Waves:
    """Waves I to VII of N recordings; latency and height are NaN and 0 where a wave is absent.

    Attributes
    ----------
    latency_ms, height_uv
        Place and height of each wave, (N, 7). The height of wave V is meant
        from its peak to the following trough.
    width_ms
        SD of the Gaussian of each wave, (N, 7).
    present
        (N, 7).
    """

    latency_ms: Floats
    height_uv: Floats
    width_ms: Floats
    present: NDArray[np.bool_]


def draw_waves(ears: Ears, ear: NDArray[np.int64], level_db_nhl: Floats, rng: np.random.Generator) -> Waves:
    """Return the waves of each recording from its ear and level.

    Parameters
    ----------
    ears
        All ears.
    ear, level_db_nhl
        Ear and level of each recording, (N,).
    rng
        Source of the scatter within a session.
    """
    return waves_of(ears, ear, level_db_nhl, rng.normal(0.0, SESSION_SD_MS, len(ear)))


def waves_of(ears: Ears, ear: NDArray[np.int64], level_db_nhl: Floats, session_ms: Floats) -> Waves:
    """Return the waves of each recording from its ear, its level and its scatter; nothing is drawn.

    Parameters
    ----------
    ears
        All ears.
    ear, level_db_nhl
        Ear and level of each recording, (N,).
    session_ms
        Deviation of wave V within the session, (N,).
    """
    above_db = level_db_nhl - ears.threshold_db_nhl[ear]
    heard = (above_db >= 0) & ~ears.censored[ear]
    latency_v = _v_latency_ms(ears, ear, level_db_nhl, session_ms)
    brainstem = _brainstem_delay_ms(ears, ear)
    unshared = brainstem[:, None] * (1.0 - physiology.BRAINSTEM_SHARE)
    latency = latency_v[:, None] - physiology.BEFORE_V_MS - unshared + ears.wave_shift_ms[ear]
    present = heard[:, None] & ears.wave_found[ear] & (above_db[:, None] >= physiology.APPEARS_AT_DB)
    present[:, WAVE_V] = heard
    height = _height_uv(ears, ear, level_db_nhl, above_db)
    width = physiology.WIDTH_MS * physiology.widening(above_db)[:, None]
    return Waves(
        latency_ms=np.where(present, latency, np.nan),
        height_uv=np.where(present, height, 0.0),
        width_ms=width,
        present=present,
    )


def effective_level_db(ears: Ears, ear: NDArray[np.int64], level_db_nhl: Floats) -> Floats:
    """Return the level at which an average normal ear would respond with the same latency.

    A conductive loss shifts the level by the whole loss (McGee and Clemis
    1982), in parallel at every level. A sensorineural loss shifts it at
    threshold by half of the loss, and the shift is gone about 10 dB above:
    recruitment (Rosenhall 1981).
    """
    loss = ears.threshold_db_nhl[ear] - physiology.NORMAL_THRESHOLD_DB
    label = ears.hearing_class[ear]
    above = np.maximum(level_db_nhl - ears.threshold_db_nhl[ear], 0.0)
    recruited = 0.5 * loss * np.exp(-above / 5.0)
    parallel = (label == CONDUCTIVE) | (label == NORMAL)
    shift = np.where(parallel, loss, np.where(label == SENSORINEURAL, recruited, 0.0))
    return level_db_nhl - shift


def _v_latency_ms(ears: Ears, ear: NDArray[np.int64], level_db_nhl: Floats, session_ms: Floats) -> Floats:
    return (
        physiology.v_latency_ms(effective_level_db(ears, ear, level_db_nhl))
        + _brainstem_delay_ms(ears, ear)
        + physiology.ageing_ms(ears.age_years[ear])
        + ears.latency_shift_ms[ear]
        + ears.high_frequency_delay_ms[ear]
        + session_ms
    )


def _brainstem_delay_ms(ears: Ears, ear: NDArray[np.int64]) -> Floats:
    """Return what lengthens the way from wave I to wave V: rate, immaturity and sex, (N,)."""
    return (
        physiology.rate_shift_ms(ears.rate_hz[ear])
        + physiology.immaturity_ms(ears.age_years[ear])
        + physiology.sex_shift_ms(ears.sex[ear])
    )


def _height_uv(ears: Ears, ear: NDArray[np.int64], level_db_nhl: Floats, above_db: Floats) -> Floats:
    label = ears.hearing_class[ear]
    age = ears.age_years[ear]
    parallel = (label == CONDUCTIVE) | (label == NORMAL)
    shifted = physiology.v_amplitude_uv(above_db + physiology.NORMAL_THRESHOLD_DB)
    # Recruitment: at most the normal amplitude, reached within 20 to 30 dB above threshold.
    recruited = physiology.v_amplitude_uv(level_db_nhl) * (1.0 - np.exp(-(above_db + 5.0) / 12.0))
    amplitude = (
        np.where(parallel, shifted, recruited)
        * ears.amplitude_factor[ear]
        * physiology.ageing_factor(age)
        * physiology.sex_factor(ears.sex[ear])
    )
    immature = 1.0 - physiology.BRAINSTEM_SHARE * (1.0 - physiology.growth_factor(age)[:, None])
    # A wave grows from zero where it appears; wave I falls fastest with level.
    growth = 1.0 - np.exp(-(above_db[:, None] - physiology.APPEARS_AT_DB + 5.0) / 20.0)
    growth[:, WAVE_V] = 1.0
    height: Floats = np.maximum(amplitude[:, None] * immature * physiology.HEIGHT_RATIO * growth, 0.0)
    return height
