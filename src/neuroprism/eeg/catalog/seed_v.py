"""SEED-V: five emotions evoked by film clips, 16 subjects with three visits each."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog.published import CBRAMOD, MULTICLASS, published
from neuroprism.eeg.checks import check_rate, check_signal, pick
from neuroprism.eeg.dataset_registry import Dataset, register
from neuroprism.eeg.readers.cnt import CntRecording, open_cnt
from neuroprism.eeg.readers.raw_folder import files_below, found_in
from neuroprism.eeg.readers.seed_v_clips import CLIPS, FILE_NAME, LABELS, read_clip_times
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.signal import Signal, condition, cut_windows
from neuroprism.eeg.spec import SAMPLE_RATE_HZ, DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import ByTrial

MARGIN_S = 11
"""Read on either side of clips: the length of the filter, so that the result is the same as when the whole
hour is read."""

READ_S = 300
"""Seconds that are read at a time, or one clip if that is longer: 150 MB."""

SPEC = DatasetSpec(
    name="SEED-V",
    title="five emotions evoked by film clips",
    task="multiclass",
    class_names=("disgust", "fear", "sad", "neutral", "happy"),
    channels=(
        *("FP1", "FPZ", "FP2", "AF3", "AF4", "F7", "F5", "F3", "F1", "FZ", "F2", "F4", "F6", "F8", "FT7"),
        *("FC5", "FC3", "FC1", "FCZ", "FC2", "FC4", "FC6", "FT8", "T7", "C5", "C3", "C1", "CZ", "C2", "C4"),
        *("C6", "T8", "TP7", "CP5", "CP3", "CP1", "CPZ", "CP2", "CP4", "CP6", "TP8", "P7", "P5", "P3"),
        *("P1", "PZ", "P2", "P4", "P6", "P8", "PO7", "PO5", "PO3", "POZ", "PO4", "PO6", "PO8", "CB1", "O1"),
        *("OZ", "O2", "CB2"),
    ),
    source_rates_hz=(1000.0,),
    n_patches=1,
    preprocessing=Preprocessing(high_pass_hz=0.3, low_pass_hz=75.0),
    label_rule="emotion of the film clip by visit and clip number; windows of 1 s side by side in each clip",
    split=ByTrial(train=range(5), val=range(5, 10), test=range(10, 15)),
    within_subject=True,
    expected={"train": 34432, "val": 42960, "test": 40352},
    n_subjects=16,
    raw_layout=f"EEG_raw/SUBJECT_VISIT_DATE.cnt, e.g. 1_1_20180804.cnt, and {FILE_NAME} where it is there",
    access="licence application: https://bcmi.sjtu.edu.cn/home/seed/seed-v.html",
    licence="terms of the BCMI laboratory, Shanghai Jiao Tong University",
    citation=(
        "Liu et al. 2022, Comparing recognition performance and robustness of multimodal deep learning "
        "models for multimodal emotion recognition, IEEE TCDS 14(2):715, doi:10.1109/TCDS.2021.3071170"
    ),
    source="BCMI laboratory, SEED-V",
    anchors=published(
        CBRAMOD,
        MULTICLASS,
        EEGNet=(0.2961, 0.1006, 0.2749),
        EEGConformer=(0.3537, 0.1772, 0.3487),
        CNN_Transformer=(0.3678, 0.2072, 0.3642),
        BIOT=(0.3837, 0.2261, 0.3856),
        LaBraM=(0.3976, 0.2386, 0.3974),
        CBraMod=(0.4091, 0.2569, 0.4101),
    ),
    notes=(
        "Not subject-independent: every subject is in all three splits, with other clips.",
        f"The times of the clips are read from {FILE_NAME} where the folder has it; otherwise the published "
        "table holds. The visit counts by clip material, not by date (provider's README).",
        "M1, M2, VEO and HEO are left out; channels go by name. Emotion names are of the public description.",
        "Filtered before resampling, clip by clip with a margin; published code resampled before filtering.",
    ),
)

_NAME = re.compile(r"(\d+)_([123])_(\d+)")


def find(root: Path) -> Found:
    """Find the recording of each visit."""
    recordings, skipped = [], []
    times = tuple(sorted(root.rglob(FILE_NAME))[:1])
    for path in files_below(root, "*.cnt", SPEC.raw_layout):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            skipped.append(Skipped(what=path.name, reason="not named SUBJECT_VISIT_DATE"))
            continue
        key = f"{int(match[1]):02d}_{match[2]}_{match[3]}"
        recordings.append(Recording(key=key, paths=(path, *times), subject=match[1], session=match[2]))
    return found_in(root, recordings, skipped, SPEC.raw_layout)


def cut(recording: Recording) -> Windows:
    """Cut windows of 1 s from each clip; the trial is the number of the clip."""
    visit, where = int(recording.session), str(recording.paths[0])
    labels = LABELS[visit]
    times = [read_clip_times(path, visit) for path in recording.paths[1:]]
    clips = np.array(times[0] if times else CLIPS[visit])
    cnt = open_cnt(recording.paths[0])
    check_rate(cnt.sample_rate_hz, SPEC, where)
    rows = pick(cnt.channels, SPEC.channels, where)
    if clips[-1, 1] * cnt.sample_rate_hz > cnt.n_times:
        lasts = cnt.n_times / cnt.sample_rate_hz
        raise DataError(f"{where}: lasts {lasts:.0f} s, but its last clip ends at {clips[-1, 1]} s")
    lengths = clips[:, 1] - clips[:, 0]
    values = np.empty((lengths.sum(), *SPEC.window_shape), dtype=np.float32)
    first = 0
    for group in _read_together(clips.tolist()):
        signal, begin_s = _conditioned(cnt, rows, group[0][0], group[-1][1])
        for start_s, end_s in group:
            inside = slice((start_s - begin_s) * SAMPLE_RATE_HZ, (end_s - begin_s) * SAMPLE_RATE_HZ)
            values[first : first + end_s - start_s] = cut_windows(signal[:, inside], SPEC.n_times)[0]
            first += end_s - start_s
    return Windows(
        values=values,
        labels=np.repeat(np.array(labels, dtype=np.int64), lengths),
        starts_s=np.concatenate([np.arange(a, b) for a, b in clips]).astype(np.float64),
        trials=np.repeat(np.arange(len(clips)), lengths),
    )


def _read_together(clips: list[list[int]]) -> list[list[list[int]]]:
    """Group neighbouring clips, each group within `READ_S` seconds or a single clip."""
    groups = [[clips[0]]]
    for clip in clips[1:]:
        if clip[1] - groups[-1][0][0] <= READ_S:
            groups[-1].append(clip)
        else:
            groups.append([clip])
    return groups


def _conditioned(cnt: CntRecording, rows: list[int], start_s: int, end_s: int) -> tuple[Signal, int]:
    """Read a stretch with its margins and condition it; return it with its first second."""
    begin_s = max(0, start_s - MARGIN_S)
    stop_s = min(end_s + MARGIN_S, math.floor(cnt.n_times / cnt.sample_rate_hz))
    where = f"{cnt.path}: {begin_s} to {stop_s} s"
    signal = cnt.read_uv(rows, round(begin_s * cnt.sample_rate_hz), round(stop_s * cnt.sample_rate_hz))
    check_signal(signal, SPEC.channels, where)
    return condition(signal, cnt.sample_rate_hz, SPEC.preprocessing, where=where), begin_s


DATASET = register(Dataset(spec=SPEC, find=find, cut=cut))
