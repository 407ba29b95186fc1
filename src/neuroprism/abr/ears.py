"""Simulated patients, their ears and the level series recorded from each ear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import HEARING_CLASSES
from neuroprism.abr.physiology import FOUND_SHARE, MAX_LEVEL_DB, NORMAL_THRESHOLD_DB, Floats

Preset = Literal["clinical", "balanced"]

NORMAL, NEUROPATHY, SENSORINEURAL, TOTAL, CONDUCTIVE = range(len(HEARING_CLASSES))

# Shares of patients, in the order of HEARING_CLASSES; `clinical` as in 51,961 human ABRs of 2,038 patients,
# in which patients with a sensorineural or conductive loss have more recordings than others.
PREVALENCE: dict[Preset, tuple[float, ...]] = {
    "clinical": (0.806, 0.0095, 0.0885, 0.051, 0.045),
    "balanced": (0.2, 0.2, 0.2, 0.2, 0.2),
}

RATES_HZ = (33.1, 11.1, 21.1, 39.1, 49.1)
RATE_SHARES = (0.92, 0.01, 0.01, 0.04, 0.02)

# Share of neuropathic ears with any wave V. Starr 2001 found 21 % of 66 ears, clinical records
# hold a wave V in 27 % of recordings, which takes more ears.
NEUROPATHY_RESPONDS = 0.4

REPEATED = 0.25
"""Share of the levels of an ear that are recorded twice."""

INTERAURAL_SHARE = 0.13
"""Share of the variance between ears that lies between the two ears of one patient."""


@dataclass(frozen=True)
class Ears:
    """E ears; one threshold each, whatever the level.

    Attributes
    ----------
    patient
        Number of the patient, (E,).
    side
        0 left, 1 right, (E,).
    hearing_class, age_years, sex, rate_hz
        Of the patient, (E,).
    threshold_db_nhl
        Lowest level with a response on the 5 dB grid, `MAX_LEVEL_DB` where censored, (E,).
    censored
        No response up to `MAX_LEVEL_DB`, (E,).
    air_bone_gap_db
        Conductive part of the threshold, (E,).
    latency_shift_ms
        Lasting deviation of this ear's wave V from the norm, (E,).
    high_frequency_delay_ms
        Delay by a steep high-frequency loss, (E,).
    amplitude_factor
        Lasting deviation of this ear's amplitudes from the norm, (E,).
    wave_shift_ms, wave_found
        Deviation of each wave's interval to wave V, and whether the wave exists at all, (E, 7).
    """

    patient: NDArray[np.int64]
    side: NDArray[np.int64]
    hearing_class: NDArray[np.int64]
    age_years: Floats
    sex: NDArray[np.int64]
    rate_hz: Floats
    threshold_db_nhl: Floats
    censored: NDArray[np.bool_]
    air_bone_gap_db: Floats
    latency_shift_ms: Floats
    high_frequency_delay_ms: Floats
    amplitude_factor: Floats
    wave_shift_ms: Floats
    wave_found: NDArray[np.bool_]


def draw_ears(n_patients: int, preset: Preset, rng: np.random.Generator) -> Ears:
    """Draw patients with two ears each; both ears are of one class."""
    hearing_class = _draw_classes(n_patients, preset, rng)
    age, sex = _draw_ages(n_patients, rng), rng.integers(1, 3, n_patients)
    rate = rng.choice(RATES_HZ, size=n_patients, p=RATE_SHARES)
    patient = np.repeat(np.arange(n_patients), 2)
    n_ears = len(patient)
    label = hearing_class[patient]
    threshold, gap, censored = _draw_thresholds(label, rng)
    loss_at_4_khz = threshold + rng.uniform(0.0, 20.0, n_ears)
    steep = (label == SENSORINEURAL) & (rng.random(n_ears) < 0.5)
    # Delay of 0.1 ms per 10 dB of loss at 4 kHz above 50 dB, where the loss is steep.
    steep_delay = np.where(steep, 0.01 * np.maximum(loss_at_4_khz - 50.0, 0.0), 0.0)
    neural_delay = np.where(label == NEUROPATHY, rng.uniform(0.5, 1.5, n_ears), 0.0)
    wave_shift = _personal(patient, 7, rng) * np.array([0.20, 0.15, 0.15, 0.08, 0.0, 0.20, 0.25])
    found = rng.random((n_ears, 7)) < FOUND_SHARE
    # In neuropathy no wave precedes V.
    found[label == NEUROPATHY, :4] = False
    desynchronised = np.where(label == NEUROPATHY, rng.uniform(0.3, 0.6, n_ears), 1.0)
    # Amplitudes are Gaussian on a square-root scale; the coefficient of variation is 0.25.
    variation = np.clip(rng.normal(1.0, 0.125, n_ears), 0.5, None) ** 2
    return Ears(
        patient=patient,
        side=np.tile([0, 1], n_patients),
        hearing_class=label,
        age_years=age[patient],
        sex=sex[patient],
        rate_hz=rate[patient],
        threshold_db_nhl=threshold,
        censored=censored,
        air_bone_gap_db=gap,
        latency_shift_ms=0.20 * _personal(patient, 1, rng)[:, 0] + neural_delay,
        high_frequency_delay_ms=steep_delay,
        amplitude_factor=variation * desynchronised,
        wave_shift_ms=wave_shift,
        wave_found=found,
    )


def _personal(patient: NDArray[np.int64], n: int, rng: np.random.Generator) -> Floats:
    """Return deviations of unit SD, (E, n), that the two ears of a patient mostly share.

    With the SD of 0.2 ms of wave V its interaural difference stays within 0.2
    ms in 95 % of patients.
    """
    own = rng.standard_normal((len(patient), n))
    shared = rng.standard_normal((int(patient.max()) + 1, n))[patient]
    deviation: Floats = np.sqrt(1.0 - INTERAURAL_SHARE) * shared + np.sqrt(INTERAURAL_SHARE) * own
    return deviation


def draw_levels(ears: Ears, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """Return the ear and the level of every recording, as a clinic would test them.

    Each ear is tested from 20 dB above its threshold, at least 80 dB nHL, down
    in steps of 10 dB to 5-25 dB below the threshold; where there is a loss,
    steps of 5 dB narrow the threshold down. Far above the threshold levels are
    left out, and some levels are recorded twice.
    """
    n_ears = len(ears.patient)
    level = np.broadcast_to(np.arange(0.0, MAX_LEVEL_DB + 1.0, 5.0), (n_ears, 21))
    threshold = ears.threshold_db_nhl[:, None]
    near = ~ears.censored[:, None] & (threshold >= 30.0) & (np.abs(level - threshold) <= 15.0)
    on_ladder = level % 10.0 == rng.choice([0.0, 5.0], (n_ears, 1))
    top = np.clip(threshold + 20.0, 80.0, MAX_LEVEL_DB)
    # An ear that never responds is tested at the upper levels only.
    bottom = np.where(ears.censored, 50.0, ears.threshold_db_nhl - rng.uniform(5.0, 25.0, n_ears))
    tested = (on_ladder | near) & (level <= top) & (level >= bottom[:, None])
    tested &= (level < threshold + 30.0) | (rng.random(level.shape) < 0.5)
    times = tested * (1 + (rng.random(level.shape) < REPEATED))
    ear = np.repeat(np.arange(n_ears), times.sum(axis=1))
    return ear, np.repeat(level.ravel(), times.ravel())


def _draw_classes(n: int, preset: Preset, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw classes whose shares are as exact as `n` allows."""
    exact = n * np.array(PREVALENCE[preset])
    counts = np.floor(exact).astype(np.int64)
    lacking = np.argsort(counts - exact, kind="stable")[: n - counts.sum()]
    counts[lacking] += 1
    return rng.permutation(np.repeat(np.arange(len(counts)), counts))


def _draw_ages(n: int, rng: np.random.Generator) -> Floats:
    """Draw ages of a paediatric clinic: mostly infants, some children, few adults up to 75 years."""
    group = rng.choice(3, size=n, p=(0.68, 0.26, 0.06))
    infant = np.minimum(rng.exponential(0.35, n), 1.0)
    child = rng.uniform(1.0, 7.0, n)
    adult = np.minimum(8.0 + rng.exponential(19.0, n), 75.0)
    return np.choose(group, [infant, child, adult])


def _draw_thresholds(
    label: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return threshold, air-bone gap and censoring of each ear."""
    n = len(label)
    normal = np.clip(rng.normal(NORMAL_THRESHOLD_DB + 3.0, 5.0, n), 0.0, 20.0)
    gap = np.where(label == CONDUCTIVE, rng.uniform(20.0, 60.0, n), 0.0)
    threshold = np.select(
        [label == SENSORINEURAL, label == NEUROPATHY, label == TOTAL],
        [rng.uniform(30.0, 90.0, n), rng.uniform(70.0, 90.0, n), np.full(n, MAX_LEVEL_DB)],
        normal + gap,
    )
    silent = (label == NEUROPATHY) & (rng.random(n) >= NEUROPATHY_RESPONDS)
    censored = silent | (label == TOTAL)
    on_grid = np.round(threshold / 5.0) * 5.0
    return np.where(censored, MAX_LEVEL_DB, on_grid), gap, censored
