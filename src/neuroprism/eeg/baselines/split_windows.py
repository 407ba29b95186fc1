"""The windows of one split, from which features are computed a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from neuroprism.core.records import Split
from neuroprism.eeg.pooled_predictions import PooledPredictions
from neuroprism.eeg.spec import DatasetSpec

Matrix = npt.NDArray[np.float32]

_BATCH_BYTES = 32 * 2**20


class WindowSource(Protocol):
    """What is asked of a store."""

    @property
    def spec(self) -> DatasetSpec:
        """The declaration."""

    @property
    def labels(self) -> npt.NDArray[Any]:
        """(N,) or (N, L)."""

    @property
    def subjects(self) -> npt.NDArray[np.str_]:
        """(N,)."""

    def indices(self, split: Split) -> npt.NDArray[np.int64]:
        """Return the numbers of the samples in `split`."""

    def read(self, indices: npt.ArrayLike) -> Matrix:
        """Return samples in microvolt: (n, *window_shape)."""


class SplitWindows:
    """The windows of one split; a sequence counts as its L windows.

    Parameters
    ----------
    store
        All samples.
    split
        Which of them.

    Attributes
    ----------
    rows
        (n,) numbers in the store.
    y, subjects
        (n L,) label and subject of each window.
    """

    def __init__(self, store: WindowSource, split: Split) -> None:
        self.store, self.split = store, split
        self.rows = store.indices(split)
        self._labels = store.labels[self.rows]
        self.y = self._labels.reshape(-1)
        self.subjects = np.repeat(store.subjects[self.rows], store.spec.sequence_length)

    def __len__(self) -> int:
        """Return the number of samples n."""
        return len(self.rows)

    def compute(self, features: Callable[[Matrix], npt.NDArray[np.floating]], title: str) -> Matrix:
        """Return features of every window: (n L, F).

        Parameters
        ----------
        features
            Maps windows (m, C, T) in microvolt to (m, F).
        title
            What the progress bar says.
        """
        spec = self.store.spec
        n_rows = max(1, _BATCH_BYTES // (4 * int(np.prod(spec.window_shape))))
        found: Matrix | None = None
        for start in tqdm(
            range(0, len(self.rows), n_rows), desc=f"{title}, {self.split}", disable=None, leave=False
        ):
            windows = self.store.read(self.rows[start : start + n_rows])
            block = features(windows.reshape(-1, spec.n_channels, spec.n_times))
            if found is None:
                found = np.empty((len(self.y), block.shape[1]), dtype=np.float32)
            at = start * spec.sequence_length
            found[at : at + len(block)] = block
        assert found is not None, "an empty split has no features"
        return found

    def pool(self, outputs: npt.NDArray[np.floating]) -> PooledPredictions:
        """Return predictions beside the labels.

        Parameters
        ----------
        outputs
            (n L, K) logits for multiclass, else (n L,).
        """
        pooled = PooledPredictions(self.store.spec)
        shape = self._labels.shape + outputs.shape[1:]
        pooled.add(
            torch.tensor(outputs).reshape(shape),
            torch.from_numpy(self._labels),
            torch.from_numpy(self.rows),
        )
        return pooled
