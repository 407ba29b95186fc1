"""BCIC2020-3: five imagined words or phrases, 15 subjects (BCI Competition 2020, track 3)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.core.records import Split
from neuroprism.eeg.catalog.published import CBRAMOD, MULTICLASS, REVE, published
from neuroprism.eeg.checks import check_rate, check_signal, pick
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.answer_sheet import read_answer_sheet
from neuroprism.eeg.readers.bbci_epochs import BbciEpochs, read_bbci_epochs
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import resample
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import AsProvided

RATE_HZ, LAST_SAMPLES = 256, 768
ANSWER_SHEET = "Track3_Answer Sheet_Test.xlsx"

FOLDERS: dict[str, tuple[Split, str]] = {
    "Training set": ("train", "epo_train"),
    "Validation set": ("val", "epo_validation"),
    "Test set": ("test", "epo_test"),
}
"""Folder to the split and the variable of its files."""

SPEC = DatasetSpec(
    name="BCIC2020-3",
    title="five imagined words",
    task="multiclass",
    class_names=("hello", "help me", "stop", "thank you", "yes"),
    channels=(
        *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "Cz", "C4"),
        *("T8", "TP9", "CP5", "CP1", "CP2", "CP6", "TP10", "P7", "P3", "Pz", "P4", "P8", "PO9", "O1", "Oz"),
        *("O2", "PO10", "AF7", "AF3", "AF4", "AF8", "F5", "F1", "F2", "F6", "FT9", "FT7", "FC3", "FC4"),
        *("FT8", "FT10", "C5", "C1", "C2", "C6", "TP7", "CP3", "CPz", "CP4", "TP8", "P5", "P1", "P2", "P6"),
        *("PO7", "PO3", "POz", "PO4", "PO8"),
    ),
    source_rates_hz=(float(RATE_HZ),),
    n_patches=3,
    preprocessing=Preprocessing(),
    label_rule="one-hot labels of training and validation files; answer sheet, label - 1, for the test",
    split=AsProvided(),
    within_subject=True,
    expected={"train": 4500, "val": 750, "test": 750},
    n_subjects=15,
    raw_layout=f"{', '.join(FOLDERS)} with Data_SampleNN.mat, and Test set/{ANSWER_SHEET}",
    access="open: https://osf.io/pq7vb",
    licence="not stated; see the OSF page",
    citation=(
        "Jeong et al. 2022, 2020 International brain-computer interface competition: a review, Frontiers in "
        "Human Neuroscience 16:898300"
    ),
    source="OSF pq7vb, track 3",
    anchors=(
        *published(
            CBRAMOD,
            MULTICLASS,
            EEGNet=(0.4413, 0.3016, 0.4413),
            EEGConformer=(0.4506, 0.3133, 0.4488),
            FFCL=(0.4678, 0.3301, 0.4689),
            BIOT=(0.4920, 0.3650, 0.4917),
            LaBraM=(0.5060, 0.3800, 0.5054),
            CBraMod=(0.5373, 0.4216, 0.5383),
        ),
        *published(REVE, MULTICLASS, REVE=(0.5635,)),
        *published("user reports, CBraMod issues 18 and 27", MULTICLASS, CBraMod=(0.341,)),
    ),
    notes=(
        "Not subject-independent: every subject is in all three splits. Users report .303 and .341 with "
        "CBraMod's code.",
        "Channels go by the names in the file (clab); without names, 64 channels go by position.",
        "Only trials exist: the last 768 samples (3 s) of each are resampled, with a polyphase filter; "
        "published code resampled by FFT.",
    ),
)

_NAME = re.compile(r"Data_Sample(\d{2})(_Test)?")


def find(root: Path) -> Found:
    """Find the file of each subject in the three folders of the provider."""
    recordings, skipped = [], []
    sheets = sorted(root.rglob(ANSWER_SHEET))[:1]
    for path in files_below(root, "*.mat", SPEC.raw_layout):
        match, folder = _NAME.fullmatch(path.stem), FOLDERS.get(path.parent.name)
        if match is None or folder is None:
            reason = f"not Data_SampleNN in one of the folders {', '.join(FOLDERS)}"
            skipped.append(Skipped(what=path.name, reason=reason))
            continue
        split = folder[0]
        if split == "test" and not sheets:
            reason = f"no labels: '{ANSWER_SHEET}' is missing"
            skipped.append(Skipped(what=f"{path.parent.name}/{path.name}", reason=reason))
            continue
        recordings.append(
            Recording(
                key=f"{split}_{match[1]}",
                paths=(path, *sheets) if split == "test" else (path,),
                subject=match[1],
                session=path.parent.name,
                provided=split,
            )
        )
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Take the last 3 s of each trial as a window."""
    path = recording.paths[0]
    epochs = read_bbci_epochs(path, FOLDERS[recording.session][1])
    trials = _last_seconds(epochs)
    if recording.provided == "test":
        labels = read_answer_sheet(recording.paths[1], int(recording.subject))
    else:
        labels = epochs.labels(len(SPEC.class_names))
    if len(labels) != len(trials):
        raise DataError(
            f"{path}: {len(trials)} trials, but {len(labels)} labels ({recording.paths[-1].name})"
        )
    return Windows(
        values=resample(trials, RATE_HZ).astype(np.float32),
        labels=labels,
        starts_s=np.arange(len(trials), dtype=np.float64) * SPEC.n_patches,
        trials=np.arange(len(trials)),
    )


def _last_seconds(epochs: BbciEpochs) -> npt.NDArray[np.float64]:
    """Return the last 3 s of all trials: (trials, C, T)."""
    if epochs.sample_rate_hz is not None:
        check_rate(epochs.sample_rate_hz, SPEC, epochs.where)
    names = epochs.channels or SPEC.channels
    _, n_channels, n_times = epochs.signal.shape
    if n_channels != len(names) or n_times < LAST_SAMPLES:
        raise DataError(
            f"{epochs.where}.x: {n_channels} channels and {n_times} samples, expected {len(names)} channels "
            f"and at least {LAST_SAMPLES} samples"
        )
    rows = pick(names, SPEC.channels, epochs.where)
    last = epochs.signal[:, rows, -LAST_SAMPLES:].astype(np.float64)
    check_signal(last.transpose(1, 0, 2).reshape(len(rows), -1), SPEC.channels, epochs.where)
    return last


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
