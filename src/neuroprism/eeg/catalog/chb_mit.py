"""CHB-MIT: seizures in scalp EEG of children, 21 of 24 cases."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.published import BINARY, CBRAMOD, published
from neuroprism.eeg.checks import check_rate, check_signal
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.oversampled_in_training import OversampledInTraining
from neuroprism.eeg.readers.chb_summary import Seizures, read_chb_summary
from neuroprism.eeg.readers.edf import misfit, read_edf
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import condition, windows_at
from neuroprism.eeg.spec import SAMPLE_RATE_HZ, DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber

OTHER_MONTAGE = ("chb12", "chb13", "chb17")
"""Cases whose montage changes; the published protocol does not use them."""

SEIZURE_STRIDE_S, SEIZURE_LEAD_S = 5, 1
"""Extra windows of a seizure: from one second before it, every five seconds."""


SPEC = DatasetSpec(
    name="CHB-MIT",
    title="epileptic seizures in children",
    task="binary",
    class_names=("no seizure", "seizure"),
    channels=(
        *("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP2-F8", "F8-T8", "T8-P8", "P8-O2"),
        *("FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
    ),
    source_rates_hz=(256.0,),
    n_patches=10,
    preprocessing=Preprocessing(),
    label_rule="1 where the window of 10 s overlaps a seizure of the summary file, else 0",
    split=OversampledInTraining(BySubjectNumber(train=range(1, 21), val=range(21, 23), test=range(23, 25))),
    expected={},
    n_subjects=21,
    raw_layout="chbNN/chbNN_MM.edf and chbNN/chbNN-summary.txt",
    access="open: https://physionet.org/content/chbmit/1.0.0/",
    licence="Open Data Commons Attribution License 1.0",
    citation=(
        "Shoeb 2009, Application of machine learning to epileptic seizure onset detection and treatment, "
        "PhD thesis, MIT; Goldberger et al. 2000, Circulation 101(23):e215"
    ),
    source="PhysioNet chbmit 1.0.0",
    anchors=published(
        CBRAMOD,
        BINARY,
        EEGNet=(0.5658, 0.1914, 0.8048),
        EEGConformer=(0.5976, 0.2209, 0.8226),
        BIOT=(0.7068, 0.3277, 0.8761),
        LaBraM=(0.7075, 0.3287, 0.8679),
        CBraMod=(0.7398, 0.3689, 0.8892),
    ),
    notes=(
        "Validation and test are chb21, chb22 and chb23, chb24 as in CBraMod's code; its paper says chb20, "
        "chb21 and chb22, chb23. chb21 is the girl of chb01, recorded 1.5 years later (PhysioNet).",
        "Published are 326,993 windows, with labels by seizure boundaries (a window inside a long seizure "
        "became 0), extra seizure windows in all splits and missing channels filled with zeros. Here "
        "labels go by overlap, extra windows are for training only, and a file without all channels is "
        "named as skipped.",
        "A second T8-P8 in a file is not used.",
    ),
)

_NAME = re.compile(r"(chb\d{2})_(\d{2})", re.IGNORECASE)


def find(root: Path) -> Found:
    """Find the files that a summary lists and that have the montage."""
    summaries = {
        path.name.casefold()[:5]: path for path in files_below(root, "*-summary.txt", SPEC.raw_layout)
    }
    seizures = {case: read_chb_summary(path) for case, path in summaries.items()}
    recordings, skipped = [], []
    for path in files_below(root, "*.edf", SPEC.raw_layout):
        match = _NAME.fullmatch(path.stem)
        case = path.stem[:5].casefold()
        if case in OTHER_MONTAGE:
            reason = f"the montage of {case} changes; the protocol does not use it"
        elif match is None:
            reason = "not named chbNN_MM"
        elif path.name not in seizures.get(case, {}):
            reason = f"not listed in {case}-summary.txt, so that its seizures are unknown"
        else:
            reason = misfit(path, SPEC.channels, SPEC.source_rates_hz)
        if reason:
            skipped.append(Skipped(what=path.name, reason=reason))
            continue
        assert match is not None
        paths = (path, summaries[case])
        recordings.append(Recording(key=path.stem, paths=paths, subject=case, session=match[2]))
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut windows side by side (trial 0), and overlapping ones of each seizure (trials from 1)."""
    path, summary = recording.paths
    seizures = read_chb_summary(summary).get(path.name)
    if seizures is None:
        raise DataError(f"{path}: not listed in {summary.name}, so that its seizures are unknown")
    edf = read_edf(path, SPEC.channels)
    check_rate(edf.sample_rate_hz, SPEC, str(path))
    check_signal(edf.signal_uv, SPEC.channels, str(path))
    signal = condition(edf.signal_uv, edf.sample_rate_hz, SPEC.preprocessing, where=str(path))
    starts, trials = _starts(signal.shape[1], seizures)
    return Windows(
        values=windows_at(signal, starts, SPEC.n_times),
        labels=_overlaps(starts, seizures),
        starts_s=starts / SAMPLE_RATE_HZ,
        trials=trials,
    )


def _starts(n_times: int, seizures: Seizures) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return first samples and trials of whole windows; extra ones overlap their seizure."""
    last = n_times - SPEC.n_times
    starts = [np.arange(0, last + 1, SPEC.n_times)]
    for start_s, end_s in seizures:
        first = round(max(0.0, start_s - SEIZURE_LEAD_S) * SAMPLE_RATE_HZ)
        stop = min(round(end_s * SAMPLE_RATE_HZ), last + 1)
        starts.append(np.arange(first, stop, SEIZURE_STRIDE_S * SAMPLE_RATE_HZ))
    trials = [np.full(len(block), k) for k, block in enumerate(starts)]
    return np.concatenate(starts).astype(np.int64), np.concatenate(trials).astype(np.int64)


def _overlaps(starts: npt.NDArray[np.int64], seizures: Seizures) -> npt.NDArray[np.int64]:
    begin, end = starts / SAMPLE_RATE_HZ, (starts + SPEC.n_times) / SAMPLE_RATE_HZ
    labels = np.zeros(len(starts), dtype=np.int64)
    for start_s, end_s in seizures:
        labels[(begin < end_s) & (end > start_s)] = 1
    return labels


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
