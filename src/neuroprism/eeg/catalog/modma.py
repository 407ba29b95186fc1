"""MODMA: major depressive disorder against healthy, resting EEG with 128 channels, 53 people."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.eeg.checks import check_rate, check_signal
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.mat import mat_variables, numeric, read_mat, scalar
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import condition, cut_windows
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySortedFiles

RATE_NAME = "samplingRate"

UNITS_PER_UV = 1000
"""The files are in nanovolt."""

N_ELECTRODES = 128

SPEC = DatasetSpec(
    name="MODMA",
    title="major depressive disorder against healthy, 128 channels",
    task="binary",
    class_names=("healthy", "depressed"),
    channels=tuple(f"E{k}" for k in range(1, N_ELECTRODES + 1)),
    source_rates_hz=(250.0,),
    n_patches=15,
    preprocessing=Preprocessing(),
    label_rule="file name begins with 0201 = depressed (1), otherwise healthy (0)",
    split=BySortedFiles(counts=(("healthy", (18, 5, 6)), ("depressed", (15, 4, 5)))),
    expected={},
    n_subjects=53,
    raw_layout="'NNNNNNNNrest DATE TIME.mat', NNNNNNNN = number of the person, e.g. 02010002",
    access="request and end user licence agreement: https://modma.lzu.edu.cn",
    licence="end user licence agreement of Lanzhou University",
    citation=(
        "Cai et al. 2022, A multi-modal open dataset for mental-disorder analysis, Scientific Data 9:178, "
        "doi:10.1038/s41597-022-01211-x"
    ),
    source="Lanzhou University, EEG_128channels_resting_lanzhou_2015",
    notes=(
        "No results and no counts of windows are published for this split.",
        "The values are taken for nanovolt: published code divides by 1000 before the usual 100 microvolt.",
        "The signal is the longest variable of 128 or 129 rows; rows 1-128 are the electrodes E1-E128 of the "
        "HydroCel net by position, row 129 is the reference Cz.",
        "Earlier code trained on a random half of the training part; here all of it is used. Not filtered; "
        "the whole recording is resampled with a polyphase filter, published code resampled it by FFT.",
    ),
)

_NAME = re.compile(r"(02\d{6})rest.*", re.IGNORECASE)


def find(root: Path) -> Found:
    """Find the recording of each person."""
    recordings, skipped = [], []
    for path in files_below(root, "*.mat", SPEC.raw_layout):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            skipped.append(Skipped(what=path.name, reason="not named by eight digits and 'rest'"))
            continue
        group = "depressed" if match[1].startswith("0201") else "healthy"
        recordings.append(Recording(key=path.stem.strip(" ."), paths=(path,), subject=match[1], group=group))
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut windows of 15 s; all of a recording have the label of its group."""
    path = recording.paths[0]
    variables = mat_variables(path)
    rows = (N_ELECTRODES, N_ELECTRODES + 1)
    shortest = SPEC.n_patches * SPEC.source_rates_hz[0]
    candidates = [v for v in variables if len(v.shape) == 2 and v.shape[0] in rows and v.shape[1] >= shortest]
    if not candidates:
        shapes = ", ".join(f"{v.name} {v.shape}" for v in variables)
        raise DataError(
            f"{path}: no variable with {N_ELECTRODES} channels and {SPEC.n_patches} s; the file has {shapes}"
        )
    name = max(candidates, key=lambda v: v.shape[1]).name
    rate = SPEC.source_rates_hz[0]
    if any(v.name == RATE_NAME for v in variables):
        data, found = read_mat(path, name, RATE_NAME)
        rate = scalar(found, f"{path}: {RATE_NAME}")
    else:
        (data,) = read_mat(path, name)
    check_rate(rate, SPEC, str(path))
    signal_uv = numeric(data, 2, f"{path}: {name}")[:N_ELECTRODES] / UNITS_PER_UV
    check_signal(signal_uv, SPEC.channels, str(path))
    signal = condition(signal_uv, rate, SPEC.preprocessing, where=str(path))
    values, starts_s = cut_windows(signal, SPEC.n_times)
    n = len(values)
    labels = np.full(n, SPEC.class_names.index(recording.group), dtype=np.int64)
    return Windows(values=values, labels=labels, starts_s=starts_s, trials=np.arange(n))


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
