"""Signals stored as zarr arrays of version 2, read without the zarr package.

Such an array is a folder: `.zarray` says shape, type and compression, `.zattrs`
holds attributes, and each chunk is a file named by its place (`3`, or `0.3`).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.abr.importers.readings import Floats
from neuroprism.core.errors import DataError, UserError

_BLOSC_HEADER = struct.Struct("<4B3I")
_TYPES = ("<f4", "<f8", ">f4", ">f8", "<i2", "<i4")


@dataclass(frozen=True)
class ZarrSignal:
    """One channel of samples, or several with the channels on the first axis.

    Attributes
    ----------
    folder
        Where it is stored.
    shape, chunks
        Of the array and of a chunk, (T,) or (C, T).
    dtype
        Of a sample.
    compressed
        Whether chunks are compressed, by blosc.
    separator
        Between the places in the name of a chunk.
    attributes
        What is stored beside the samples.
    """

    folder: Path
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    compressed: bool
    separator: str
    attributes: Mapping[str, Any]

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self.shape[0] if len(self.shape) == 2 else 1

    def read(self, channel: int = 0) -> Floats:
        """Return the samples of one channel, (T,); NaN where no chunk is stored.

        Raises
        ------
        DataError
            If a chunk is damaged, or most of them are missing.
        UserError
            If chunks are compressed and the package that reads them is not installed.
        """
        size, n_times = self.chunks[-1], self.shape[-1]
        names = [self._name(channel, place) for place in range(-(-n_times // size))]
        stored = [(self.folder / name).is_file() for name in names]
        # A shape that outgrows what is stored is damage, and must not fill the memory.
        if 2 * sum(stored) < len(names):
            raise DataError(f"{self.folder} holds {sum(stored)} of {len(names)} chunks")
        row = channel % self.chunks[0] if len(self.shape) == 2 else 0
        # Damaged bytes may stand for no number at all.
        with np.errstate(invalid="ignore"):
            parts: list[Floats] = [
                self._chunk(self.folder / name)[row].astype(np.float64) if there else np.full(size, np.nan)
                for name, there in zip(names, stored, strict=True)
            ]
        return np.concatenate(parts)[:n_times]

    def _name(self, channel: int, place: int) -> str:
        if len(self.shape) == 1:
            return str(place)
        return f"{channel // self.chunks[0]}{self.separator}{place}"

    def _chunk(self, path: Path) -> Floats:
        """Return one chunk, (channels, samples)."""
        content = path.read_bytes()
        n_samples = int(np.prod(self.chunks, dtype=object))
        n_bytes = n_samples * self.dtype.itemsize
        if self.compressed:
            content = _decompressed(path, content, n_bytes)
        if len(content) != n_bytes:
            raise DataError(f"{path} is damaged: {len(content)} bytes instead of {n_bytes}")
        chunk: Floats = np.frombuffer(content, self.dtype).reshape(-1, self.chunks[-1])
        return chunk


def open_zarr(folder: Path) -> ZarrSignal:
    """Return the array in a folder, before its samples are read.

    Raises
    ------
    DataError
        If it is damaged, or of a kind that is not read.
    """
    if (folder / "zarr.json").is_file():
        raise DataError(f"{folder} is a zarr array of version 3; version 2 is read")
    head = _mapping(folder / ".zarray")
    attributes = _mapping(folder / ".zattrs") if (folder / ".zattrs").is_file() else {}
    shape, chunks = (_sizes(folder, head, name) for name in ("shape", "chunks"))
    if len(shape) not in (1, 2) or len(chunks) != len(shape):
        raise DataError(f"{folder} has the shape {shape} in chunks of {chunks}, which is no signal")
    compressor = head.get("compressor")
    kind = compressor.get("id") if isinstance(compressor, dict) else compressor
    if head.get("dtype") not in _TYPES:
        raise DataError(f"{folder} holds samples of type {head.get('dtype')}; {', '.join(_TYPES)} are read")
    if kind not in ("blosc", None) or head.get("filters") or head.get("order") != "C":
        raise DataError(
            f"{folder} is stored with compressor {kind}, filters {head.get('filters')} and order "
            f"{head.get('order')}; only blosc or none, no filters and order C are read"
        )
    return ZarrSignal(
        folder=folder,
        shape=shape,
        chunks=chunks,
        dtype=np.dtype(head["dtype"]),
        compressed=kind is not None,
        separator="/" if head.get("dimension_separator") == "/" else ".",
        attributes=attributes,
    )


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} is damaged: it holds no object")
    return content


def _sizes(folder: Path, head: Mapping[str, Any], name: str) -> tuple[int, ...]:
    values = head.get(name)
    if not isinstance(values, list) or not values:
        raise DataError(f"{folder} does not say its {name}")
    if not all(type(value) is int and value > 0 for value in values):
        raise DataError(f"{folder} has the {name} {values}, which is no signal")
    return tuple(values)


def _decompressed(path: Path, content: bytes, n_bytes: int) -> bytes:
    try:
        from numcodecs.blosc import decompress
    except ImportError:
        raise UserError(
            f'{path.parent} is compressed by blosc; to read it, pip install "neuroprism[psi]"'
        ) from None
    # The library trusts what the chunk says of its own size.
    if len(content) < _BLOSC_HEADER.size or _BLOSC_HEADER.unpack_from(content)[4::2] != (
        n_bytes,
        len(content),
    ):
        raise DataError(f"{path} is damaged: its size is not what it says")
    try:
        return bytes(decompress(content))
    except (RuntimeError, ValueError, MemoryError) as error:
        raise DataError(f"{path} is damaged: {error}") from None
