"""The windows of a store, mapped into memory and gathered in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from neuroprism.core import npy_file
from neuroprism.core.errors import DataError
from neuroprism.eeg.store_index import StoredRecording

Stored = npt.NDArray[np.int16] | npt.NDArray[np.float32]

_DTYPES = {"int16": (np.dtype("<i2"), torch.int16), "float32": (np.dtype("<f4"), torch.float32)}


class Shards:
    """Files of windows, one a recording; each is mapped when it is first needed.

    A copy for another process (pickled, or inherited by a fork) maps the files
    itself. Files are mapped without keeping them open, so that a dataset of
    thousands of recordings needs no more open files than any other.

    Parameters
    ----------
    folder
        The store.
    recordings
        In the order in which windows are numbered.
    window_shape
        Of one sample.
    """

    def __init__(
        self, folder: Path, recordings: Sequence[StoredRecording], window_shape: tuple[int, ...]
    ) -> None:
        self._paths = [folder / r.file for r in recordings]
        self._dtypes = [r.dtype for r in recordings]
        self._counts = [r.n for r in recordings]
        self._n_bytes = [r.n_bytes for r in recordings]
        self._scales = np.array([r.scale_uv for r in recordings], dtype=np.float32)
        self._ends = np.cumsum(self._counts)
        self._starts = self._ends - self._counts
        self._window_shape = window_shape
        self._mapped: dict[int, Stored] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_mapped": {}}

    def __len__(self) -> int:
        """Return the number of windows."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def check_files(self) -> None:
        """Refuse missing and truncated files.

        Raises
        ------
        DataError
            Naming the first.
        """
        for path, n_bytes in zip(self._paths, self._n_bytes, strict=True):
            try:
                size = path.stat().st_size
            except OSError as error:
                raise DataError(f"{path}: {error.strerror or error}; prepare the store again") from None
            if size != n_bytes:
                raise DataError(
                    f"{path} is damaged: {size:,} bytes instead of {n_bytes:,}; prepare the store again"
                )

    def gather(
        self,
        rows: npt.NDArray[np.int64],
        unit_uv: float = 1.0,
        finish: Callable[[npt.NDArray[np.float32]], object] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return windows as float32.

        Parameters
        ----------
        rows
            (n,) numbers of the windows.
        unit_uv
            Microvolt that become 1.
        finish
            Called with each window, which it may change in place.

        Returns
        -------
        (n, *window_shape)
        """
        recordings = np.searchsorted(self._ends, rows, side="right")
        places = (rows - self._starts[recordings]).tolist()
        factors = self._scales[recordings] / np.float32(unit_uv)
        values = np.empty((len(rows), *self._window_shape), dtype=np.float32)
        # Each window is finished while it still lies in the processor's cache. In one thread: two took
        # longer, as memory is the limit; more come from the workers of a loader.
        for window, recording, place, factor in zip(
            values, recordings.tolist(), places, factors, strict=True
        ):
            np.copyto(window, self._map(recording)[place])
            np.multiply(window, factor, out=window)
            if finish is not None:
                finish(window)
        return values

    def _map(self, recording: int) -> Stored:
        """Return the windows of a recording as they are stored: (n, *window_shape)."""
        found = self._mapped.get(recording)
        if found is None:
            found = self._mapped[recording] = self._open(recording)
        return found

    def _open(self, recording: int) -> Stored:
        path = self._paths[recording]
        numpy_dtype, torch_dtype = _DTYPES[self._dtypes[recording]]
        shape = (self._counts[recording], *self._window_shape)
        try:
            # numpy would keep a file handle for each mapped file.
            with path.open("rb") as file:
                if np.lib.format.read_magic(file) != (1, 0):
                    raise ValueError("unexpected version of the .npy format")
                found_shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
                offset = file.tell()
            if (found_shape, fortran, dtype) != (shape, False, numpy_dtype) or offset % dtype.itemsize:
                raise ValueError(f"{dtype} {found_shape} instead of {numpy_dtype} {shape}")
            size = path.stat().st_size // dtype.itemsize
            mapped = torch.from_file(str(path), shared=False, size=size, dtype=torch_dtype)
            stored: Stored = mapped[offset // dtype.itemsize :].view(shape).numpy()
            return stored
        except (*npy_file.FAULTS, RuntimeError) as error:
            line = str(error).splitlines()[0]
            raise DataError(f"{path} is damaged: {line}; prepare the store again") from None
