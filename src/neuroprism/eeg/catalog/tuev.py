"""TUEV: six types of EEG events in clinical recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroprism.core.records import Split
from neuroprism.eeg.catalog.published import CBRAMOD, MULTICLASS, REVE, published
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.edf import misfit
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.readers.tuh import EVENT_LABELS, electrode, electrodes, read_derivations, read_tuh_events
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.spec import SAMPLE_RATE_HZ, DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import ByOfficialFolder

EVENT_S, CONTEXT_S = 1.0, 2.0
"""Length of an event, and of what is added before and after it."""

SPEC = DatasetSpec(
    name="TUEV",
    title="six types of clinical EEG events",
    task="multiclass",
    class_names=EVENT_LABELS,
    channels=(
        *("FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP2-F8", "F8-T4", "T4-T6", "T6-O2"),
        *("FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
    ),
    source_rates_hz=(250.0, 256.0),
    n_patches=5,
    preprocessing=Preprocessing(high_pass_hz=0.3, low_pass_hz=75.0, notch_hz=60.0, reference="bipolar"),
    label_rule=(
        "each row of the .rec file is one sample: the second of the event with 2 s before and after; label = "
        "type - 1; at the ends of a file the signal continues with its other end"
    ),
    split=ByOfficialFolder(train_share=0.8),
    expected={"train": 68445, "val": 15487, "test": 29421},
    n_subjects=370,
    raw_layout="edf/train/SUBJECT/SUBJECT_NNNNNNNN.edf and edf/eval/NNN/*.edf, each with its .rec file",
    access="registration: https://isip.piconepress.com/projects/nedc/html/tuh_eeg/",
    licence="terms of the Temple University Hospital EEG corpus",
    citation=(
        "Harati et al. 2015, Improved EEG event classification using differential energy, IEEE SPMB; Obeid "
        "and Picone 2016, The Temple University Hospital EEG data corpus, Frontiers in Neuroscience 10:196"
    ),
    source="TUH EEG Events corpus v2.0.1",
    anchors=(
        *published(
            CBRAMOD,
            MULTICLASS,
            EEGNet=(0.3876, 0.3577, 0.6539),
            EEGConformer=(0.4074, 0.3967, 0.6983),
            BIOT=(0.5281, 0.5273, 0.7492),
            LaBraM=(0.6409, 0.6637, 0.8312),
            LaBraM_Huge=(0.6616, 0.6745, 0.8329),
            CBraMod=(0.6671, 0.6772, 0.8342),
        ),
        *published(REVE, MULTICLASS, REVE=(0.6759, 0.6783, 0.8451)),
        *published("user report, CBraMod issue 5", MULTICLASS, CBraMod=(0.599,)),
    ),
    notes=(
        "Expected counts are of v2.0.1; v2.0.0 gives 67,436 / 15,634 / 29,421.",
        "Rows that describe the same second on several channels are samples of their own with the same "
        "signal.",
        "CBraMod's authors note that published comparisons used different random splits of the training "
        "part.",
    ),
)


def find(root: Path) -> Found:
    """Find recordings with their events in the two parts of the corpus."""
    recordings, skipped = [], []
    parts: dict[str, Split] = {"train": "train", "eval": "test"}
    for path in files_below(root, "*.edf", SPEC.raw_layout):
        part = next((name for name in path.relative_to(root).parts if name in parts), None)
        events = path.with_suffix(".rec")
        if part is None:
            reason = "in neither of the folders train and eval"
        elif not events.is_file():
            reason = f"no events: {events.name} is missing"
        else:
            reason = misfit(path, electrodes(SPEC), SPEC.source_rates_hz, name_of=electrode)
        if part is None or reason:
            skipped.append(Skipped(what=path.name, reason=reason))
            continue
        # Files of the evaluation part are named by event; there the folder is the subject.
        subject = path.stem.split("_")[0] if part == "train" else path.parent.name
        recordings.append(
            Recording(key=f"{part}_{path.stem}", paths=(path, events), subject=subject, provided=parts[part])
        )
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut 5 s around each event."""
    path, event_path = recording.paths
    events = read_tuh_events(event_path)
    signal = read_derivations(path, SPEC)
    n_times = signal.shape[1]
    kept, left_out = [], []
    for event in events:
        if abs(event.stop_s - event.start_s - EVENT_S) > 0.01 or event.stop_s * SAMPLE_RATE_HZ > n_times + 1:
            what = f"{recording.key}: {event.start_s:g} to {event.stop_s:g} s"
            left_out.append(Skipped(what=what, reason="not one second within the recording"))
        else:
            kept.append(event)
    starts = np.array([round((e.start_s - CONTEXT_S) * SAMPLE_RATE_HZ) for e in kept], dtype=np.int64)
    values = np.empty((len(kept), SPEC.n_channels, SPEC.n_times), dtype=np.float32)
    for row, start in zip(values, starts, strict=True):
        row[:] = signal.take(np.arange(start, start + SPEC.n_times), axis=1, mode="wrap")
    return Windows(
        values=values,
        labels=np.array([event.label for event in kept], dtype=np.int64),
        starts_s=starts / SAMPLE_RATE_HZ,
        trials=np.arange(len(kept)),
        left_out=tuple(left_out),
    )


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
