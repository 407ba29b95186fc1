"""BCIC-IV-2a as MATLAB files: runs of cued trials at 250 Hz, after runs for EOG calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.eeg.catalog.bciciv_2a import N_COLUMNS, SPEC
from neuroprism.eeg.simulate.mat_files import cell, write_mat
from neuroprism.eeg.simulate.rhythms import simulate_timeline, subject_gain
from neuroprism.eeg.simulate.subjects import spread

RATE_HZ = 250
N_RUNS, N_TRIALS = 6, 4
"""Real runs have 48 trials."""

N_CALIBRATION = {"A04T": 1}
"""Runs without labels; files not named have three."""

LEAD_S, TRIAL_S, CALIBRATION_S = 1.0, 7.7, 8.0
CUE_S, CUE_END_S = 2.0, 6.0


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``A0NT.mat`` and ``A0NE.mat``."""
    for number in spread(n_subjects, range(1, 6), range(6, 8), range(8, 10)):
        gain = subject_gain(np.random.default_rng([seed, number]))
        for k, session in enumerate("TE"):
            rng = np.random.default_rng([seed, number, k])
            name = f"A{number:02d}{session}"
            calibration = [_run(rng, gain, np.array([], int)) for _ in range(N_CALIBRATION.get(name, 3))]
            runs = [_run(rng, gain, rng.permutation(N_TRIALS)) for _ in range(N_RUNS)]
            write_mat(out / f"{name}.mat", {"data": cell(*calibration, *runs)})


def _run(rng: np.random.Generator, gain: float, classes: np.ndarray[Any, Any]) -> dict[str, Any]:
    starts_s = LEAD_S + TRIAL_S * np.arange(len(classes))
    duration_s = LEAD_S + TRIAL_S * len(classes) if len(classes) else CALIBRATION_S
    signal = simulate_timeline(
        rng,
        n_channels=N_COLUMNS,
        n_times=round(duration_s * RATE_HZ),
        sample_rate_hz=RATE_HZ,
        timeline=[(s + CUE_S, s + CUE_END_S, int(c)) for s, c in zip(starts_s, classes, strict=True)],
        n_rhythms=len(SPEC.class_names),
        gain=gain,
    )
    return {
        "X": signal.T.astype(np.float64),
        "trial": np.rint(starts_s * RATE_HZ)[:, None] + 1,
        "y": (classes + 1.0)[:, None],
        "fs": float(RATE_HZ),
        "classes": cell(*SPEC.class_names),
    }
