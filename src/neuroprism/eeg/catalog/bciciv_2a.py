"""BCIC-IV-2a: imagined movement of hands, feet or tongue, 9 subjects (BCI Competition IV)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.published import CBRAMOD, MULTICLASS, REPRODUCED, REVE, published
from neuroprism.eeg.checks import check_rate, check_signal
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.mat import numeric, read_mat, scalar, struct_field
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import condition, windows_at
from neuroprism.eeg.spec import SAMPLE_RATE_HZ, DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber

FROM_S, TO_S = 2, 6
"""Part of a trial that is cut, in seconds after its start."""

N_COLUMNS = 25
"""22 EEG channels, then three EOG channels."""

SPEC = DatasetSpec(
    name="BCIC-IV-2a",
    title="motor imagery of hands, feet and tongue",
    task="multiclass",
    class_names=("left hand", "right hand", "feet", "tongue"),
    channels=(
        *("Fz", "FC3", "FC1", "FCz", "FC2", "FC4", "C5", "C3", "C1", "Cz", "C2", "C4", "C6"),
        *("CP3", "CP1", "CPz", "CP2", "CP4", "P1", "Pz", "P2", "POz"),
    ),
    source_rates_hz=(250.0,),
    n_patches=TO_S - FROM_S,
    preprocessing=Preprocessing(high_pass_hz=0.3, low_pass_hz=40.0, butterworth_order=5, reference="average"),
    label_rule="class of each trial (1-4) minus 1; 2 s to 6 s after its start; runs with labels only",
    split=BySubjectNumber(train=range(1, 6), val=range(6, 8), test=range(8, 10)),
    expected={"train": 2880, "val": 1152, "test": 1152},
    n_subjects=9,
    raw_layout="A0NT.mat and A0NE.mat, N = 1-9 (BNCI Horizon 2020, 001-2014)",
    access="open: https://bnci-horizon-2020.eu/database/data-sets",
    licence="CC BY-ND 4.0",
    citation="Tangermann et al. 2012, Review of the BCI competition IV, Frontiers in Neuroscience 6:55",
    source="BNCI Horizon 2020, dataset 001-2014",
    anchors=(
        *published(
            CBRAMOD,
            MULTICLASS,
            EEGNet=(0.4482, 0.2693, 0.4226),
            EEGConformer=(0.4696, 0.2924, 0.4533),
            ContraWR=(0.4678, 0.2905, 0.4413),
            BIOT=(0.4748, 0.2997, 0.4607),
            LaBraM=(0.4869, 0.3159, 0.4758),
            CBraMod=(0.5138, 0.3518, 0.4984),
        ),
        *published(REVE, MULTICLASS, REVE=(0.6396, 0.5194, 0.6339)),
        *published(
            REPRODUCED,
            MULTICLASS,
            CBraMod=(0.4571,),
            CBraMod_from_scratch=(0.4561,),
            EEGNet=(0.5288,),
            LaBraM=(0.4477,),
        ),
        *published("user report, CBraMod issue 5", MULTICLASS, CBraMod=(0.482,)),
    ),
    notes=(
        "5,088 trials are published where the first three runs of every file were taken for EOG calibration; "
        "A04T has only one such run. Here a run without labels is one, and 5,184 trials result.",
        "Filtered without phase shift on the whole run, after the common average over the 22 EEG channels; "
        "published code filtered each trial causally, to 40 Hz (paper, CBraMod) or 50 Hz (fork).",
        "The first 22 of 25 columns are EEG by position; the files hold no names.",
        "Users did not reproduce REVE's value (elouayas/reve_eeg issue 4).",
    ),
)

_NAME = re.compile(r"(A\d{2})([TE])")


def find(root: Path) -> Found:
    """Find the two sessions of each subject."""
    recordings, skipped = [], []
    for path in files_below(root, "*.mat", SPEC.raw_layout):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            skipped.append(Skipped(what=path.name, reason="not named A0NT or A0NE"))
        else:
            recordings.append(Recording(key=path.stem, paths=(path,), subject=match[1], session=match[2]))
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut 2 s to 6 s of each trial of all runs with labels."""
    path = recording.paths[0]
    (runs,) = read_mat(path, "data")
    parts, offset_s = [], 0.0
    for k, run in enumerate([runs] if isinstance(runs, dict) else runs):
        where = f"{path}: run {k + 1}"
        rate = scalar(struct_field(run, "fs", where), f"{where}: fs")
        check_rate(rate, SPEC, where)
        if np.size(struct_field(run, "y", where)):
            parts.append(_cut_run(run, rate, offset_s, where))
        offset_s += len(numeric(struct_field(run, "X", where), 2, f"{where}: X")) / rate
    if not parts:
        raise DataError(f"{path}: no run has labels")
    return Windows(
        values=np.concatenate([part.values for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        starts_s=np.concatenate([part.starts_s for part in parts]),
        trials=np.arange(sum(len(part) for part in parts)),
        left_out=tuple(skipped for part in parts for skipped in part.left_out),
    )


def _cut_run(run: dict[str, Any], rate: float, offset_s: float, where: str) -> Windows:
    signal = numeric(struct_field(run, "X", where), 2, f"{where}: X")
    firsts = numeric(struct_field(run, "trial", where), 2, f"{where}: trial").reshape(-1)
    codes = numeric(run["y"], 2, f"{where}: y").reshape(-1)
    if signal.shape[1] != N_COLUMNS:
        raise DataError(f"{where}: X has {signal.shape[1]} columns, expected {N_COLUMNS}")
    if len(firsts) != len(codes):
        raise DataError(f"{where}: {len(firsts)} trials, but {len(codes)} labels")
    wrong = set(codes.tolist()) - {1, 2, 3, 4}
    if wrong:
        raise DataError(f"{where}: label {min(wrong):g}; labels are 1 to 4")
    eeg = signal[:, : SPEC.n_channels].T
    check_signal(eeg, SPEC.channels, where)
    conditioned = condition(eeg, rate, SPEC.preprocessing, where=where)
    # MATLAB counts samples from 1.
    starts = np.rint(((firsts - 1.0) / rate + FROM_S) * SAMPLE_RATE_HZ).astype(np.int64)
    fits = (starts >= 0) & (starts + SPEC.n_times <= conditioned.shape[1])
    return Windows(
        values=windows_at(conditioned, starts[fits], SPEC.n_times),
        labels=codes[fits].astype(np.int64) - 1,
        starts_s=offset_s + starts[fits] / SAMPLE_RATE_HZ,
        trials=np.flatnonzero(fits),
        left_out=tuple(
            Skipped(what=f"{where}: trial {k + 1}", reason=f"the run ends before {TO_S} s of it")
            for k in np.flatnonzero(~fits).tolist()
        ),
    )


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
