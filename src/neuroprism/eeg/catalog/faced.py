"""FACED: nine emotions evoked by film clips, 123 subjects."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.published import CBRAMOD, MULTICLASS, REVE, published
from neuroprism.eeg.checks import check_signal
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.pickled_arrays import read_pickled_array
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import resample
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber

RATE_HZ, CLIP_S = 250, 30

CLIP_LABELS = (*(0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3), *(4, 4, 4, 4), *(5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8))
"""Emotion of each of the 28 clips."""

SPEC = DatasetSpec(
    name="FACED",
    title="nine emotions evoked by film clips",
    task="multiclass",
    class_names=(
        *("anger", "disgust", "fear", "sadness", "neutral"),
        *("amusement", "inspiration", "joy", "tenderness"),
    ),
    channels=(
        *("Fp1", "Fp2", "Fz", "F3", "F4", "F7", "F8", "FC1", "FC2", "FC5", "FC6", "Cz", "C3", "C4"),
        *("T7", "T8", "A1", "A2", "CP1", "CP2", "CP5", "CP6", "Pz", "P3", "P4", "P7", "P8", "PO3"),
        *("PO4", "Oz", "O1", "O2"),
    ),
    source_rates_hz=(float(RATE_HZ),),
    n_patches=10,
    preprocessing=Preprocessing(),
    label_rule="clips 1-12: three each of anger, disgust, fear, sadness; 13-16 neutral; 17-28: three each of "
    "amusement, inspiration, joy, tenderness; 3 windows of 10 s from each clip of 30 s",
    split=BySubjectNumber(train=range(80), val=range(80, 100), test=range(100, 123)),
    expected={"train": 6720, "val": 1680, "test": 1932},
    n_subjects=123,
    raw_layout="Processed_data/subNNN.pkl, NNN = 000-122, each (28 clips, 32 channels, 7500 samples)",
    access="Synapse account: https://doi.org/10.7303/syn50614194",
    licence="Synapse terms of the dataset; no Creative Commons licence is stated",
    citation=(
        "Chen et al. 2023, A large finer-grained affective computing EEG dataset, Scientific Data 10:740, "
        "doi:10.1038/s41597-023-02650-w"
    ),
    source="Synapse syn50614194, folder Processed_data",
    anchors=(
        *published(
            CBRAMOD,
            MULTICLASS,
            EEGNet=(0.4090, 0.3342, 0.4124),
            EEGConformer=(0.4559, 0.3858, 0.4514),
            ContraWR=(0.4887, 0.4231, 0.4884),
            BIOT=(0.5118, 0.4476, 0.5136),
            LaBraM=(0.5273, 0.4698, 0.5288),
            CBraMod=(0.5509, 0.5041, 0.5618),
        ),
        *published(REVE, MULTICLASS, REVE=(0.5646,)),
    ),
    notes=(
        "The order of the emotion names is from the public description; that 4 is neutral also follows from "
        "its four clips.",
        "The files hold no channel names: the 32 channels are taken by position, and their names are the "
        "order of the public description.",
        "Only clips of 30 s exist, so each clip is resampled by itself, with a polyphase filter; published "
        "code resampled by FFT.",
        "The files are pickles; they are read without executing anything: all but arrays is refused.",
    ),
)

_NAME = re.compile(r"sub(\d{3})")


def find(root: Path) -> Found:
    """Find the file of each subject."""
    recordings, skipped = [], []
    for path in files_below(root, "*.pkl", SPEC.raw_layout):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            skipped.append(Skipped(what=path.name, reason="not named subNNN"))
        else:
            recordings.append(Recording(key=path.stem, paths=(path,), subject=match[1]))
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut three windows of 10 s from each clip; the trial is the number of the clip."""
    where = str(recording.paths[0])
    clips = read_pickled_array(recording.paths[0])
    shape = (len(CLIP_LABELS), SPEC.n_channels, CLIP_S * RATE_HZ)
    if clips.shape != shape:
        raise DataError(f"{where}: array of shape {clips.shape}, expected {shape} (clips, channels, samples)")
    check_signal(clips.transpose(1, 0, 2).reshape(SPEC.n_channels, -1), SPEC.channels, where)
    n_windows = CLIP_S // SPEC.n_patches
    values = np.empty((len(clips), n_windows, *SPEC.window_shape), dtype=np.float32)
    for windows, clip in zip(values, clips, strict=True):
        signal = resample(clip, RATE_HZ).reshape(SPEC.n_channels, n_windows, SPEC.n_times)
        windows[...] = signal.transpose(1, 0, 2)
    n = len(clips) * n_windows
    return Windows(
        values=values.reshape(n, *SPEC.window_shape),
        labels=np.repeat(np.array(CLIP_LABELS, dtype=np.int64), n_windows),
        starts_s=np.arange(n, dtype=np.float64) * SPEC.n_patches,
        trials=np.repeat(np.arange(len(clips)), n_windows),
    )


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
