"""MentalArithmetic as EDF+: rest and task of each subject at 500 Hz."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.eeg.simulate.edf_files import write_edf
from neuroprism.eeg.simulate.rhythms import simulate_eeg, subject_gain
from neuroprism.eeg.simulate.subjects import spread

RATE_HZ = 500
DURATION_S = {1: 92, 2: 62}
"""Seconds of rest (a real one has 182) and of the task."""

NAMES = [
    *("Fp1", "Fp2", "F3", "F4", "F7", "F8", "T3", "T4", "C3", "C4"),
    *("T5", "T6", "P3", "P4", "O1", "O2", "Fz", "Cz", "Pz", "A2-A1"),
]


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``SubjectNN_1.edf`` and ``SubjectNN_2.edf``."""
    for number in spread(n_subjects, range(28), range(28, 32), range(32, 36)):
        rng = np.random.default_rng([seed, number])
        gain = subject_gain(rng)
        for session, duration_s in DURATION_S.items():
            signal = simulate_eeg(
                rng,
                n_channels=len(NAMES) + 1,
                n_times=duration_s * RATE_HZ,
                sample_rate_hz=RATE_HZ,
                rhythm=session - 1,
                n_rhythms=2,
                gain=gain,
            )
            write_edf(
                out / f"Subject{number:02d}_{session}.edf",
                signal,
                [*(f"EEG {name}" for name in NAMES), "ECG ECG"],
                RATE_HZ,
                events=[(0.0, float(duration_s), "[Total time]")],
            )
