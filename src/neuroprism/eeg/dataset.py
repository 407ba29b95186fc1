"""Prepared windows as batches of tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from neuroprism.eeg.spec import PATCH_SAMPLES
from neuroprism.eeg.store import EegStore

ZSCORE_EPSILON = 1e-8


@dataclass(frozen=True, kw_only=True)
class EegBatch:
    """B samples with their labels.

    Attributes
    ----------
    x
        (B, C, S, 200), or (B, L, C, S, 200) for sequences; scaled, float32.
    y
        (B,) or (B, L) int64; float32 for regression.
    index
        (B,) number of each sample in its store.
    """

    x: Tensor
    y: Tensor
    index: Tensor

    def __len__(self) -> int:
        return int(self.index.shape[0])

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> EegBatch:
        """Return the batch on `device`."""
        x, y, index = (t.to(device, non_blocking=non_blocking) for t in (self.x, self.y, self.index))
        return EegBatch(x=x, y=y, index=index)

    def pin_memory(self) -> EegBatch:
        """Return the batch in page-locked memory."""
        return EegBatch(x=self.x.pin_memory(), y=self.y.pin_memory(), index=self.index.pin_memory())


class EegDataset(Dataset[EegBatch]):
    """Windows of one split, read from the store in whole batches.

    Parameters
    ----------
    store
        Where they lie.
    indices
        Windows of this split.
    scaling
        `declared`: microvolt divided by the declared scale; `zscore`: every
        window with mean 0 and standard deviation 1 over its channels and times.
    """

    def __init__(
        self,
        store: EegStore,
        indices: npt.NDArray[np.int64],
        *,
        scaling: Literal["declared", "zscore"] = "declared",
    ) -> None:
        self._shards = store.shards
        self._indices = np.asarray(indices, dtype=np.int64)
        self._labels = torch.from_numpy(store.labels[self._indices])
        self._scaling = scaling
        self._scale_uv = store.spec.preprocessing.scale_uv

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, place: int) -> EegBatch:
        return self.__getitems__([place])

    def __getitems__(self, places: list[int]) -> EegBatch:
        """Return a whole batch at once: one gather instead of one read per window."""
        chosen = np.asarray(places, dtype=np.int64)
        rows = self._indices[chosen]
        if self._scaling == "zscore":
            windows = self._shards.gather(rows, finish=standardise)
        else:
            windows = self._shards.gather(rows, self._scale_uv)
        return EegBatch(
            x=torch.from_numpy(windows.reshape(*windows.shape[:-1], -1, PATCH_SAMPLES)),
            y=self._labels[torch.from_numpy(chosen)],
            index=torch.from_numpy(rows),
        )


def standardise(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give every window (..., C, T) mean 0 and standard deviation 1 over channels and times, in place.

    A constant window becomes 0.
    """
    for window in windows.reshape(-1, windows.shape[-2] * windows.shape[-1]):
        mean = window.mean()
        np.subtract(window, mean, out=window)
        # Not a dot product: BLAS would wake its threads for each window.
        deviation = math.sqrt(np.einsum("i,i->", window, window) / len(window))
        # What is left of a constant in single precision is rounding, not signal.
        is_constant = deviation <= abs(mean) * 1e-6
        np.multiply(window, 0 if is_constant else 1 / (deviation + ZSCORE_EPSILON), out=window)
    return windows


def as_is(batch: Any) -> EegBatch:
    """Collate: the data set already serves batches."""
    served: EegBatch = batch
    return served
