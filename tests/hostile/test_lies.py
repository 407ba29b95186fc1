"""Files in their true format that lie: of sizes, of places, of what they hold."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from hostile.abr_readers import write_set
from hostile.corpus import npy_head, zip_of
from hostile.eeg_readers import write_lmdb, write_store
from hostile.pickles import PICKLES
from hostile.reader import files_of
from hostile.table import READERS
from neuroprism.abr.store import file_sha256, load_recordings
from neuroprism.core.errors import DataError
from neuroprism.eeg.catalog import datasets
from neuroprism.eeg.legacy_store import import_legacy
from neuroprism.eeg.store import EegStore
from neuroprism.eeg.store_index import salvage_index


def refusal(name: str, path: Path) -> str:
    with pytest.raises(DataError) as refused:
        READERS[name].read(path)
    return str(refused.value)


def external_link(file: h5py.File, outside: Path) -> None:
    file["epo/x"] = h5py.ExternalLink(str(outside), "x")


def external_bytes(file: h5py.File, outside: Path) -> None:
    file.create_group("epo").create_dataset("x", (8,), "u1", external=[(str(outside), 0, 8)])


def virtual(file: h5py.File, outside: Path) -> None:
    layout = h5py.VirtualLayout((4, 3, 5), "f8")
    layout[:] = h5py.VirtualSource(str(outside), "x", (4, 3, 5))
    file.create_group("epo").create_virtual_dataset("x", layout)


def endless(file: h5py.File, _outside: Path) -> None:
    file.create_group("epo").create_dataset("x", (10**5, 10**5, 10), "f8", chunks=(10, 10, 10))


def loop(file: h5py.File, _outside: Path) -> None:
    file["epo/x"] = np.ones((4, 3, 5))
    file["epo/loop"] = h5py.SoftLink("/epo")


def laughter(file: h5py.File, _outside: Path) -> None:
    file["#refs#/0"] = np.ones(3)
    inner = file["#refs#/0"].ref
    for k in range(1, 60):
        cell = file.create_dataset(f"#refs#/{k}" if k < 59 else "epo", (2,), h5py.ref_dtype)
        cell[0] = cell[1] = inner
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
        inner = cell.ref


def a_type_alone(file: h5py.File, _outside: Path) -> None:
    file["epo/x"] = np.dtype("f8")


@pytest.mark.parametrize(
    "lie", [a_type_alone, external_link, external_bytes, virtual, endless, loop, laughter]
)
def test_hdf5_is_not_followed_out_of_the_file_or_the_memory(
    lie: Callable[[h5py.File, Path], None], tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "outside.mat", "w") as file:
        file["x"] = np.ones((4, 3, 5))
    with h5py.File(tmp_path / "a.mat", "w") as file:
        lie(file, tmp_path / "outside.mat")
    told = ("another place", "another file", "outgrows memory", "expected a struct", "no array")
    assert any(word in refusal("mat 7.3", tmp_path / "a.mat") for word in told)


def test_a_tensor_that_repeats_one_number_is_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1).as_strided((10**6, 10**6), (0, 0))}, tmp_path / "w.pth")
    assert (tmp_path / "w.pth").stat().st_size < 10_000
    assert "damaged" in refusal("weights", tmp_path / "w.pth")
    assert "damaged" in refusal("checkpoint", tmp_path / "w.pth")


@pytest.mark.parametrize("key", ["../../outside", "/etc/outside", "a/b", "..", "", "a\x1b[2J"])
def test_the_index_of_a_store_names_no_other_file(key: str, tmp_path: Path) -> None:
    store = write_store(tmp_path)
    index, card = store / "index.jsonl", store / "card.json"
    first, *rest = index.read_text().splitlines()
    content = json.loads(first)
    shutil.copy(store / "recordings" / f"{content['key']}.npy", tmp_path / "outside.npy")
    index.write_text("\n".join([json.dumps(content | {"key": key}), *rest]) + "\n")
    told = json.loads(card.read_text())
    card.write_text(json.dumps(told | {"index_sha256": hashlib.sha256(index.read_bytes()).hexdigest()}))
    assert "no name of a file" in refusal("prepared store", store)
    assert len(salvage_index(index)) == len(rest)


@pytest.mark.parametrize(
    "members",
    [
        [("signal_uv.npy", npy_head("(1000000, 1000000)"))],
        [("../../way_out.npy", npy_head("(1,)") + bytes(8))],
        [("/way_out.npy", npy_head("(1,)") + bytes(8))],
        [("signal_uv.npy", npy_head("(1,)", "|O"))],
    ],
)
def test_a_set_whose_schema_agrees_with_its_lies(members: list[tuple[str, bytes]], tmp_path: Path) -> None:
    path = write_set(tmp_path)
    path.write_bytes(zip_of(*members))
    schema = path.with_suffix(".schema.json")
    schema.write_text(json.dumps(json.loads(schema.read_text()) | {"sha256": file_sha256(path)}))
    before = files_of(tmp_path)
    with pytest.raises(DataError):
        load_recordings(path)
    assert files_of(tmp_path) == before


def test_a_set_that_unpacks_beyond_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuroprism.abr.store._LARGE", 1 << 16)
    path = write_set(tmp_path)
    path.write_bytes(zip_of(("signal_uv.npy", bytes(1 << 20)), compressed=True))
    schema = path.with_suffix(".schema.json")
    schema.write_text(json.dumps(json.loads(schema.read_text()) | {"sha256": file_sha256(path)}))
    with pytest.raises(DataError, match="in memory"):
        load_recordings(path)


@pytest.mark.parametrize("kind", ["pickle in a dict", "pickle in an array", "pickle that multiplies"])
def test_pickles_in_an_lmdb_are_refused(kind: str, tmp_path: Path, canary: Path) -> None:
    for number, name in enumerate(("__keys__", "Subject00_1-0")):
        old = (
            write_lmdb(tmp_path / str(number), {name: PICKLES[kind](canary)})
            if _made(tmp_path, number)
            else tmp_path
        )
        assert name in refusal("lmdb", old)
    assert not canary.exists()


def _made(folder: Path, number: int) -> bool:
    (folder / str(number)).mkdir()
    return True


NAMES = ("../../way_out-0", "/way_out-0", "Subject00_1/../../way_out-0", "..", "a\x1b[2Jb-0")


def test_names_in_an_lmdb_are_no_paths(tmp_path: Path) -> None:
    import pickle

    rng = np.random.default_rng(0)
    sample: dict[str, Any] = {"sample": rng.normal(0, 20, (20, 5, 200)).astype(np.float32), "label": 0}
    keys = {"train": list(NAMES), "val": ["Subject28_1-0"], "test": ["Subject32_2-0"]}
    content = {name: pickle.dumps(sample) for name in NAMES} | {"__keys__": pickle.dumps(keys)}
    folder = tmp_path / "inner" / "deep"
    folder.mkdir(parents=True)
    old, new = write_lmdb(folder, content), folder / "new"
    import_legacy(datasets["MentalArithmetic"], old, new, progress=False)
    written = {path for path in files_of(tmp_path) if old not in path.parents}
    assert all(new in path.parents for path in written)
    assert all(path.resolve().is_relative_to(new) for path in written)
    assert len(EegStore.open(new)) == len(NAMES) + 2


@pytest.mark.parametrize("name", ["../out.eeg", "/etc/hostname", "..\\out.eeg", ".."])
def test_a_brainvision_header_names_no_file_of_another_folder(name: str, tmp_path: Path) -> None:
    source = READERS["import brainvision"].source(tmp_path / "source")
    shutil.copy(source.with_suffix(".eeg"), tmp_path / "out.eeg")
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace(f"DataFile={source.with_suffix('.eeg').name}", f"DataFile={name}"))
    assert "another folder" in refusal("import brainvision", source)


def test_a_truncated_lmdb_does_not_end_the_process(tmp_path: Path) -> None:
    old = write_lmdb(tmp_path)
    content = (old / "data.mdb").read_bytes()
    (old / "data.mdb").write_bytes(content[: len(content) // 3])
    assert "not a readable LMDB" in refusal("lmdb", old)
