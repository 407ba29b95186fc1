"""ISRUC as ``.rec`` files (EDF content) with the stages of expert 1 as text, at 200 Hz."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.core.files import replace_bytes
from neuroprism.eeg.simulate.edf_files import write_edf
from neuroprism.eeg.simulate.rhythms import simulate_timeline, subject_gain
from neuroprism.eeg.simulate.subjects import spread

RATE_HZ, EPOCH_S = 200, 30
N_EPOCHS = 62
"""Three sequences of 20 and a rest; a real night has some 900 epochs."""

EEG = ["F3-A2", "C3-A2", "O1-A2", "F4-A1", "C4-A1", "O2-A1"]
DIGITS = "01235"
"""What stands in the text for W, N1, N2, N3, REM."""


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``N/N.rec`` and ``N/N_1.txt``; every second subject has M1 and M2 in place of A1 and A2."""
    for k, number in enumerate(spread(n_subjects, range(1, 81), range(81, 91), range(91, 101))):
        rng = np.random.default_rng([seed, number])
        stages = _hypnogram(rng)
        names = ["LOC-A2", "ROC-A1", *EEG, "X1"]
        labels = [name.replace("-A", "-M") for name in names] if k % 2 else names
        signal = simulate_timeline(
            rng,
            n_channels=len(labels),
            n_times=N_EPOCHS * EPOCH_S * RATE_HZ,
            sample_rate_hz=RATE_HZ,
            timeline=[(e * EPOCH_S, (e + 1) * EPOCH_S, stage) for e, stage in enumerate(stages)],
            n_rhythms=len(DIGITS),
            gain=subject_gain(rng),
        )
        folder = out / str(number)
        write_edf(folder / f"{number}.rec", signal, labels, RATE_HZ)
        replace_bytes(folder / f"{number}_1.txt", "".join(f"{DIGITS[s]}\n" for s in stages).encode())


def _hypnogram(rng: np.random.Generator) -> list[int]:
    """Return the stage of each epoch: stretches of two to five epochs, all stages about equally often."""
    stages: list[int] = []
    while len(stages) < N_EPOCHS:
        for stage in rng.permutation(len(DIGITS)).tolist():
            stages += [stage] * int(rng.integers(2, 6))
    return stages[:N_EPOCHS]
