"""Loading EEG windows: a prepared store beside LMDB with pickled samples.

Both hold the same windows, (64, 4, 200) as of PhysioNet-MI, and are read in turns within one process: whole
epochs of shuffled batches of 32 through torch's DataLoader without workers. The rival is what earlier code
does: a float64 array in a pickled dict a key, one transaction a sample, divided by 100, stacked and turned
into a float32 tensor. Everything lies in the page cache: work is compared, not disks.

    python benchmarks/eeg_store.py [--rounds N] [--windows N]
"""

from __future__ import annotations

import argparse
import pickle
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from neuroprism.eeg.dataset import EegDataset, as_is
from neuroprism.eeg.dataset_registry import Dataset as Declared
from neuroprism.eeg.dataset_registry import register
from neuroprism.eeg.preparation import prepare
from neuroprism.eeg.recordings import Found, Recording, Windows
from neuroprism.eeg.spec import DatasetSpec, Preprocessing
from neuroprism.eeg.split_rules import BySubjectNumber
from neuroprism.eeg.store import EegStore

C, S, BATCH, BUDGET = 64, 4, 32, 10.0
WINDOWS_PER_RECORDING = 15


def drawn(recording: int) -> np.ndarray:
    """Return the windows of one recording: (n, C, T) microvolt."""
    rng = np.random.default_rng(recording)
    return rng.normal(0, 20, (WINDOWS_PER_RECORDING, C, S * 200)).astype(np.float32)


def find(raw: Path) -> Found:
    """Each file names a recording."""
    paths = sorted(raw.iterdir())
    return Found(recordings=tuple(Recording(key=p.name, paths=(p,), subject=p.name) for p in paths))


def cut(recording: Recording) -> Windows:
    """Draw what the name says."""
    values = drawn(int(recording.key))
    n = len(values)
    return Windows(
        values=values,
        labels=np.arange(n) % 4,
        starts_s=np.arange(n) * 4.0,
        trials=np.arange(n),
    )


DECLARED = register(
    Declared(
        spec=DatasetSpec(
            name="benchmark",
            title="drawn",
            task="multiclass",
            class_names=("a", "b", "c", "d"),
            channels=tuple(f"E{k}" for k in range(C)),
            source_rates_hz=(200.0,),
            n_patches=S,
            preprocessing=Preprocessing(),
            label_rule="none",
            split=BySubjectNumber(train=range(10_000), val=range(10_000, 10_001), test=range(10_001, 10_002)),
            expected={},
            n_subjects=1,
            raw_layout="none",
            access="none",
            licence="none",
            citation="none",
            source="none",
        ),
        find=find,
        cut=cut,
    )
)


class PickledSamples(Dataset[tuple[np.ndarray, int]]):
    """The data set of earlier code."""

    def __init__(self, path: Path) -> None:
        self._environment = lmdb.open(str(path), readonly=True, lock=False, readahead=True, meminit=False)
        with self._environment.begin(write=False) as transaction:
            self._keys = pickle.loads(transaction.get(b"__keys__"))["train"]

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, place: int) -> tuple[np.ndarray, int]:
        with self._environment.begin(write=False) as transaction:
            pair = pickle.loads(transaction.get(self._keys[place].encode()))
        return pair["sample"] / 100, pair["label"]

    @staticmethod
    def collate(batch: list[tuple[np.ndarray, int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Stack as earlier code does."""
        x = np.array([sample for sample, _ in batch])
        y = np.array([label for _, label in batch])
        return torch.from_numpy(x).float(), torch.from_numpy(y).long()


def write_lmdb(path: Path, n_recordings: int) -> None:
    """Write one pickled dict a sample."""
    n_bytes = n_recordings * WINDOWS_PER_RECORDING * C * S * 200 * 8
    keys = []
    with lmdb.open(str(path), map_size=2 * n_bytes + 2**24) as environment:
        for recording in range(n_recordings):
            with environment.begin(write=True) as transaction:
                for k, window in enumerate(drawn(recording)):
                    keys.append(f"{recording:05d}-{k}")
                    sample = window.reshape(C, S, 200).astype(np.float64)
                    transaction.put(keys[-1].encode(), pickle.dumps({"sample": sample, "label": k % 4}))
        with environment.begin(write=True) as transaction:
            transaction.put(b"__keys__", pickle.dumps({"train": keys, "val": [], "test": []}))


def seconds(loader: Iterable[Any]) -> float:
    """Return how long one epoch takes; each batch is only looked at."""
    start = time.perf_counter()
    total = 0.0
    for batch in loader:
        x = batch.x if hasattr(batch, "x") else batch[0]
        total += float(x[0, 0, 0, 0])
    if not np.isfinite(total):
        raise ValueError("a batch is not finite")
    return time.perf_counter() - start


def floor_seconds(n_batches: int) -> tuple[float, float]:
    """Return how long two parts of the work take for a batch, with no store at all.

    One is to turn int16 in memory into float32; the other, to read the int16 and to write float32 zeros, is
    what the memory of the machine allows.
    """
    stored = np.ones((n_batches, BATCH, C, S * 200), np.int16)
    start = time.perf_counter()
    for batch in stored:
        np.multiply(batch, np.float32(0.01), out=np.empty(batch.shape, np.float32))
    between = time.perf_counter()
    for batch in stored:
        batch.view(np.int64).max()
        np.empty(batch.shape, np.float32).fill(0)
    return (between - start) / n_batches, (time.perf_counter() - between) / n_batches


def size_mb(path: Path) -> float:
    """Return what a folder takes on disk, without holes."""
    return sum(p.stat().st_blocks * 512 for p in path.rglob("*") if p.is_file()) / 1e6


def loaders(folder: Path, n_recordings: int) -> dict[str, DataLoader[Any]]:
    """Write both stores and return their loaders, seeded alike."""
    write_lmdb(folder / "old", n_recordings)
    (folder / "raw").mkdir()
    for recording in range(n_recordings):
        (folder / "raw" / f"{recording:05d}").touch()
    prepare(DECLARED, folder / "raw", folder / "new", progress=False)
    store = EegStore.open(folder / "new")
    old = PickledSamples(folder / "old")
    rows = store.indices("train")
    shuffled: dict[str, Any] = {"batch_size": BATCH, "shuffle": True}
    return {
        "LMDB + pickle": DataLoader(old, collate_fn=PickledSamples.collate, **shuffled),
        "prepared store": DataLoader(EegDataset(store, rows), collate_fn=as_is, **shuffled),
        "prepared store, z-scored": DataLoader(
            EegDataset(store, rows, scaling="zscore"), collate_fn=as_is, **shuffled
        ),
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Load windows from both kinds of store.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--windows", type=int, default=1200)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    n_recordings = max(1, arguments.windows // WINDOWS_PER_RECORDING)
    n = n_recordings * WINDOWS_PER_RECORDING
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured = loaders(folder, n_recordings)
        times: dict[str, list[float]] = {what: [] for what in measured}
        floors = []
        for number in range(arguments.rounds + 1):
            for what, loader in measured.items():
                taken = seconds(loader)
                # The first round maps files and fills caches.
                if number:
                    times[what].append(taken)
            floors.append(floor_seconds(20))
        disk = {"LMDB + pickle": size_mb(folder / "old"), "prepared store": size_mb(folder / "new")}
    medians = {what: statistics.median(taken) for what, taken in times.items()}
    rival = medians["LMDB + pickle"]
    print(f"## Loading EEG windows: prepared store beside LMDB + pickle ({n:,} windows of {C} x {S} x 200)\n")
    print("| store | windows/s | ms per batch of 32 | times LMDB | on disk, MB | budget | |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for what, median in medians.items():
        ratio = rival / median
        budget, verdict = "", ""
        if what == "prepared store":
            budget, verdict = f">= {BUDGET:g}x", "met" if ratio >= BUDGET else "**not met**"
        place = f"{disk[what]:,.0f}" if what in disk else ""
        print(
            f"| {what} | {n / median:,.0f} | {1e3 * median * BATCH / n:.2f} | {ratio:.1f}x | {place} "
            f"| {budget} | {verdict} |"
        )
    converting, moving = (statistics.median(part) for part in zip(*floors, strict=True))
    print(
        "\nOne thread that turns int16 in memory into float32, and does nothing else, takes "
        f"{1e3 * converting:.2f} ms a batch: {rival * BATCH / n / converting:.1f}x LMDB. One that only "
        f"reads the int16 and writes zeros in place of the float32 takes {1e3 * moving:.2f} ms: "
        f"{rival * BATCH / n / moving:.1f}x."
    )


if __name__ == "__main__":
    main()
