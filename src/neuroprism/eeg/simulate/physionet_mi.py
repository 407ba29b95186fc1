"""PhysioNet-MI as EDF+: six imagery runs of each subject at 160 Hz, cues as annotations."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.eeg.catalog.physionet_mi import SPEC
from neuroprism.eeg.simulate.edf_files import write_edf
from neuroprism.eeg.simulate.rhythms import simulate_timeline, subject_gain
from neuroprism.eeg.simulate.subjects import spread

RATE_HZ = 160
RUNS = {4: 0, 6: 2, 8: 0, 10: 2, 12: 0, 14: 2}
"""Run to the class of its T1; T2 is the next class."""

N_TRIALS = 6
"""Cued trials of a run (a real one has 15)."""

REST_S, CUE_S = 2.1, 4.1

LABELS = [name.capitalize().ljust(4, ".") for name in SPEC.channels]
"""As in the files: ``"Fc5."``, ``"Cz.."``."""


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``SXXX/SXXXRYY.edf``."""
    for number in spread(n_subjects, range(1, 71), range(71, 90), range(90, 110)):
        rng = np.random.default_rng([seed, number])
        gain = subject_gain(rng)
        for run, first_class in RUNS.items():
            _write_run(out / f"S{number:03d}" / f"S{number:03d}R{run:02d}.edf", rng, first_class, gain)


def _write_run(path: Path, rng: np.random.Generator, first_class: int, gain: float) -> None:
    duration_s = int(np.ceil(N_TRIALS * (REST_S + CUE_S))) + 1
    events, timeline = [], []
    for trial, second in enumerate(rng.permutation([0, 1] * (N_TRIALS // 2))):
        rest_s = trial * (REST_S + CUE_S)
        cue_s = rest_s + REST_S
        events += [(round(rest_s, 4), REST_S, "T0"), (round(cue_s, 4), CUE_S, f"T{1 + second}")]
        timeline.append((cue_s, cue_s + CUE_S, first_class + int(second)))
    signal = simulate_timeline(
        rng,
        n_channels=len(LABELS),
        n_times=duration_s * RATE_HZ,
        sample_rate_hz=RATE_HZ,
        timeline=timeline,
        n_rhythms=4,
        gain=gain,
    )
    write_edf(path, signal, LABELS, RATE_HZ, events=events)
