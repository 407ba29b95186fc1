"""SHU-MI as MATLAB files: trials of 4 s at 250 Hz, five days of each subject."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.eeg.simulate.mat_files import write_mat
from neuroprism.eeg.simulate.rhythms import simulate_eeg, subject_gain
from neuroprism.eeg.simulate.subjects import spread

RATE_HZ, TRIAL_S, N_CHANNELS, N_DAYS = 250, 4, 32, 5
N_TRIALS = 10
"""Trials of a day (a real one has about 100)."""


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``sub-NNN_ses-NN_task_motorimagery_eeg.mat``."""
    for number in spread(n_subjects, range(1, 16), range(16, 21), range(21, 26)):
        rng = np.random.default_rng([seed, number])
        gain = subject_gain(rng)
        for day in range(1, N_DAYS + 1):
            hands = rng.permutation(np.arange(N_TRIALS) % 2)
            trials = [
                simulate_eeg(
                    rng,
                    n_channels=N_CHANNELS,
                    n_times=TRIAL_S * RATE_HZ,
                    sample_rate_hz=RATE_HZ,
                    rhythm=int(hand),
                    n_rhythms=2,
                    gain=gain,
                )
                for hand in hands
            ]
            variables = {"data": np.stack(trials).astype(np.float64), "labels": (hands + 1.0)[None]}
            write_mat(out / f"sub-{number:03d}_ses-{day:02d}_task_motorimagery_eeg.mat", variables)
