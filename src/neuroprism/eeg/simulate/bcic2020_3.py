"""BCIC2020-3: training and validation trials as MATLAB 5, test trials as MATLAB 7.3, answers as xlsx."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.core.errors import ConfigError
from neuroprism.core.files import replace_bytes
from neuroprism.eeg.catalog.bcic2020_3 import ANSWER_SHEET, FOLDERS, SPEC
from neuroprism.eeg.simulate.mat_files import cell, write_mat, write_mat73
from neuroprism.eeg.simulate.rhythms import simulate_eeg, subject_gain

RATE_HZ, N_TIMES = 256, 795
N_TRIALS = {"train": 30, "val": 10, "test": 10}
"""Real files have 300, 50 and 50."""

N_SUBJECTS, N_CLASSES = 15, len(SPEC.class_names)


def write(out: Path, n_subjects: int, seed: int) -> None:
    """Write ``Data_SampleNN.mat`` in the three folders, and the answer sheet for all 15 subjects."""
    if n_subjects > N_SUBJECTS:
        raise ConfigError(f"subjects: {n_subjects}; BCIC2020-3 has {N_SUBJECTS}")
    answers = []
    for number in range(1, N_SUBJECTS + 1):
        rng = np.random.default_rng([seed, number])
        labels = {
            split: rng.permutation(np.arange(n_trials) % N_CLASSES) for split, n_trials in N_TRIALS.items()
        }
        answers.append(labels["test"] + 1)
        if number <= n_subjects:
            _write_subject(out, rng, number, labels)
    replace_bytes(out / "Test set" / ANSWER_SHEET, _sheet(answers))


def _write_subject(
    out: Path, rng: np.random.Generator, number: int, labels: dict[str, np.ndarray[Any, Any]]
) -> None:
    gain = subject_gain(rng)
    for folder, (split, name) in FOLDERS.items():
        trials = [
            simulate_eeg(
                rng,
                n_channels=SPEC.n_channels,
                n_times=N_TIMES,
                sample_rate_hz=RATE_HZ,
                rhythm=int(label),
                n_rhythms=N_CLASSES,
                gain=gain,
            )
            for label in labels[split]
        ]
        epochs: dict[str, Any] = {
            "clab": cell(*SPEC.channels),
            "fs": float(RATE_HZ),
            "title": f"Data_Sample{number:02d}",
            "t": -500 + np.arange(N_TIMES)[None] * 1000 / RATE_HZ,
            "x": np.stack(trials).transpose(2, 1, 0).astype(np.float64),
        }
        if split != "test":
            epochs["y"] = np.eye(N_CLASSES)[:, labels[split]]
        save = write_mat73 if split == "test" else write_mat
        save(out / folder / f"Data_Sample{number:02d}.mat", {name: epochs})


def _sheet(answers: list[np.ndarray[Any, Any]]) -> bytes:
    """Return an answer sheet: three header rows, then a row a trial with two columns a subject."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "Track3"
    sheet.append(["Answer sheet of the test set"])
    sheet.append([None, *(word for k in range(len(answers)) for word in (f"Data_Sample{k + 1:02d}", None))])
    sheet.append([None, *(["Trial #", "True Label"] * len(answers))])
    for trial in range(N_TRIALS["test"]):
        sheet.append([None, *(value for column in answers for value in (trial + 1, int(column[trial])))])
    buffer = BytesIO()
    book.save(buffer)
    return _without_times(buffer.getvalue())


def _without_times(archive: bytes) -> bytes:
    """Take the time of writing out of an xlsx file, so that a seed decides every byte."""
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2020-01-01T00:00:00Z", old.read(name))
            new.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
