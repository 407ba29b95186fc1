"""Mumtaz2016 as EDF: resting and task recordings of healthy and depressed people at 256 Hz."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.core.errors import ConfigError
from neuroprism.eeg.simulate.edf_files import write_edf
from neuroprism.eeg.simulate.rhythms import simulate_eeg, subject_gain

RATE_HZ, DURATION_S = 256, 52
"""Real recordings last five minutes."""

NAMES = [
    *("Fp1", "F3", "C3", "P3", "O1", "F7", "T3", "T5", "Fz", "Fp2"),
    *("F4", "C4", "P4", "O2", "F8", "T4", "T6", "Cz", "Pz"),
]
LABELS = [
    *(f"EEG {name}-LE" for name in NAMES),
    *("EEG A2-A1", "EEG 23A-23R", "EEG 24A-24R"),
]
GROUPS = {"H": 30, "MDD": 34}
"""Prefix of the file names to the number of people."""


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write 'H SN EC.edf', 'MDD SN EC.edf' and so on for `n_subjects` in each of the two groups."""
    if n_subjects > min(GROUPS.values()):
        raise ConfigError(f"subjects: {n_subjects}; a group of Mumtaz2016 has at most {min(GROUPS.values())}")
    for rhythm, prefix in enumerate(GROUPS):
        for number in range(1, n_subjects + 1):
            rng = np.random.default_rng([seed, rhythm, number])
            gain = subject_gain(rng)
            for condition in ("EC", "EO", "TASK"):
                duration_s = 4 if condition == "TASK" else DURATION_S
                signal = simulate_eeg(
                    rng,
                    n_channels=len(LABELS),
                    n_times=duration_s * RATE_HZ,
                    sample_rate_hz=RATE_HZ,
                    rhythm=rhythm,
                    n_rhythms=2,
                    gain=gain,
                )
                write_edf(out / f"{prefix} S{number} {condition}.edf", signal, LABELS, RATE_HZ)
