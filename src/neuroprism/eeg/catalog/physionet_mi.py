"""PhysioNet-MI: imagined movement of a fist, both fists or both feet, 109 subjects."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.published import CBRAMOD, MULTICLASS, REPRODUCED, REVE, published
from neuroprism.eeg.checks import check_rate, check_signal
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.edf import misfit, read_edf
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import condition, windows_at
from neuroprism.eeg.spec import SAMPLE_RATE_HZ, DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber

_FIST = {"T1": 0, "T2": 1}
_BOTH = {"T1": 2, "T2": 3}
LABEL_OF_EVENT = {4: _FIST, 8: _FIST, 12: _FIST, 6: _BOTH, 10: _BOTH, 14: _BOTH}
"""Run to what its events mean; T0 is rest and makes no window."""

SPEC = DatasetSpec(
    name="PhysioNet-MI",
    title="motor imagery of fists and feet",
    task="multiclass",
    class_names=("left fist", "right fist", "both fists", "both feet"),
    channels=(
        *("FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6", "C5", "C3", "C1", "Cz", "C2", "C4", "C6"),
        *("CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "Fp1", "Fpz", "Fp2", "AF7", "AF3", "AFz"),
        *("AF4", "AF8", "F7", "F5", "F3", "F1", "Fz", "F2", "F4", "F6", "F8", "FT7", "FT8", "T7", "T8"),
        *("T9", "T10", "TP7", "TP8", "P7", "P5", "P3", "P1", "Pz", "P2", "P4", "P6", "P8", "PO7", "PO3"),
        *("POz", "PO4", "PO8", "O1", "Oz", "O2", "Iz"),
    ),
    source_rates_hz=(160.0,),
    n_patches=4,
    preprocessing=Preprocessing(high_pass_hz=0.3, notch_hz=60.0, reference="average"),
    label_rule=(
        "by annotation text and run: 4, 8, 12: T1 = left fist, T2 = right fist; 6, 10, 14: T1 = both fists, "
        "T2 = both feet; the 4 s from the cue"
    ),
    split=BySubjectNumber(train=range(1, 71), val=range(71, 90), test=range(90, 110)),
    expected={"train": 6300, "val": 1734, "test": 1758},
    n_subjects=109,
    raw_layout="SXXX/SXXXRYY.edf, runs YY = 04, 06, 08, 10, 12, 14",
    access="open: https://physionet.org/content/eegmmidb/1.0.0/",
    licence="Open Data Commons Attribution License 1.0",
    citation=(
        "Schalk et al. 2004, BCI2000: a general-purpose brain-computer interface system, IEEE Transactions "
        "on Biomedical Engineering 51(6):1034; Goldberger et al. 2000, Circulation 101(23):e215"
    ),
    source="PhysioNet eegmmidb 1.0.0",
    anchors=(
        *published(
            CBRAMOD,
            MULTICLASS,
            EEGNet=(0.5814, 0.4468, 0.5796),
            EEGConformer=(0.6049, 0.4736, 0.6062),
            BIOT=(0.6153, 0.4875, 0.6158),
            LaBraM=(0.6173, 0.4912, 0.6177),
            CBraMod=(0.6417, 0.5222, 0.6427),
            CBraMod_from_scratch=(0.6196, 0.4994, 0.6289),
        ),
        *published(REVE, MULTICLASS, REVE=(0.6480, 0.5306, 0.6484), REVE_from_scratch=(0.5409,)),
        *published(
            REPRODUCED,
            MULTICLASS,
            CBraMod=(0.6265, 0.5019, 0.6271),
            CBraMod_from_scratch=(0.5738,),
            EEGNet=(0.5948,),
            LaBraM=(0.6098,),
        ),
        *published(
            "HosseinDahaei/EEGMamba, one run with z-scored input",
            MULTICLASS,
            EEGMamba=(0.5813, 0.4410, 0.5797),
        ),
    ),
    notes=(
        "Not every subject has 90 trials; the expected counts are those of the EEGMamba fork (9,792), the "
        "CBraMod paper counts 9,837. S088, S092 and S100 were sampled at 128 Hz and are named as skipped; "
        "S104 is used.",
        "The EEGMamba fork standardises every window (data.scaling=zscore); upstream and CBraMod divide by "
        "100 uV, the default here.",
    ),
)

_NAME = re.compile(r"S(\d{3})R(\d{2})", re.IGNORECASE)


def find(root: Path) -> Found:
    """Find the imagery runs; other runs of the protocol (rest, executed movement) are not part of it."""
    recordings, skipped = [], []
    for path in files_below(root, "*.edf", SPEC.raw_layout):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            skipped.append(Skipped(what=path.name, reason="not named SXXXRYY"))
        elif int(match[2]) in LABEL_OF_EVENT:
            if reason := misfit(path, (), SPEC.source_rates_hz):
                skipped.append(Skipped(what=path.name, reason=reason))
                continue
            recordings.append(
                Recording(
                    key=path.stem.upper(), paths=(path,), subject=f"S{match[1]}", session=f"R{match[2]}"
                )
            )
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut the 4 s after each cue of movement."""
    where = str(recording.paths[0])
    edf = read_edf(recording.paths[0], SPEC.channels, name_of=lambda label: label.rstrip("."))
    check_rate(edf.sample_rate_hz, SPEC, where)
    check_signal(edf.signal_uv, SPEC.channels, where)
    label_of = LABEL_OF_EVENT[int(recording.session[1:])]
    events = [event for event in edf.events if event.text in label_of]
    if not events:
        texts = ", ".join(sorted({event.text for event in edf.events})) or "none"
        raise DataError(f"{where}: no event T1 or T2; the file has {texts}")
    signal = condition(edf.signal_uv, edf.sample_rate_hz, SPEC.preprocessing, where=where)
    starts = np.array([round(event.onset_s * SAMPLE_RATE_HZ) for event in events])
    fits = starts + SPEC.n_times <= signal.shape[1]
    return Windows(
        values=windows_at(signal, starts[fits], SPEC.n_times),
        labels=np.array([label_of[event.text] for event in events], dtype=np.int64)[fits],
        starts_s=starts[fits] / SAMPLE_RATE_HZ,
        trials=np.flatnonzero(fits),
        left_out=tuple(
            Skipped(
                what=f"{recording.key}: {event.text} at {event.onset_s:g} s", reason="file ends within 4 s"
            )
            for event, whole in zip(events, fits, strict=True)
            if not whole
        ),
    )


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
