"""TUAB as EDF: normal and abnormal recordings in the folders of the corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.eeg.simulate.edf_files import write_edf
from neuroprism.eeg.simulate.rhythms import simulate_eeg, subject_gain
from neuroprism.eeg.simulate.tuh import LABELS, RATE_HZ, letters

DURATION_S = 84
"""Real recordings last 15 minutes or more."""


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write `n_subjects` of each diagnosis, a fifth of them (at least one) in the evaluation part."""
    n_test = max(1, n_subjects // 5)
    for rhythm, group in enumerate(("normal", "abnormal")):
        for number in range(n_subjects):
            part = "eval" if number >= n_subjects - n_test else "train"
            rng = np.random.default_rng([seed, rhythm, number])
            signal = simulate_eeg(
                rng,
                n_channels=len(LABELS),
                n_times=DURATION_S * RATE_HZ,
                sample_rate_hz=RATE_HZ,
                rhythm=rhythm,
                n_rhythms=2,
                gain=subject_gain(rng),
            )
            name = f"{letters(40 + 2 * number + rhythm)}_s001_t000.edf"
            write_edf(out / "edf" / part / group / "01_tcp_ar" / name, signal, LABELS, RATE_HZ)
