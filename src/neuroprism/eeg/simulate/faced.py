"""FACED as pickled arrays: 28 clips of 30 s at 250 Hz from each subject."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from neuroprism.core.files import replace_bytes
from neuroprism.eeg.simulate.rhythms import simulate_eeg, subject_gain
from neuroprism.eeg.simulate.subjects import spread

RATE_HZ, CLIP_S, N_CHANNELS, N_EMOTIONS = 250, 30, 32, 9

CLIPS_OF_EMOTION = (3, 3, 3, 3, 4, 3, 3, 3, 3)


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``Processed_data/subNNN.pkl``."""
    folder = out / "Processed_data"
    emotions = np.repeat(np.arange(N_EMOTIONS), CLIPS_OF_EMOTION)
    numbers = spread(n_subjects, range(80), range(80, 100), range(100, 123))
    folder.mkdir(parents=True)
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        gain = subject_gain(rng)
        clips = np.stack(
            [
                simulate_eeg(
                    rng,
                    n_channels=N_CHANNELS,
                    n_times=CLIP_S * RATE_HZ,
                    sample_rate_hz=RATE_HZ,
                    rhythm=int(emotion),
                    n_rhythms=N_EMOTIONS,
                    gain=gain,
                )
                for emotion in emotions
            ]
        )
        replace_bytes(folder / f"sub{number:03d}.pkl", pickle.dumps(clips))
