"""SEED-VIG as MATLAB files at 200 Hz: signals, and one target for each 8 s."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuroprism.eeg.catalog.seed_vig import SIGNALS, SPEC, TARGETS
from neuroprism.eeg.simulate.mat_files import cell, write_mat
from neuroprism.eeg.simulate.rhythms import simulate_balance, subject_gain
from neuroprism.eeg.simulate.subjects import spread

RATE_HZ = 200
N_TARGETS = 40
"""Real recordings have 885, two hours."""

FILES = (
    *("10_20151125_noon", "11_20151024_night", "12_20150928_noon", "13_20150929_noon", "14_20151014_night"),
    *("15_20151126_night", "16_20151128_night", "17_20150925_noon", "18_20150926_noon", "19_20151114_noon"),
    *("1_20151124_noon_2", "20_20151129_night", "21_20151016_noon", "2_20151106_noon", "3_20151024_noon"),
    *("4_20151105_noon", "4_20151107_noon", "5_20141108_noon", "5_20151012_night"),
    *("6_20151121_noon", "7_20151015_night", "8_20151022_noon", "9_20151017_night"),
)
"""Names of the 23 recordings in the order of the split: 15 for training, 4 for validation, 4 for test."""

SUBJECTS = tuple(dict.fromkeys(name.split("_")[0] for name in FILES))


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``Raw_Data/*.mat`` and ``perclos_labels/*.mat``."""
    chosen = [SUBJECTS[k] for k in spread(n_subjects, range(15), range(15, 17), range(17, 21))]
    for k, name in enumerate(FILES):
        if name.split("_")[0] not in chosen:
            continue
        rng = np.random.default_rng([seed, k])
        perclos = _perclos(rng)
        seconds = np.arange(N_TARGETS) * float(SPEC.n_patches)
        spans = [
            (float(s), float(s + SPEC.n_patches), float(v)) for s, v in zip(seconds, perclos, strict=True)
        ]
        signal = simulate_balance(
            rng,
            n_channels=SPEC.n_channels,
            n_times=N_TARGETS * SPEC.n_times,
            sample_rate_hz=RATE_HZ,
            targets=spans,
            gain=subject_gain(rng),
        )
        eeg = {
            "data": signal.T.astype(np.float64),
            "chn": cell(*SPEC.channels),
            "sample_rate": float(RATE_HZ),
            "node_number": float(SPEC.n_channels),
        }
        write_mat(out / SIGNALS / f"{name}.mat", {"EEG": eeg})
        write_mat(out / TARGETS / f"{name}.mat", {"perclos": perclos[:, None]})


def _perclos(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return a slow course over [0, 1], with a little noise."""
    phase = 2 * np.pi * (np.arange(N_TARGETS) / N_TARGETS * rng.uniform(1.5, 2.5) + rng.uniform())
    course: npt.NDArray[np.float64] = 0.5 + 0.45 * np.sin(phase) + rng.normal(0, 0.03, N_TARGETS)
    return course.clip(0, 1)
