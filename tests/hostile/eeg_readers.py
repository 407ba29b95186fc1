"""Readers of EEG: raw formats, stores of earlier code, prepared stores, weights."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hostile.reader import Reader

CHANNELS = ("Fz", "Cz", "Pz")
DATASET = "MentalArithmetic"


def _signal_uv(n_times: int = 400) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).normal(0, 20, (len(CHANNELS), n_times))


def _text(name: str, text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_text(text)
        return path

    return write


def _write_edf(folder: Path) -> Path:
    from neuroprism.eeg.simulate.edf_files import write_edf

    write_edf(folder / "a.edf", _signal_uv(), CHANNELS, 200, events=((0.5, 1.0, "T1"),))
    return folder / "a.edf"


def _read_edf(path: Path) -> object:
    from neuroprism.eeg.readers.edf import misfit, read_edf

    return misfit(path, CHANNELS, (200.0,)), read_edf(path, CHANNELS)


def _write_cnt(folder: Path) -> Path:
    from neuroprism.eeg.simulate.cnt_writer import write_cnt

    write_cnt(folder / "a.cnt", _signal_uv(), CHANNELS, 200)
    return folder / "a.cnt"


def _read_cnt(path: Path) -> object:
    from neuroprism.eeg.readers.cnt import open_cnt

    recording = open_cnt(path)
    return recording.read_uv([0], 0, min(recording.n_times, 100))


def _epochs() -> dict[str, Any]:
    from neuroprism.eeg.simulate.mat_files import cell

    return {"clab": cell(*CHANNELS), "fs": 200.0, "x": np.ones((5, 3, 4)), "y": np.eye(4)}


def _write_mat(folder: Path) -> Path:
    from neuroprism.eeg.simulate.mat_files import write_mat

    write_mat(folder / "a.mat", {"epo": _epochs()})
    return folder / "a.mat"


def _write_mat73(folder: Path) -> Path:
    from neuroprism.eeg.simulate.mat_files import write_mat73

    write_mat73(folder / "a.mat", {"epo": _epochs()})
    return folder / "a.mat"


def _read_epochs(path: Path) -> object:
    from neuroprism.eeg.readers.bbci_epochs import read_bbci_epochs
    from neuroprism.eeg.readers.mat import mat_variables

    epochs = read_bbci_epochs(path, "epo")
    return mat_variables(path), epochs.labels(4)


def _write_sheet(folder: Path) -> Path:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Answers"], [None, "Data_Sample01"], [None, "Trial #", "True Label"]):
        sheet.append(row)
    for trial in range(6):
        sheet.append([None, trial + 1, trial % 5 + 1])
    book.save(folder / "answers.xlsx")
    return folder / "answers.xlsx"


def _read_sheet(path: Path) -> object:
    from neuroprism.eeg.readers.answer_sheet import read_answer_sheet

    return read_answer_sheet(path, 1)


def _read_summary(path: Path) -> object:
    from neuroprism.eeg.readers.chb_summary import read_chb_summary

    return read_chb_summary(path)


def _read_stages(path: Path) -> object:
    from neuroprism.eeg.readers.isruc_labels import read_isruc_labels

    return read_isruc_labels(path)


def _read_clips(path: Path) -> object:
    from neuroprism.eeg.readers.seed_v_clips import read_clip_times

    return read_clip_times(path, 1)


def _clips() -> str:
    from neuroprism.eeg.readers.seed_v_clips import CLIPS

    starts, ends = (list(times) for times in zip(*CLIPS[1], strict=True))
    return f"Session 1:\nstart_second: {starts}\nend_second: {ends}\n"


def _write_clips(folder: Path) -> Path:
    return _text("times.txt", _clips())(folder)


def _read_events(path: Path) -> object:
    from neuroprism.eeg.readers.tuh import read_tuh_events

    return read_tuh_events(path)


def _write_pickle(folder: Path) -> Path:
    path = folder / "sub000.pkl"
    path.write_bytes(pickle.dumps(_signal_uv(20)))
    return path


def _read_pickle(path: Path) -> object:
    from neuroprism.eeg.readers.pickled_arrays import read_pickled_array

    return read_pickled_array(path)


def windows() -> dict[str, dict[str, Any]]:
    """Return three people with one window each, by split and name."""
    rng = np.random.default_rng(3)
    names = {
        "train": ("Subject00_1-0", "Subject00_2-0"),
        "val": ("Subject28_1-0",),
        "test": ("Subject32_2-0",),
    }
    return {
        split: {
            name: {"sample": rng.normal(0, 20, (20, 5, 200)).astype(np.float32), "label": k}
            for k, name in enumerate(found)
        }
        for split, found in names.items()
    }


def write_lmdb(folder: Path, values: dict[str, bytes] | None = None) -> Path:
    """Write an LMDB of earlier code; `values` stand in place of samples, or beside them."""
    import lmdb

    path = folder / "old"
    samples = {name: pickle.dumps(value) for found in windows().values() for name, value in found.items()}
    names = {split: list(found) for split, found in windows().items()}
    content = {"__keys__": pickle.dumps(names)} | samples | (values or {})
    with lmdb.open(str(path), map_size=2**24) as environment, environment.begin(write=True) as transaction:
        for name, value in content.items():
            transaction.put(name.encode(), value)
    (path / "lock.mdb").unlink()
    return path


def _write_folders(folder: Path) -> Path:
    for split, found in windows().items():
        (folder / "old" / split).mkdir(parents=True)
        for name, value in found.items():
            (folder / "old" / split / f"{name}.pkl").write_bytes(pickle.dumps(value))
    return folder / "old"


def _write_pairs(folder: Path) -> Path:
    for kind, array in (("seq", _signal_uv(20)), ("labels", np.arange(3))):
        place = folder / "old" / kind / "ISRUC-group1-1"
        place.mkdir(parents=True)
        np.save(place / f"{kind}-0.npy", array)
    return folder / "old"


def _read_samples(path: Path) -> object:
    from neuroprism.eeg.catalog import datasets
    from neuroprism.eeg.legacy_samples import open_samples

    with closing(open_samples(path, datasets[DATASET].spec)) as samples:
        return [samples.read(key) for key in samples.keys()]  # noqa: SIM118 - no mapping


def _import_words(path: Path) -> list[str]:
    return ["import-lmdb", DATASET, str(path), str(path.parent / "never")]


def write_store(folder: Path) -> Path:
    """Write a prepared store with the file of its baselines."""
    import shutil

    from neuroprism.eeg.baselines.results import BaselineResult, write_baselines
    from neuroprism.eeg.catalog import datasets
    from neuroprism.eeg.legacy_store import import_legacy
    from neuroprism.eeg.store import EegStore

    old = write_lmdb(folder)
    import_legacy(datasets[DATASET], old, folder / "store", progress=False)
    shutil.rmtree(old)
    store = EegStore.open(folder / "store")
    result = BaselineResult(
        method="chance", title="Chance", n_features=0, val={"roc_auc": 0.5}, test={}, seconds=0.1
    )
    write_baselines(store, [result], seed=0)
    return folder / "store"


def _read_store(path: Path) -> object:
    from neuroprism.eeg.baselines.results import read_baselines
    from neuroprism.eeg.store import EegStore

    store = EegStore.open(path, DATASET)
    return store.read(np.arange(len(store))), read_baselines(path)


def _tensors() -> dict[str, Any]:
    import torch

    return {"layer.weight": torch.ones(4, 3), "layer.bias": torch.zeros(4)}


def _write_weights(folder: Path, *, zipped: bool) -> Path:
    import torch

    torch.save(_tensors(), folder / "w.pth", _use_new_zipfile_serialization=zipped)
    return folder / "w.pth"


def _write_safetensors(folder: Path) -> Path:
    from safetensors.torch import save_file

    save_file(_tensors(), folder / "w.safetensors")
    return folder / "w.safetensors"


def _read_weights(path: Path) -> object:
    from neuroprism.eeg.weights_file import read_weights

    return read_weights(path)


SUMMARY = """Data Sampling Rate: 256 Hz

File Name: chb01_03.edf
File Start Time: 13:43:04
Number of Seizures in File: 1
Seizure Start Time: 2996 seconds
Seizure End Time: 3036 seconds
"""

READERS = (
    Reader(
        name="edf", modules=("eeg.readers.edf", "eeg.readers.edf_header"), write=_write_edf, read=_read_edf
    ),
    Reader(name="cnt", modules=("eeg.readers.cnt",), write=_write_cnt, read=_read_cnt),
    Reader(
        name="mat 5",
        modules=("eeg.readers.mat", "eeg.readers.mat_structure", "eeg.readers.bbci_epochs"),
        write=_write_mat,
        read=_read_epochs,
    ),
    Reader(
        name="mat 7.3",
        modules=("eeg.readers.mat", "eeg.readers.hdf5_values"),
        write=_write_mat73,
        read=_read_epochs,
    ),
    Reader(name="answer sheet", modules=("eeg.readers.answer_sheet",), write=_write_sheet, read=_read_sheet),
    Reader(
        name="summary of seizures",
        modules=("eeg.readers.chb_summary",),
        write=_text("chb01-summary.txt", SUMMARY),
        read=_read_summary,
    ),
    Reader(
        name="sleep stages",
        modules=("eeg.readers.isruc_labels",),
        write=_text("1_1.txt", "0\n1\n2\n3\n5\n"),
        read=_read_stages,
        # Each of its lines is a stage.
        takes=frozenset({"many rows"}),
    ),
    Reader(
        name="times of clips", modules=("eeg.readers.seed_v_clips",), write=_write_clips, read=_read_clips
    ),
    Reader(
        name="rows of events",
        modules=("eeg.readers.tuh",),
        write=_text("a.rec", "0,1.0,2.0,1\n3,5.5,6.5,6\n"),
        read=_read_events,
    ),
    Reader(
        name="pickled array", modules=("eeg.readers.pickled_arrays",), write=_write_pickle, read=_read_pickle
    ),
    Reader(
        name="lmdb",
        modules=("eeg.legacy_samples",),
        write=write_lmdb,
        read=_read_samples,
        command=_import_words,
    ),
    Reader(
        name="pickled windows",
        modules=("eeg.legacy_samples",),
        write=_write_folders,
        read=_read_samples,
        command=_import_words,
    ),
    Reader(name="pairs of arrays", modules=("eeg.legacy_samples",), write=_write_pairs, read=_read_samples),
    Reader(
        name="prepared store",
        modules=("eeg.store_card", "eeg.store_index", "eeg.shards", "eeg.baselines.results"),
        write=write_store,
        read=_read_store,
    ),
    Reader(
        name="weights",
        modules=("eeg.weights_file",),
        write=partial(_write_weights, zipped=True),
        read=_read_weights,
    ),
    Reader(
        name="weights in the old layout",
        modules=("eeg.weights_file",),
        write=partial(_write_weights, zipped=False),
        read=_read_weights,
    ),
    Reader(name="safetensors", modules=("eeg.weights_file",), write=_write_safetensors, read=_read_weights),
)
