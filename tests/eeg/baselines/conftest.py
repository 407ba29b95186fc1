"""Windows with planted rhythms, in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from neuroprism.core.records import Split
from neuroprism.eeg.spec import DatasetSpec

SpecMaker = Callable[..., DatasetSpec]


class PlantedStore:
    """What baselines ask of a store; remembers what was read.

    Subjects s0 to s3 train, s4 and s5 validate, s6 and s7 test. Class k has a rhythm at
    8 + 7 k Hz, stronger in channel k; for regression the strength of 10 Hz is the target.
    """

    def __init__(self, spec: DatasetSpec, *, n_each: int = 12, strength: float = 6.0, seed: int = 0) -> None:
        self.spec = spec
        rng = np.random.default_rng(seed)
        n, length = 8 * n_each, spec.sequence_length
        self.subjects = np.repeat([f"s{k}" for k in range(8)], n_each)
        shape = (n,) if length == 1 else (n, length)
        t = np.arange(spec.n_times) / 200
        if spec.task == "regression":
            labels = rng.random(shape).astype(np.float32)
            rhythm = labels.reshape(-1, 1, 1) * np.sin(2 * np.pi * 10 * t)
        else:
            labels = rng.permuted(np.resize(np.arange(len(spec.class_names)), shape))
            flat = labels.reshape(-1)
            pattern = 0.3 + (flat[:, None] == np.arange(spec.n_channels))
            rhythm = pattern[:, :, None] * np.sin(2 * np.pi * (8 + 7 * flat[:, None, None]) * t)
        gain = rng.uniform(0.8, 1.25, 8).repeat(n_each * length)[:, None, None]
        noise = rng.normal(size=(n * length, spec.n_channels, spec.n_times)) * 10
        self.values = ((noise + strength * rhythm) * gain).astype(np.float32).reshape(n, *spec.window_shape)
        self.labels = labels
        self.reads: list[np.ndarray] = []

    def indices(self, split: Split) -> np.ndarray:
        first, stop = {"train": (0, 4), "val": (4, 6), "test": (6, 8)}[split]
        return np.flatnonzero(np.isin(self.subjects, [f"s{k}" for k in range(first, stop)]))

    def read(self, indices: np.ndarray) -> np.ndarray:
        self.reads.append(np.array(indices))
        return self.values[indices]


class WithoutSplit(PlantedStore):
    """A store in which a split is empty."""

    empty: Split = "test"

    def indices(self, split: Split) -> np.ndarray:
        return np.zeros(0, dtype=np.int64) if split == self.empty else super().indices(split)


@pytest.fixture(scope="session")
def planted(make_spec: SpecMaker) -> Callable[..., PlantedStore]:
    """Return a maker of stores: kind of task, then what `PlantedStore` takes."""

    def make(kind: str, *, empty: Split | None = None, **options: float) -> PlantedStore:
        task = "multiclass" if kind == "sequence" else kind
        length = 3 if kind == "sequence" else 1
        spec = make_spec(task=task, n_channels=4, n_patches=2, sequence_length=length)
        if empty is None:
            return PlantedStore(spec, **options)  # type: ignore[arg-type]
        store = WithoutSplit(spec, **options)  # type: ignore[arg-type]
        store.empty = empty
        return store

    return make
