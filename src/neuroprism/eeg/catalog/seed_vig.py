"""SEED-VIG: vigilance while driving in a simulator, 21 subjects in 23 recordings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.published import CBRAMOD, REGRESSION, published
from neuroprism.eeg.checks import check_rate, check_signal, pick
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.mat import numeric, read_mat, scalar, struct_field, texts
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySortedFiles

SIGNALS, TARGETS = "Raw_Data", "perclos_labels"

SPEC = DatasetSpec(
    name="SEED-VIG",
    title="vigilance (PERCLOS) while driving",
    task="regression",
    channels=(
        *("FT7", "FT8", "T7", "T8", "TP7", "TP8", "CP1", "CP2", "P1", "PZ"),
        *("P2", "PO3", "POZ", "PO4", "O1", "OZ", "O2"),
    ),
    source_rates_hz=(200.0,),
    n_patches=8,
    preprocessing=Preprocessing(),
    label_rule="PERCLOS in [0, 1], one value for each 8 s",
    split=BySortedFiles(counts=(("", (15, 4, 4)),)),
    expected={"train": 13275, "val": 3540, "test": 3540},
    n_subjects=21,
    raw_layout=f"{SIGNALS}/SUBJECT_DATE_TIME.mat and {TARGETS}/ with the same names",
    access="licence application: https://bcmi.sjtu.edu.cn/home/seed/seed-vig.html",
    licence="terms of the BCMI laboratory, Shanghai Jiao Tong University",
    citation=(
        "Zheng and Lu 2017, A multimodal approach to estimating vigilance using EEG and forehead EOG, "
        "Journal of Neural Engineering 14:026017, doi:10.1088/1741-2552/aa5a98"
    ),
    source="BCMI laboratory, SEED-VIG",
    anchors=published(
        CBRAMOD,
        REGRESSION,
        EEGNet=(0.5701, 0.2366, 0.2828),
        EEGConformer=(0.5750, 0.2344, 0.2850),
        ContraWR=(0.5854, 0.2453, 0.2782),
        BIOT=(0.5996, 0.2543, 0.2742),
        LaBraM=(0.5931, 0.2432, 0.2762),
        CBraMod=(0.6459, 0.3365, 0.2587),
    ),
    notes=(
        "Files are sorted as text ('10_...' before '1_...'). Subjects 4 and 5 have two recordings each; with "
        "all 23 files these four are the validation split, so that nobody is in two splits.",
        "Channels go by the names in the file (chn) where these are as many as the columns; otherwise by "
        "position.",
        "The signal is at 200 Hz and is neither filtered nor resampled.",
    ),
)

_NAME = re.compile(r"(\d+)_\d{8}_\w+")


def find(root: Path) -> Found:
    """Pair each recording with the targets of the same name."""
    recordings, skipped = [], []
    paths = files_below(root, "*.mat", SPEC.raw_layout)
    targets = {path.name: path for path in paths if path.parent.name == TARGETS}
    for path in (p for p in paths if p.parent.name == SIGNALS):
        match = _NAME.fullmatch(path.stem)
        if match is None or path.name not in targets:
            reason = "not named SUBJECT_DATE_TIME" if match is None else f"no file of that name in {TARGETS}"
            skipped.append(Skipped(what=path.name, reason=reason))
            continue
        pair = (path, targets[path.name])
        recordings.append(
            Recording(key=path.stem, paths=pair, subject=match[1], session=path.stem.split("_", 1)[1])
        )
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut a window of 8 s for each target."""
    path, target_path = recording.paths
    targets = _targets(target_path)
    (eeg,) = read_mat(path, "EEG")
    where = f"{path}: EEG"
    signal = numeric(struct_field(eeg, "data", where), 2, f"{where}.data")
    if "sample_rate" in eeg:
        check_rate(scalar(eeg["sample_rate"], f"{where}.sample_rate"), SPEC, where)
    names = texts(eeg["chn"], f"{where}.chn") if "chn" in eeg else []
    n = len(targets)
    if signal.shape != (n * SPEC.n_times, SPEC.n_channels):
        raise DataError(
            f"{where}.data has shape {signal.shape}, expected {(n * SPEC.n_times, SPEC.n_channels)}: 8 s for "
            f"each of {n} targets"
        )
    if len(names) == SPEC.n_channels:
        signal = signal[:, pick(names, SPEC.channels, where)]
    check_signal(signal.T, SPEC.channels, str(path))
    return Windows(
        values=signal.reshape(n, SPEC.n_times, SPEC.n_channels).transpose(0, 2, 1).astype(np.float32),
        labels=targets,
        starts_s=np.arange(n, dtype=np.float64) * SPEC.n_patches,
        trials=np.arange(n),
    )


def _targets(path: Path) -> npt.NDArray[np.float32]:
    (perclos,) = read_mat(path, "perclos")
    values = numeric(perclos, 2, f"{path}: perclos").reshape(-1).astype(np.float64)
    # Written so that NaN is refused too.
    wrong = values[~((values >= -1e-6) & (values <= 1 + 1e-6))]
    if not len(values) or len(wrong):
        what = f"{wrong[0]:g} is outside of [0, 1]" if len(wrong) else "no values"
        raise DataError(f"{path}: perclos: {what}")
    return values.clip(0, 1).astype(np.float32)


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
