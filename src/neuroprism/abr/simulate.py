"""Simulated ABR recordings with known truth.

Patients and ears (`ears`), the waves of each recording (`waves`), noise-free
traces (`traces`) and sub-averages with noise (`noise`) follow published
physiology; nothing is derived from the labels. Fmp is measured.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from neuroprism.abr.columns import WAVE_V
from neuroprism.abr.ears import CONDUCTIVE, NEUROPATHY, NORMAL, Ears, Preset, draw_ears, draw_levels
from neuroprism.abr.noise import (
    ARTEFACT_SD_UV,
    artefact_growth,
    artefact_shape,
    block_sd_uv,
    fmp,
    noise_blocks,
)
from neuroprism.abr.physiology import Floats
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.traces import MEASURED_MS, clean_traces, measure_wave_v
from neuroprism.abr.waves import Waves, draw_waves
from neuroprism.core.section import Section

SIMULATOR_VERSION = 3
"""Raised when equal configurations begin to give other sets, so that cached sets are not reused."""

SAMPLE_RATE_HZ = 20_000.0
WINDOWS_MS = (10.0, 12.8, 15.0)
SWEEPS = (1000, 1500, 2000, 3000, 4000)
SWEEP_NOISE_UV = 2.5
"""Median SD of the noise in one sweep after 100-3000 Hz; published values lie between 1 and 5."""
SWEEP_NOISE_SPREAD = 0.45
UNKNOWN_AGE_SHARE = 0.03
_CHUNK = 1024


class SimulationConfig(Section):
    """A set of simulated recordings."""

    n_patients: int = Field(default=400, ge=1, le=100_000)
    """Patients; each has two ears and about 16 recordings."""

    preset: Preset = "balanced"
    """`clinical`: classes as in a clinic (80 % normal); `balanced`: equally many patients of each class."""

    window_ms: float = 12.8
    """Length of a recording at 20 kHz: 200, 256 or 300 samples. Wave V of infants may lie behind 10 ms."""

    polarity: Literal["alternating", "separate"] = "alternating"
    """`alternating` cancels the cochlear microphonic; `separate` keeps it, with the sign of the click."""

    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of everything that is drawn."""

    @field_validator("window_ms")
    @classmethod
    def _usual(cls, window_ms: float) -> float:
        if window_ms not in WINDOWS_MS:
            raise ValueError(f"window_ms must be one of {', '.join(map(str, WINDOWS_MS))}, not {window_ms:g}")
        return window_ms

    @property
    def n_times(self) -> int:
        """Samples of a recording."""
        return round(self.window_ms * SAMPLE_RATE_HZ / 1000.0)


def simulate(config: SimulationConfig) -> AbrRecordings:
    """Return a set of simulated recordings; equal configurations give equal sets."""
    who, what, how = (np.random.default_rng(seed) for seed in np.random.SeedSequence(config.seed).spawn(3))
    ears = draw_ears(config.n_patients, config.preset, who)
    ear, level = draw_levels(ears, who)
    waves = draw_waves(ears, ear, level, what)
    polarity = _draw_polarity(len(ear), config, what)
    n_sweeps = what.choice(SWEEPS, len(ear))
    sweep_noise = SWEEP_NOISE_UV * what.lognormal(0.0, SWEEP_NOISE_SPREAD, len(ear))
    residual = sweep_noise / np.sqrt(n_sweeps)
    microphonic = _microphonic_uv(ears, ear, level, polarity, what)
    signal, clean, latency, amplitude, ratio = _record(config, waves, level, residual, microphonic, how)
    unknown_age = what.random(config.n_patients) < UNKNOWN_AGE_SHARE
    latency_ms = waves.latency_ms.copy()
    latency_ms[:, WAVE_V] = np.where(waves.present[:, WAVE_V], latency, np.nan)
    height_uv = np.where(waves.present, waves.height_uv, np.nan)
    height_uv[:, WAVE_V] = np.where(waves.present[:, WAVE_V], amplitude, np.nan)
    patient = ears.patient[ear]
    return AbrRecordings(
        signal_uv=signal,
        clean_uv=clean,
        level_db_nhl=level.astype(np.float32),
        rate_hz=ears.rate_hz[ear].astype(np.float32),
        age_years=np.where(unknown_age[patient], np.nan, ears.age_years[ear]).astype(np.float32),
        fmp=ratio.astype(np.float32),
        residual_noise_uv=residual.astype(np.float32),
        n_sweeps=n_sweeps.astype(np.int32),
        sex=ears.sex[ear].astype(np.int8),
        polarity=polarity,
        patient_id=np.array([f"sim{config.seed}:{n:05d}" for n in range(config.n_patients)])[patient],
        ear=np.array(["L", "R"])[ears.side[ear]],
        wave_latency_ms=latency_ms.astype(np.float32),
        wave_amplitude_uv=height_uv.astype(np.float32),
        v_marked=np.ones(len(ear), dtype=np.bool_),
        v_present=waves.present[:, WAVE_V],
        hearing_class=ears.hearing_class[ear],
        threshold_db_nhl=ears.threshold_db_nhl[ear].astype(np.float32),
        threshold_censored=ears.censored[ear],
        air_bone_gap_db=ears.air_bone_gap_db[ear].astype(np.float32),
        sample_rate_hz=SAMPLE_RATE_HZ,
        window_ms=float(config.window_ms),
        threshold_provenance="simulated",
        provenance={
            "source": "neuroprism simulate abr",
            "simulator_version": SIMULATOR_VERSION,
            **config.model_dump(),
        },
    ).validate()


def _record(
    config: SimulationConfig,
    waves: Waves,
    level: Floats,
    residual: Floats,
    microphonic: Floats,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32], Floats, Floats, Floats]:
    """Return recorded and clean traces, measured latency and amplitude of wave V, and Fmp."""
    n, n_times = len(level), config.n_times
    long_ms = np.arange(round(MEASURED_MS * SAMPLE_RATE_HZ / 1000.0), dtype=np.float64)
    long_ms *= 1000.0 / SAMPLE_RATE_HZ
    time_ms = long_ms[:n_times]
    signal = np.empty((n, n_times), dtype=np.float32)
    clean = np.empty((n, n_times), dtype=np.float32)
    latency, amplitude, ratio = np.empty(n), np.empty(n), np.empty(n)
    cochlea = np.sin(2 * np.pi * (time_ms - 0.3)) * np.exp(-(time_ms - 0.3) / 1.2) * (time_ms > 0.3)
    artefact = artefact_shape(time_ms)
    artefact_uv = rng.normal(0.0, ARTEFACT_SD_UV, n) * artefact_growth(level)
    for start in range(0, n, _CHUNK):
        rows = slice(start, min(start + _CHUNK, n))
        chunk = Waves(*(getattr(waves, name)[rows] for name in Waves.__dataclass_fields__))
        trace = clean_traces(chunk, long_ms)
        expected = np.nan_to_num(chunk.latency_ms[:, WAVE_V], nan=6.0)
        latency[rows], amplitude[rows] = measure_wave_v(trace, long_ms, expected)
        clean[rows] = trace[:, :n_times] + np.outer(microphonic[rows], cochlea)
        sd = block_sd_uv(residual[rows], rng).astype(np.float32)
        blocks = noise_blocks(len(trace), n_times, SAMPLE_RATE_HZ, rng) * sd[:, :, None]
        blocks += (clean[rows] + np.outer(artefact_uv[rows], artefact).astype(np.float32))[:, None, :]
        signal[rows] = blocks.mean(axis=1)
        ratio[rows] = fmp(blocks, time_ms)
    return signal, clean, latency, amplitude, ratio


def _draw_polarity(n: int, config: SimulationConfig, rng: np.random.Generator) -> NDArray[np.str_]:
    if config.polarity == "alternating":
        return np.full(n, "alternating")
    return np.array(["rarefaction", "condensation"])[rng.integers(0, 2, n)]


def _microphonic_uv(
    ears: Ears, ear: NDArray[np.int64], level: Floats, polarity: NDArray[np.str_], rng: np.random.Generator
) -> Floats:
    """Return the amplitude of the cochlear microphonic, (n,); its sign follows the polarity.

    Outer hair cells work in normal and conductive ears and in 60 % of ears with
    neuropathy (Starr 2001); alternating clicks cancel it.
    """
    label = ears.hearing_class
    works = np.isin(label, (NORMAL, CONDUCTIVE)) | ((label == NEUROPATHY) & (rng.random(len(label)) < 0.6))
    reaches: Any = level - ears.air_bone_gap_db[ear]
    size = 0.2 * 10.0 ** ((reaches - 80.0) / 40.0) * works[ear]
    sign = np.select([polarity == "rarefaction", polarity == "condensation"], [1.0, -1.0], 0.0)
    amplitude: Floats = size * sign
    return amplitude
