"""ISRUC, group 1: sleep stages of 100 people, in sequences of 20 epochs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.published import CBRAMOD, MULTICLASS, REVE, published
from neuroprism.eeg.checks import check_rate, check_signal
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.edf import EdfRecording, read_edf
from neuroprism.eeg.readers.edf_header import read_edf_header
from neuroprism.eeg.readers.isruc_labels import read_isruc_labels
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import bipolar, condition, cut_windows, derivations
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber

SPEC = DatasetSpec(
    name="ISRUC",
    title="five sleep stages",
    task="multiclass",
    class_names=("W", "N1", "N2", "N3", "REM"),
    channels=("F3-A2", "C3-A2", "O1-A2", "F4-A1", "C4-A1", "O2-A1"),
    source_rates_hz=(200.0,),
    n_patches=30,
    sequence_length=20,
    preprocessing=Preprocessing(high_pass_hz=0.3, low_pass_hz=35.0, notch_hz=50.0),
    label_rule="stages of expert 1 for each epoch of 30 s: 0 W, 1 N1, 2 N2, 3 N3, 5 REM",
    split=BySubjectNumber(train=range(1, 81), val=range(81, 91), test=range(91, 101)),
    expected={},
    n_subjects=100,
    raw_layout="N/N.rec (EDF content) with N/N_1.txt (expert 1), N = 1-100",
    access="free: https://sleeptight.isr.uc.pt",
    licence="not stated; ask the provider",
    citation=(
        "Khalighi et al. 2016, ISRUC-Sleep: a comprehensive public dataset for sleep researchers, Computer "
        "Methods and Programs in Biomedicine 124:180"
    ),
    source="ISRUC-Sleep, subgroup 1",
    anchors=(
        *published(
            CBRAMOD,
            MULTICLASS,
            EEGNet=(0.7154, 0.7040, 0.7513),
            EEGConformer=(0.7400, 0.7143, 0.7634),
            USleep=(0.7586, 0.7209, 0.7805),
            BIOT=(0.7527, 0.7192, 0.7790),
            LaBraM=(0.7633, 0.7231, 0.7810),
            CBraMod=(0.7865, 0.7442, 0.8011),
        ),
        *published(REVE, MULTICLASS, REVE=(0.7819, 0.7500, 0.8005)),
    ),
    notes=(
        "Published are 89,240 epochs in 4,462 sequences, from channels taken by position; for some "
        "recordings that is a chin electrode (REVE). Here channels go by name, and a recording without "
        "them is an error.",
        "A1 and A2 are also written M1 and M2; where a file has F3 and A2 apart, their difference is formed.",
        "A number of labels that is not the number of epochs is an error. The rest below 20 epochs is "
        "dropped.",
    ),
)

_NAME = re.compile(r"\d+")


def find(root: Path) -> Found:
    """Find recordings and pair each with the labels of the same number in the same folder."""
    recordings, skipped = [], []
    for path in files_below(root, "*.rec", SPEC.raw_layout):
        labels = path.with_name(f"{path.stem}_1.txt")
        if not _NAME.fullmatch(path.stem):
            skipped.append(Skipped(what=path.name, reason="not named by a subject number"))
        elif not labels.is_file():
            skipped.append(Skipped(what=path.name, reason=f"no labels: {labels.name} is missing"))
        else:
            number = f"{int(path.stem):03d}"
            recordings.append(Recording(key=number, paths=(path, labels), subject=number))
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def channel(label: str) -> str:
    """Return ``"F3-A2"`` for the spellings F3-M2, F3_A2 and F3:A2."""
    return re.sub(r"\bM([12])\b", r"A\1", re.sub(r"[_:]", "-", label))


def _read(path: Path) -> EdfRecording:
    """Read the derivations; form them where the file has their electrodes apart."""
    names = {channel(label).casefold() for label in read_edf_header(path).labels}
    pairs = derivations(SPEC.channels)
    electrodes = list(dict.fromkeys(name for pair in pairs for name in pair))
    if SPEC.channels[0].casefold() in names or not names.issuperset(map(str.casefold, electrodes)):
        return read_edf(path, SPEC.channels, name_of=channel)
    apart = read_edf(path, electrodes, name_of=channel)
    return replace(apart, signal_uv=bipolar(apart.signal_uv, electrodes, pairs, where=str(path)))


def cut(recording: Recording) -> Windows:
    """Cut sequences of 20 epochs side by side; the trial is the number of the sequence."""
    path, label_path = recording.paths
    labels = read_isruc_labels(label_path)
    edf = _read(path)
    check_rate(edf.sample_rate_hz, SPEC, str(path))
    check_signal(edf.signal_uv, SPEC.channels, str(path))
    n_epochs = edf.signal_uv.shape[1] // SPEC.n_times
    if n_epochs != len(labels):
        raise DataError(f"{path}: {n_epochs} epochs of 30 s, but {len(labels)} labels in {label_path.name}")
    length = SPEC.sequence_length
    n = n_epochs // length
    if not n:
        raise DataError(f"{path}: {n_epochs} epochs, too few for one sequence of {length}")
    signal = condition(edf.signal_uv, edf.sample_rate_hz, SPEC.preprocessing, where=str(path))
    epochs, starts_s = cut_windows(signal[:, : n * length * SPEC.n_times], SPEC.n_times)
    rest = n_epochs - n * length
    reason = f"fewer than {length} epochs are left"
    left_out = (Skipped(what=f"{recording.key}: last {rest} epochs", reason=reason),) if rest else ()
    return Windows(
        values=epochs.reshape(n, *SPEC.window_shape),
        labels=labels[: n * length].reshape(n, length),
        starts_s=starts_s[::length],
        trials=np.arange(n),
        left_out=left_out,
    )


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
