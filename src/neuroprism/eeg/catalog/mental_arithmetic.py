"""MentalArithmetic: rest against serial subtraction, 36 subjects."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from neuroprism.eeg.catalog.published import BINARY, CBRAMOD, REPRODUCED, REVE, published
from neuroprism.eeg.checks import check_rate, check_signal
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.edf import read_edf
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import condition, cut_windows
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber

SPEC = DatasetSpec(
    name="MentalArithmetic",
    title="rest against mental arithmetic",
    task="binary",
    class_names=("rest", "arithmetic"),
    channels=(
        *("Fp1", "Fp2", "F3", "F4", "F7", "F8", "T3", "T4", "C3", "C4"),
        *("T5", "T6", "P3", "P4", "O1", "O2", "Fz", "Cz", "Pz", "A2-A1"),
    ),
    source_rates_hz=(500.0,),
    n_patches=5,
    preprocessing=Preprocessing(),
    label_rule="file suffix _1 = rest (0), _2 = serial subtraction (1)",
    split=BySubjectNumber(train=range(28), val=range(28, 32), test=range(32, 36)),
    expected={"train": 1343, "val": 172, "test": 192},
    n_subjects=36,
    raw_layout="SubjectNN_1.edf (rest) and SubjectNN_2.edf (task), NN = 00-35",
    access="open: https://physionet.org/content/eegmat/1.0.0/",
    licence="Open Data Commons Attribution License 1.0",
    citation=(
        "Zyma et al. 2019, Electroencephalograms during mental arithmetic task performance, Data 4(1):14, "
        "doi:10.3390/data4010014; Goldberger et al. 2000, Circulation 101(23):e215"
    ),
    source="PhysioNet eegmat 1.0.0",
    anchors=(
        *published(
            CBRAMOD,
            BINARY,
            EEGNet=(0.6770, 0.5763, 0.7321),
            EEGConformer=(0.6805, 0.5829, 0.7424),
            SPaRCNet=(0.6879, 0.5825, 0.7418),
            BIOT=(0.6875, 0.6004, 0.7536),
            LaBraM=(0.6909, 0.5999, 0.7721),
            CBraMod=(0.7256, 0.6267, 0.7905),
        ),
        *published(REVE, BINARY, REVE=(0.7660,)),
        *published(
            REPRODUCED,
            BINARY,
            CBraMod=(0.5889, 0.5110, 0.7344),
            CBraMod_from_scratch=(0.5924,),
            EEGNet=(0.5569,),
            LaBraM=(0.6562,),
        ),
    ),
    notes=(
        "The CBraMod paper names a 0.5-45 Hz filter; the files are already filtered (0.5-45 Hz, notch 50 Hz, "
        "ICA) and neither its code nor this project filters again.",
        "A2-A1 is an ear derivation and no scalp channel; the ECG is left out.",
        "Numbering starts at 00. The test split has 4 subjects: read single results with their interval.",
    ),
)

_NAME = re.compile(r"Subject(\d{2})_([12])")


def find(root: Path) -> Found:
    """Find the two recordings of each subject."""
    recordings, skipped = [], []
    for path in files_below(root, "*.edf", SPEC.raw_layout):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            skipped.append(Skipped(what=path.name, reason="not named SubjectNN_1 or SubjectNN_2"))
            continue
        recordings.append(Recording(key=path.stem, paths=(path,), subject=match[1], session=match[2]))
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut windows of 5 s; all of a recording have the label of its file name."""
    where = str(recording.paths[0])
    edf = read_edf(recording.paths[0], SPEC.channels, name_of=lambda label: label.removeprefix("EEG "))
    check_rate(edf.sample_rate_hz, SPEC, where)
    check_signal(edf.signal_uv, SPEC.channels, where)
    signal = condition(edf.signal_uv, edf.sample_rate_hz, SPEC.preprocessing, where=where)
    values, starts_s = cut_windows(signal, SPEC.n_times)
    n = len(values)
    labels = np.full(n, int(recording.session == "2"), dtype=np.int64)
    return Windows(values=values, labels=labels, starts_s=starts_s, trials=np.arange(n))


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
