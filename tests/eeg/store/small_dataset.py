"""A dataset of six subjects with two recordings each, whose raw files are arrays.

A module of its own, so that processes that are spawned can import it.
"""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.eeg.dataset_registry import Dataset
from neuroprism.eeg.recordings import Found, Recording, Skipped, Windows
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber

N_WINDOWS = 5

SPEC = DatasetSpec(
    name="Small",
    title="for tests",
    task="binary",
    class_names=("calm", "busy"),
    channels=("Fz", "Cz", "Pz"),
    source_rates_hz=(200.0,),
    n_patches=2,
    preprocessing=Preprocessing(),
    label_rule="by session",
    split=BySubjectNumber(train=range(3), val=range(3, 4), test=range(4, 6)),
    expected={"train": 30, "val": 10, "test": 20},
    n_subjects=6,
    raw_layout="sN_S.npy",
    access="none",
    licence="none",
    citation="none",
    source="none",
)


def write_raw(folder: Path, subjects: range = range(6), seed: int = 0) -> Path:
    """Write two recordings of each subject: 10.5 s, 3 channels, microvolt."""
    folder.mkdir(parents=True, exist_ok=True)
    for subject in subjects:
        for session in (0, 1):
            rng = np.random.default_rng([seed, subject, session])
            signal_uv = rng.normal(0, 20, (3, 2100)).astype(np.float32)
            np.save(folder / f"s{subject}_{session}.npy", signal_uv)
    return folder


def find(raw: Path) -> Found:
    """Find arrays by name."""
    recordings, skipped = [], []
    for path in sorted(raw.iterdir()):
        if path.suffix != ".npy":
            skipped.append(Skipped(what=path.name, reason="not an array"))
            continue
        subject, session = path.stem.split("_")
        recordings.append(Recording(key=path.stem, paths=(path,), subject=subject[1:], session=session))
    return Found(recordings=tuple(recordings), skipped=tuple(skipped))


def cut(recording: Recording) -> Windows:
    """Cut 2 s windows; note each call beside the raw folder, and obey what lies there."""
    path = recording.paths[0]
    beside = path.parent.parent
    with (beside / "cut.log").open("a") as log:
        log.write(f"{recording.key}\n")
    if (beside / f"kill_{recording.key}").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if (beside / f"interrupt_{recording.key}").exists():
        raise KeyboardInterrupt
    try:
        signal_uv = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        raise DataError(f"{path}: not a recording") from None
    n = signal_uv.shape[1] // 400
    values = np.stack([signal_uv[:, k * 400 : (k + 1) * 400] for k in range(n)])
    rest = Skipped(what=f"{recording.key}: end", reason="shorter than a window")
    return Windows(
        values=values,
        labels=np.full(n, int(recording.session), dtype=np.int64),
        starts_s=np.arange(n) * 2.0,
        trials=np.arange(n),
        left_out=(rest,) if signal_uv.shape[1] % 400 else (),
    )


def make_dataset(**changes: Any) -> Dataset:
    """Return the dataset with changes of its declaration."""
    return Dataset(spec=dataclasses.replace(SPEC, **changes), find=find, cut=cut)


def calls(raw: Path) -> list[str]:
    """Return what was cut since the last call, in the order in which it was."""
    log = raw.parent / "cut.log"
    lines = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines
