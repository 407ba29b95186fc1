"""How latency and amplitude of the ABR depend on level, rate, age, sex and hearing.

Normal latency-level and amplitude-level functions are fitted to the click
responses of Elberling, Callo and Don (2010, J Acoust Soc Am 128:215) at 20 to
60 dB nHL and to norms at high levels; outside 10 to 90 dB nHL they
extrapolate. All functions work elementwise on arrays. Levels are dB nHL,
times ms, amplitudes uV.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

REFERENCE_THRESHOLD_DB = 10.0
"""ABR threshold of the ear that the normal functions describe (Stapells 2000: 10 to 20 dB nHL)."""

I_V_INTERVAL_MS, III_V_INTERVAL_MS = 4.0, 2.0
I_II_INTERVAL_MS, IV_V_INTERVAL_MS = 1.1, 0.65
V_VI_INTERVAL_MS, V_VII_INTERVAL_MS = 1.7, 3.4
"""Adult interpeak intervals: I-V 3.92-4.03, III-V 1.98-2.02 (norms of 40 subjects); the others textbook."""

BETWEEN_EAR_V_SD_MS = 0.20
III_V_SD_MS, I_V_SD_MS = 0.15, 0.20
WITHIN_SESSION_SD_MS = 0.05
AMPLITUDE_CV = 0.25
"""Scatter: wave V between ears, intervals between ears, latency within a session, amplitude between ears."""

MATURATION_MS, MATURATION_MONTHS = 1.2, 8.0
INFANT_AMPLITUDE, INFANT_AMPLITUDE_YEARS = 0.5, 1.5
"""Wave V at birth has about half the adult amplitude (textbook) and grows over the first years (derived)."""

I_VISIBLE_ABOVE_DB, III_VISIBLE_ABOVE_DB = 25.0, 20.0
"""Sensation levels from which waves I and III are seen; V is seen down to threshold."""

FOUND_SHARE = np.array([0.97, 0.83, 0.97, 0.77, 1.0, 0.45, 0.45])
"""Share of normal ears with each wave I to VII (Bradley and Wilson 2004); V follows the threshold."""


def v_latency_ms(level_db: ArrayLike) -> Floats:
    """Latency of wave V of a normal adult ear at 10 clicks per second.

    5.19 + 4.45 exp(-L / 33.1) ms, fitted to Elberling, Callo and Don 2010
    (7.60, 6.59, 5.88 ms at 20, 40, 60 dB nHL).
    """
    return 5.19 + 4.45 * np.exp(-np.asarray(level_db, dtype=np.float64) / 33.1)


def v_amplitude_uv(level_db: ArrayLike) -> Floats:
    """Amplitude of wave V from peak to following trough; 0 at and below 0 dB.

    0.440 (1 - exp(-L / 22.7)) uV, fitted to Elberling, Callo and Don 2010
    (256, 368, 407 nV at 20, 40, 60 dB nHL).
    """
    level = np.maximum(np.asarray(level_db, dtype=np.float64), 0.0)
    return 0.440 * -np.expm1(-level / 22.7)


def rate_shift_ms(rate_hz: ArrayLike) -> Floats:
    """Delay of wave V by the stimulus rate: 0.5 ms from 10 to 100 per second (Don, Allen, Starr 1977)."""
    return 0.0056 * (np.asarray(rate_hz, dtype=np.float64) - 10.0)


def maturation_shift_ms(age_years: ArrayLike) -> Floats:
    """Delay of wave V before about two years: 1.2 exp(-months / 8) ms.

    Fitted to Chhajed 2021 (n = 420) and Camarillo 2024; wave I is adult-like
    at birth and wave V shortens until 18 months or later (Gorga 1989).
    """
    return MATURATION_MS * np.exp(-12.0 * np.asarray(age_years, dtype=np.float64) / MATURATION_MONTHS)


def ageing_shift_ms(age_years: ArrayLike) -> Floats:
    """Delay of wave V after 25 years: 0.2 ms in 30 years (Jerger and Hall 1980, n = 319)."""
    return 0.0067 * np.maximum(np.asarray(age_years, dtype=np.float64) - 25.0, 0.0)


def age_amplitude_factor(age_years: ArrayLike) -> Floats:
    """Amplitude relative to a young adult: half at birth, and -10% from 25 to 55 years (Jerger and Hall 1980)."""
    age = np.asarray(age_years, dtype=np.float64)
    growing = 1.0 - (1.0 - INFANT_AMPLITUDE) * np.exp(-age / INFANT_AMPLITUDE_YEARS)
    return growing * np.maximum(1.0 - 0.0033 * np.maximum(age - 25.0, 0.0), 0.5)


def sex_shift_ms(sex: ArrayLike) -> Floats:
    """Shift of wave V: women 0.2 ms earlier than men (Jerger and Hall 1980), centred on their mean.

    `sex` is 0 unknown, 1 female, 2 male. The normal functions describe mixed
    groups, therefore half of the difference goes to each side.
    """
    return np.array([0.0, -0.1, 0.1])[np.asarray(sex)]


def sex_amplitude_factor(sex: ArrayLike) -> Floats:
    """Amplitude relative to a mixed group: women 25% above men (Jerger and Hall 1980)."""
    return np.array([1.0, np.sqrt(1.25), 1.0 / np.sqrt(1.25)])[np.asarray(sex)]


def shifted_level_db(level_db: ArrayLike, threshold_db: ArrayLike, recovery_db: ArrayLike) -> Floats:
    """Level at which the reference ear responds as this ear does at `level_db`.

    The loss beyond the reference threshold is subtracted. In a conductive or
    merely less sensitive ear it stays at all levels (`recovery_db` infinite):
    latency and amplitude functions move in parallel (McGee and Clemis 1982).
    With recruitment it decays with the level above threshold, by 1/e each
    `recovery_db`, so that a sensorineural ear becomes normal a few dB above
    its threshold (Yamada 1979; Rosenhall 1981; Watson 1996).
    """
    level, threshold = np.asarray(level_db, np.float64), np.asarray(threshold_db, np.float64)
    above = np.maximum(level - threshold, 0.0)
    return level - (threshold - REFERENCE_THRESHOLD_DB) * np.exp(-above / np.asarray(recovery_db))


def i_amplitude_uv(level_db: ArrayLike) -> Floats:
    """Height of wave I of a normal ear; 0.31 uV at 80 dB, gone first when the level falls."""
    above = np.asarray(level_db, np.float64) - REFERENCE_THRESHOLD_DB
    return 0.36 * -np.expm1(-np.maximum(above - I_VISIBLE_ABOVE_DB + 8.0, 0.0) / 26.0)


def iii_amplitude_uv(level_db: ArrayLike) -> Floats:
    """Height of wave III of a normal ear; 0.36 uV at 80 dB (recordings: 0.40 uV where it is marked)."""
    above = np.asarray(level_db, np.float64) - REFERENCE_THRESHOLD_DB
    return 0.38 * -np.expm1(-np.maximum(above - III_VISIBLE_ABOVE_DB + 8.0, 0.0) / 20.0)


def steep_loss_delay_ms(loss_4khz_db: ArrayLike) -> Floats:
    """Delay of all waves by a steep high-frequency loss: 0.1 ms per 10 dB at 4 kHz beyond 50 dB (Watson 1996)."""
    return 0.01 * np.maximum(np.asarray(loss_4khz_db, np.float64) - 50.0, 0.0)
