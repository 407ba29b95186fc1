"""MODMA as MATLAB files: resting EEG of depressed and healthy people, 129 rows at 250 Hz, in nanovolt."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.core.errors import ConfigError
from neuroprism.eeg.catalog.modma import N_ELECTRODES, RATE_NAME, UNITS_PER_UV
from neuroprism.eeg.simulate.mat_files import write_mat
from neuroprism.eeg.simulate.rhythms import simulate_eeg, subject_gain

RATE_HZ, DURATION_S = 250, 62
"""Real recordings last five minutes."""

GROUPS = {"0202": 29, "0201": 24}
"""First digits of healthy and of depressed people, and how many there are."""


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write '0201NNNNrest DATE TIME.mat' and so on for `n_subjects` in each of the two groups."""
    if n_subjects > min(GROUPS.values()):
        raise ConfigError(f"subjects: {n_subjects}; a group of MODMA has at most {min(GROUPS.values())}")
    folder = out / "EEG_128channels_resting_lanzhou_2015"
    for rhythm, prefix in enumerate(GROUPS):
        for number in range(1, n_subjects + 1):
            rng = np.random.default_rng([seed, rhythm, number])
            signal = simulate_eeg(
                rng,
                n_channels=N_ELECTRODES,
                n_times=DURATION_S * RATE_HZ,
                sample_rate_hz=RATE_HZ,
                rhythm=rhythm,
                n_rhythms=2,
                gain=subject_gain(rng),
            )
            # The last row is the reference itself.
            rows = np.concatenate([signal, np.zeros_like(signal[:1])]) * np.float32(UNITS_PER_UV)
            stem = f"{prefix}{number:04d}rest 20150416 1017"
            variables = {f"a{stem.replace(' ', '_')}mat": rows, RATE_NAME: np.array([[float(RATE_HZ)]])}
            write_mat(folder / f"{stem}..mat", variables)
