"""SHU-MI: imagined movement of the left or right hand, 25 subjects on five days each."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.published import BINARY, CBRAMOD, published
from neuroprism.eeg.checks import check_signal
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.mat import numeric, read_mat
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import resample
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber

RATE_HZ = 250

SPEC = DatasetSpec(
    name="SHU-MI",
    title="motor imagery of the left or right hand",
    task="binary",
    class_names=("left hand", "right hand"),
    channels=(
        *("Fp1", "Fp2", "Fz", "F3", "F4", "F7", "F8", "FC1", "FC2", "FC5", "FC6", "Cz", "C3", "C4"),
        *("T3", "T4", "A1", "A2", "CP1", "CP2", "CP5", "CP6", "Pz", "P3", "P4", "T5", "T6", "PO3"),
        *("PO4", "Oz", "O1", "O2"),
    ),
    source_rates_hz=(float(RATE_HZ),),
    n_patches=4,
    preprocessing=Preprocessing(),
    label_rule="labels 1 = left hand (0), 2 = right hand (1), one for each trial of 4 s",
    split=BySubjectNumber(train=range(1, 16), val=range(16, 21), test=range(21, 26)),
    expected={},
    n_subjects=25,
    raw_layout="sub-NNN_ses-NN_task_motorimagery_eeg.mat, NNN = 001-025, NN = 01-05",
    access="open: https://doi.org/10.6084/m9.figshare.19228725",
    licence="not stated in the files; see the figshare page",
    citation=(
        "Ma et al. 2022, A large EEG dataset for studying cross-session variability in motor imagery "
        "brain-computer interface, Scientific Data 9:531, doi:10.1038/s41597-022-01647-1"
    ),
    source="figshare 19228725",
    anchors=published(
        CBRAMOD,
        BINARY,
        EEGNet=(0.5889, 0.6311, 0.6283),
        EEGConformer=(0.5900, 0.6370, 0.6351),
        SPaRCNet=(0.5978, 0.6510, 0.6431),
        BIOT=(0.6179, 0.6770, 0.6609),
        LaBraM=(0.6166, 0.6761, 0.6604),
        CBraMod=(0.6370, 0.7139, 0.6988),
    ),
    notes=(
        "11,988 trials are published in all. Earlier code trained on a random 30 % of the training part; "
        "here all of it is used.",
        "The files hold no channel names: the 32 channels are taken by position, and their names are the "
        "order of the public description. A1 and A2 are at the ears.",
        "Only trials of 4 s exist, so each is resampled by itself, with a polyphase filter; published code "
        "resampled by FFT.",
        "One reproducer reports files that ask for a password.",
    ),
)

_NAME = re.compile(r"sub-(\d{3})_ses-(\d{2})_task_motorimagery_eeg")


def find(root: Path) -> Found:
    """Find the file of each subject and day."""
    recordings, skipped = [], []
    for path in files_below(root, "*.mat", SPEC.raw_layout):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            skipped.append(Skipped(what=path.name, reason="not named sub-NNN_ses-NN_task_motorimagery_eeg"))
        else:
            recordings.append(Recording(key=path.stem, paths=(path,), subject=match[1], session=match[2]))
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Take each trial as a window."""
    path = recording.paths[0]
    data, labels = read_mat(path, "data", "labels")
    trials, codes = numeric(data, 3, f"{path}: data"), numeric(labels, 2, f"{path}: labels").reshape(-1)
    length = SPEC.n_patches * RATE_HZ
    if trials.shape[1:] != (SPEC.n_channels, length):
        raise DataError(
            f"{path}: data of shape {trials.shape}, expected (trials, {SPEC.n_channels}, {length})"
        )
    if len(codes) != len(trials):
        raise DataError(f"{path}: {len(trials)} trials, but {len(codes)} labels")
    wrong = set(codes.tolist()) - {1, 2}
    if wrong:
        raise DataError(f"{path}: label {min(wrong):g}; labels are 1 (left hand) and 2 (right hand)")
    check_signal(trials.transpose(1, 0, 2).reshape(SPEC.n_channels, -1), SPEC.channels, str(path))
    return Windows(
        values=resample(trials, RATE_HZ).astype(np.float32),
        labels=codes.astype(np.int64) - 1,
        starts_s=np.arange(len(trials), dtype=np.float64) * SPEC.n_patches,
        trials=np.arange(len(trials)),
    )


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
