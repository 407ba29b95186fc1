"""TUEV as EDF with ``.rec`` rows: events of one second, six types."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.core.files import replace_bytes
from neuroprism.eeg.simulate.edf_files import write_edf
from neuroprism.eeg.simulate.rhythms import simulate_timeline, subject_gain
from neuroprism.eeg.simulate.tuh import LABELS, RATE_HZ, letters

N_EVENTS, SPACING_S = 24, 5
N_CHANNELS = 22
"""Channels that the rows of the corpus number from 0."""


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``edf/train/SUBJECT/SUBJECT_00000001.edf`` and, for one of three, ``edf/eval/NNN/*.edf``."""
    n_test = max(1, n_subjects // 5)
    for number in range(n_subjects - n_test):
        name = letters(20 + number)
        _write_recording(out / "edf" / "train" / name / f"{name}_00000001", seed, number)
    for number in range(n_test):
        stem = f"bckg_{number:03d}_a_"
        _write_recording(out / "edf" / "eval" / f"{number:03d}" / stem, seed, 1000 + number)


def _write_recording(path: Path, seed: int, number: int) -> None:
    rng = np.random.default_rng([seed, number])
    labels = rng.permutation(np.arange(N_EVENTS) % 6)
    rows, timeline = [], []
    for k, label in enumerate(labels.tolist()):
        start_s = float(k * SPACING_S) + 0.5
        # The rhythm reaches into the context of the event, as a pattern of the EEG would.
        timeline.append((start_s - 2, start_s + 3, label))
        for channel in rng.choice(N_CHANNELS, size=rng.integers(1, 3), replace=False):
            rows.append(f"{channel},{start_s:.4f},{start_s + 1:.4f},{label + 1}\n")
    signal = simulate_timeline(
        rng,
        n_channels=len(LABELS),
        n_times=N_EVENTS * SPACING_S * RATE_HZ,
        sample_rate_hz=RATE_HZ,
        timeline=timeline,
        n_rhythms=6,
        gain=subject_gain(rng),
    )
    write_edf(path.with_suffix(".edf"), signal, LABELS, RATE_HZ)
    replace_bytes(path.with_suffix(".rec"), "".join(rows).encode())
