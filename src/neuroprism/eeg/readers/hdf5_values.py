"""Values of a MATLAB file of version 7.3: what lies in this file, and no more than memory holds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

MOST_VALUES = 1_000_000
_LARGE, _MOST_PACKED = 1 << 30, 1000


class Hdf5Values:
    """Turns groups and data sets into dicts, lists, texts and numeric arrays.

    HDF5 can send its reader to other files, through links and for the bytes of
    an array; it can announce arrays of which nothing is stored, and cells that
    refer to each other. None of this is followed: each is a `ValueError`.

    Parameters
    ----------
    file
        Open file of h5py.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._most_bytes = max(_LARGE, _MOST_PACKED * os.path.getsize(file.filename))
        self._known: dict[int, Any] = {}
        self._inside: set[int] = set()

    def item(self, parent: Any, name: str) -> Any:
        """Return a member of a group that lies in this file."""
        import h5py

        if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"'{name}' is a link to another place")
        return parent[name]

    def of(self, item: Any) -> Any:
        """Return the value of a group or data set; what is referred to twice is read once."""
        import h5py

        place = h5py.h5o.get_info(item.id).addr
        if place not in self._known:
            if len(self._known) >= MOST_VALUES or place in self._inside:
                raise ValueError(f"more than {MOST_VALUES:,} values, or a value that holds itself")
            self._inside.add(place)
            self._known[place] = self._read(item)
            self._inside.discard(place)
        return self._known[place]

    def _read(self, item: Any) -> Any:
        import h5py

        # HDF5 has the axes reversed.
        if hasattr(item, "keys"):
            return {name: self.of(self.item(item, name)) for name in item}
        if not isinstance(item, h5py.Dataset):
            raise ValueError(f"'{item.name}' is no array")
        if item.external or item.is_virtual:
            raise ValueError(f"'{item.name}' is stored in another file")
        if item.nbytes > self._most_bytes:
            raise ValueError(f"'{item.name}' of shape {item.shape} outgrows memory")
        kind = item.attrs.get("MATLAB_class", b"")
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        if item.attrs.get("MATLAB_empty", 0):
            empty: dict[str, Any] = {"char": "", "cell": [], "struct": {}}
            return empty.get(kind, np.empty(tuple(int(n) for n in item[()])))
        values = item[()]
        if kind == "cell" or values.dtype.kind == "O":
            return [self.of(self._file[reference]) for reference in values.ravel()]
        if kind == "char":
            return "".join(map(chr, values.ravel()))
        return values.T
