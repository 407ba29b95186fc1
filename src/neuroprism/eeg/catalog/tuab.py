"""TUAB: normal against abnormal clinical EEG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.core.records import Split
from neuroprism.eeg.catalog.published import BINARY, CBRAMOD, REVE, published
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.edf import misfit
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.readers.tuh import electrode, electrodes, read_derivations
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import cut_windows
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import ByOfficialFolder

MONTAGE_FOLDER = "01_tcp_ar"

SPEC = DatasetSpec(
    name="TUAB",
    title="normal against abnormal clinical EEG",
    task="binary",
    class_names=("normal", "abnormal"),
    channels=(
        *("FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP2-F8", "F8-T4", "T4-T6", "T6-O2"),
        *("FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
    ),
    source_rates_hz=(250.0, 256.0, 512.0),
    n_patches=10,
    preprocessing=Preprocessing(high_pass_hz=0.3, low_pass_hz=75.0, notch_hz=60.0, reference="bipolar"),
    label_rule="folder normal = 0, folder abnormal = 1; windows of 10 s side by side",
    split=ByOfficialFolder(train_share=0.8),
    expected={"train": 297103, "val": 75407, "test": 36945},
    n_subjects=2329,
    raw_layout="edf/{train,eval}/{normal,abnormal}/01_tcp_ar/SUBJECT_sNNN_tNNN.edf",
    access="registration: https://isip.piconepress.com/projects/nedc/html/tuh_eeg/",
    licence="terms of the Temple University Hospital EEG corpus",
    citation=(
        "Lopez et al. 2015, Automated identification of abnormal adult EEGs, IEEE SPMB; Obeid and Picone "
        "2016, The Temple University Hospital EEG data corpus, Frontiers in Neuroscience 10:196"
    ),
    source="TUH Abnormal EEG corpus v3.0.1",
    anchors=(
        *published(
            CBRAMOD,
            BINARY,
            EEGNet=(0.7642, 0.8299, 0.8412),
            EEGConformer=(0.7758, 0.8427, 0.8445),
            BIOT=(0.7959, 0.8792, 0.8815),
            LaBraM=(0.8140, 0.8965, 0.9022),
            LaBraM_Huge=(0.8258, 0.9204, 0.9162),
            CBraMod=(0.8289, 0.9258, 0.9227),
        ),
        *published(REVE, BINARY, REVE=(0.8315, 0.9281, 0.9245)),
        *published("user reports, CBraMod issues 12 and 16", BINARY, CBraMod=(0.776, 0.866, 0.861)),
        *published("arXiv 2606.08583, 3 seeds (.773 to .781)", BINARY, EEGMamba=(0.777,)),
    ),
    notes=(
        "Recordings without an electrode of the montage are named as skipped.",
        "A person with normal and abnormal recordings in the training part belongs to one split as a whole.",
        "CBraMod's authors note that published comparisons used different random splits of the training "
        "part.",
    ),
)


def find(root: Path) -> Found:
    """Find recordings by part and diagnosis."""
    recordings, skipped = [], []
    parts: dict[str, Split] = {"train": "train", "eval": "test"}
    for path in files_below(root, "*.edf", SPEC.raw_layout):
        folders = path.relative_to(root).parts[:-1]
        part = next((name for name in folders if name in parts), None)
        group = next((name for name in folders if name in SPEC.class_names), None)
        if part is None or group is None or MONTAGE_FOLDER not in folders:
            where = "/".join(folders) or "."
            skipped.append(Skipped(what=path.name, reason=f"in the folder {where}, not {SPEC.raw_layout}"))
        elif reason := misfit(path, electrodes(SPEC), SPEC.source_rates_hz, name_of=electrode):
            skipped.append(Skipped(what=path.name, reason=reason))
        else:
            recordings.append(
                Recording(
                    key=f"{part}_{group}_{path.stem}",
                    paths=(path,),
                    subject=path.stem.split("_")[0],
                    session="_".join(path.stem.split("_")[1:]),
                    group=group,
                    provided=parts[part],
                )
            )
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut windows of 10 s; all of a recording have the label of its folder."""
    values, starts_s = cut_windows(read_derivations(recording.paths[0], SPEC), SPEC.n_times)
    n = len(values)
    labels = np.full(n, SPEC.class_names.index(recording.group), dtype=np.int64)
    return Windows(values=values, labels=labels, starts_s=starts_s, trials=np.arange(n))


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
