"""Mumtaz2016: major depressive disorder against healthy, resting EEG of 64 people."""

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
from neuroprism.eeg.split_rules import BySortedFiles

SPEC = DatasetSpec(
    name="Mumtaz2016",
    title="major depressive disorder against healthy",
    task="binary",
    class_names=("healthy", "depressed"),
    channels=(
        *("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2"),
        *("F7", "F8", "T3", "T4", "T5", "T6", "Fz", "Cz", "Pz"),
    ),
    source_rates_hz=(256.0,),
    n_patches=5,
    preprocessing=Preprocessing(high_pass_hz=0.3, low_pass_hz=75.0, notch_hz=50.0),
    label_rule="file name: H = healthy (0), MDD = depressed (1); eyes closed and eyes open, not the task",
    split=BySortedFiles(counts=(("healthy", (40, 8, 9)), ("depressed", (42, 10, 10)))),
    expected={},
    n_subjects=64,
    raw_layout="'H SN EC.edf', 'H SN EO.edf', 'MDD SN EC.edf', 'MDD SN EO.edf' (TASK files are not used)",
    access="open: https://doi.org/10.6084/m9.figshare.4244171",
    licence="CC BY 4.0",
    citation=(
        "Mumtaz et al. 2017, Electroencephalogram (EEG)-based computer-aided technique to diagnose major "
        "depressive disorder, Biomedical Signal Processing and Control 31:108"
    ),
    source="figshare 4244171",
    anchors=(
        *published(
            CBRAMOD,
            BINARY,
            EEGNet=(0.9232, 0.9626, 0.9639),
            EEGConformer=(0.9308, 0.9684, 0.9702),
            SPaRCNet=(0.9316, 0.9754, 0.9781),
            BIOT=(0.9358, 0.9736, 0.9758),
            LaBraM=(0.9409, 0.9798, 0.9782),
            CBraMod=(0.9560, 0.9923, 0.9921),
        ),
        *published(REVE, BINARY, REVE=(0.9644,)),
        *published(
            REPRODUCED,
            BINARY,
            CBraMod=(0.8933,),
            CBraMod_from_scratch=(0.8973,),
            EEGNet=(0.8828,),
            LaBraM=(0.8905,),
        ),
    ),
    notes=(
        "7,143 windows are published in all, from 119 recordings (57 healthy, 62 depressed) of the public "
        "copy, which lacks 12 of the listed files and has two recordings named 'H S15 EO' (a number in "
        "front).",
        "The published split goes by file position; here a subject goes where its first file goes, so that "
        "nobody is in two splits. The CBraMod paper counts subjects instead: 24/5/5 depressed, 19/4/5 "
        "healthy.",
        "By the MD5 sums that figshare lists, H S27 EC equals H S30 EC, and MDD S33 EC equals MDD S34 EC: "
        "one recording may stand under two subjects in two splits.",
        "The subject's name tells the label. The CBraMod paper filters to 75 Hz, an early version of its "
        "code to 30 Hz; 75 Hz here.",
    ),
)

_NAME = re.compile(r"(?:\d+_)?(H|MDD)\s+S(\d+)\s+(EC|EO|TASK)", re.IGNORECASE)


def find(root: Path) -> Found:
    """Find the resting recordings; what else is there is named."""
    recordings, skipped = [], []
    for path in files_below(root, "*.edf", SPEC.raw_layout):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            skipped.append(Skipped(what=path.name, reason="not named 'H SN EC' or 'MDD SN EC'"))
        elif match[3].upper() == "TASK":
            skipped.append(Skipped(what=path.name, reason="recorded during a task, not at rest"))
        else:
            prefix = match[1].upper()
            recordings.append(
                Recording(
                    key=path.stem,
                    paths=(path,),
                    subject=f"{prefix} S{match[2]}",
                    session=match[3].upper(),
                    group="depressed" if prefix == "MDD" else "healthy",
                )
            )
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def electrode(label: str) -> str:
    """Return ``"Fp1"`` for ``"EEG Fp1-LE"``."""
    return label.removeprefix("EEG ").removesuffix("-LE")


def cut(recording: Recording) -> Windows:
    """Cut windows of 5 s; all of a recording have the label of its group."""
    where = str(recording.paths[0])
    edf = read_edf(recording.paths[0], SPEC.channels, name_of=electrode)
    check_rate(edf.sample_rate_hz, SPEC, where)
    check_signal(edf.signal_uv, SPEC.channels, where)
    signal = condition(edf.signal_uv, edf.sample_rate_hz, SPEC.preprocessing, where=where)
    values, starts_s = cut_windows(signal, SPEC.n_times)
    n = len(values)
    labels = np.full(n, int(recording.group == "depressed"), dtype=np.int64)
    return Windows(values=values, labels=labels, starts_s=starts_s, trials=np.arange(n))


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
