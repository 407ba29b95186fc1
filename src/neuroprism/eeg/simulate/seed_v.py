"""SEED-V as NeuroScan CNT files at 1000 Hz, with the text file that says when the clips were shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.core.errors import ConfigError
from neuroprism.core.files import replace_bytes
from neuroprism.eeg.catalog.seed_v import SPEC
from neuroprism.eeg.readers.seed_v_clips import FILE_NAME, LABELS
from neuroprism.eeg.simulate.cnt_writer import write_cnt
from neuroprism.eeg.simulate.rhythms import simulate_timeline, subject_gain

RATE_HZ = 1000
LEAD_S, CLIP_S, PAUSE_S = 7, 3, 1
"""Real clips last 52 to 297 s, and a real recording about an hour."""

N_CLIPS = 15
STARTS_S = [LEAD_S + k * (CLIP_S + PAUSE_S) for k in range(N_CLIPS)]

_LEFT_EAR, _RIGHT_EAR = 32, 41
"""Positions after which M1 and M2 stand among the scalp channels."""

CHANNELS = [
    *SPEC.channels[:_LEFT_EAR],
    "M1",
    *SPEC.channels[_LEFT_EAR:_RIGHT_EAR],
    "M2",
    *SPEC.channels[_RIGHT_EAR:],
    *("HEO", "VEO"),
]


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``EEG_raw/SUBJECT_VISIT_DATE.cnt``, one visit of each subject, and the times of the clips."""
    if n_subjects > SPEC.n_subjects:
        raise ConfigError(f"subjects: {n_subjects}; SEED-V has {SPEC.n_subjects}")
    replace_bytes(out / FILE_NAME, _times().encode())
    for number in range(1, n_subjects + 1):
        rng = np.random.default_rng([seed, number])
        visit = 1 + (number - 1) % len(LABELS)
        timeline = [(s, s + CLIP_S, label) for s, label in zip(STARTS_S, LABELS[visit], strict=True)]
        signal = simulate_timeline(
            rng,
            n_channels=len(CHANNELS),
            n_times=(STARTS_S[-1] + CLIP_S + LEAD_S) * RATE_HZ,
            sample_rate_hz=RATE_HZ,
            timeline=timeline,
            n_rhythms=len(SPEC.class_names),
            gain=subject_gain(rng),
        )
        write_cnt(out / "EEG_raw" / f"{number}_{visit}_201808{number:02d}.cnt", signal, CHANNELS, RATE_HZ)


def _times() -> str:
    ends = [start + CLIP_S for start in STARTS_S]
    return "\n".join(f"Session {v}:\nstart_second: {STARTS_S}\nend_second: {ends}\n" for v in LABELS)
