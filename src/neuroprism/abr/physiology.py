"""Normal values of the auditory brainstem response as formulas.

Levels are in dB nHL, times in ms, amplitudes in uV. The level functions of wave
V are fitted to Elberling, Callo and Don 2010 (JASA 128:215) between 20 and 60
dB nHL and anchored above on monaural norms (I 1.66, III 3.65-3.68, V 5.59-5.64 ms);
values below 20 dB are extrapolated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NORMAL_THRESHOLD_DB = 10.0
"""Threshold of an average normal ear; the level functions hold for it."""

MAX_LEVEL_DB = 100.0
"""Highest level of the protocol; ears that do not respond there have a censored threshold."""

# Wave V minus the wave, adults: interpeak intervals III-V 1.98-2.02 and I-V 3.92-4.03 ms
# (monaural norms); II, IV, VI and VII from their usual places at 80 dB nHL.
BEFORE_V_MS = np.array([4.0, 2.9, 2.0, 0.65, 0.0, -1.7, -3.4])

# How much of a change in the brainstem each wave shares: delays by immaturity, rate and sex, and the small
# waves of infants. Wave I comes from the cochlear nerve, which is mature at birth (Gorga 1989).
BRAINSTEM_SHARE = np.array([0.0, 0.2, 0.6, 0.9, 1.0, 1.0, 1.0])

# Height over the amplitude of wave V at high levels: I 0.31, V 0.36-0.41 uV; others by inspection.
HEIGHT_RATIO = np.array([0.75, 0.30, 0.62, 0.35, 1.0, 0.20, 0.15])

# Sensation level at which each wave appears: I 25-30 dB, III 20 dB, V 0 dB above threshold.
APPEARS_AT_DB = np.array([27.5, 35.0, 20.0, 35.0, 0.0, 40.0, 45.0])

# Share of normal ears in which each wave is found at 90 dB nHL (Bradley and Wilson 2004).
FOUND_SHARE = np.array([0.97, 0.83, 0.97, 0.77, 1.0, 0.55, 0.45])

# Width (SD of a Gaussian) of each wave at high level.
WIDTH_MS = np.array([0.20, 0.20, 0.23, 0.22, 0.33, 0.35, 0.40])

# Wave V at birth has about half the adult amplitude (textbook), which it reaches over the first years.
INFANT_AMPLITUDE, INFANT_AMPLITUDE_YEARS = 0.5, 1.5


def v_latency_ms(level_db_nhl: Any) -> Floats:
    """Return the latency of wave V of an adult normal ear at 10 stimuli per second."""
    level = np.asarray(level_db_nhl, dtype=np.float64)
    return 5.19 + 4.45 * np.exp(-level / 33.1)


def v_amplitude_uv(level_db_nhl: Any) -> Floats:
    """Return the amplitude of wave V from peak to following trough; 0 at and below 0 dB nHL."""
    level = np.maximum(np.asarray(level_db_nhl, dtype=np.float64), 0.0)
    return 0.440 * (1.0 - np.exp(-level / 22.7))


def rate_shift_ms(rate_hz: Any) -> Floats:
    """Return how much later wave V comes: 0.5 ms from 10 to 100 per second (Don, Allen and Starr 1977)."""
    return 0.0056 * np.maximum(np.asarray(rate_hz, dtype=np.float64) - 10.0, 0.0)


def immaturity_ms(age_years: Any) -> Floats:
    """Return how much later wave V comes in infants; it shortens until 18-24 months (Gorga 1989)."""
    return 1.2 * np.exp(-np.asarray(age_years, dtype=np.float64) * 12.0 / 8.0)


def ageing_ms(age_years: Any) -> Floats:
    """Return how much later wave V comes in adults: 0.2 ms from 25 to 55 years (Jerger and Hall 1980)."""
    return 0.0067 * np.maximum(np.asarray(age_years, dtype=np.float64) - 25.0, 0.0)


def growth_factor(age_years: Any) -> Floats:
    """Return the factor on the amplitude of wave V in children: half at birth, 1 in adults."""
    age = np.asarray(age_years, dtype=np.float64)
    return 1.0 - (1.0 - INFANT_AMPLITUDE) * np.exp(-age / INFANT_AMPLITUDE_YEARS)


def ageing_factor(age_years: Any) -> Floats:
    """Return the factor on amplitudes in adults: -10 % from 25 to 55 years (Jerger and Hall 1980)."""
    return np.maximum(1.0 - 0.0033 * np.maximum(np.asarray(age_years, dtype=np.float64) - 25.0, 0.0), 0.5)


def sex_shift_ms(sex: Any) -> Floats:
    """Return the shift of wave V: women 0.2 ms before men (Jerger and Hall 1980), around their mean."""
    return np.select([np.equal(sex, 1), np.equal(sex, 2)], [-0.1, 0.1], 0.0)


def sex_factor(sex: Any) -> Floats:
    """Return the factor on amplitudes: women 25 % above men (Jerger and Hall 1980), around their mean."""
    return np.select([np.equal(sex, 1), np.equal(sex, 2)], [np.sqrt(1.25), 1.0 / np.sqrt(1.25)], 1.0)


def widening(sensation_level_db: Any) -> Floats:
    """Return the factor on the width of waves: 1 far above threshold, 1.5 at threshold."""
    return 1.0 + 0.5 * np.exp(-np.maximum(np.asarray(sensation_level_db, dtype=np.float64), 0.0) / 20.0)
