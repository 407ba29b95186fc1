"""Writes MATLAB files: version 5 with SciPy, version 7.3 as HDF5 with MATLAB's attributes."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from neuroprism.core.files import replace_bytes

_TEXT_BYTES = 116
"""Free text at the start of a file of either version."""

_USER_BLOCK = 512

_CLASSES = {"float64": "double", "float32": "single", "bool": "logical"}


def cell(*items: Any) -> np.ndarray[Any, Any]:
    """Return a cell array: (1, n)."""
    cells = np.empty((1, len(items)), dtype=object)
    for k, item in enumerate(items):
        cells[0, k] = item
    return cells


def write_mat(path: Path, variables: Mapping[str, Any]) -> None:
    """Write a file of version 5; its folder is made.

    Dicts become structs, `cell` makes cell arrays. The text at the start says no
    date, so that equal variables give equal bytes.
    """
    from scipy.io import savemat

    buffer = BytesIO()
    savemat(buffer, dict(variables), oned_as="column")
    text = b"MATLAB 5.0 MAT-file, simulated recording".ljust(_TEXT_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, text + buffer.getvalue()[_TEXT_BYTES:])


def write_mat73(path: Path, variables: Mapping[str, Any]) -> None:
    """Write a file of version 7.3 with arrays, texts, structs (dicts) and cell arrays of texts."""
    import h5py

    buffer = BytesIO()
    with h5py.File(buffer, "w", userblock_size=_USER_BLOCK) as file:
        for name, value in variables.items():
            _put(file, file, name, value)
    text = b"MATLAB 7.3 MAT-file, simulated recording".ljust(_TEXT_BYTES)
    block = (text + bytes(8) + b"\x00\x02IM").ljust(_USER_BLOCK, b"\x00")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, block + buffer.getvalue()[_USER_BLOCK:])


def _put(file: Any, parent: Any, name: str, value: Any) -> None:
    """Add a variable; HDF5 holds the axes of MATLAB reversed."""
    if isinstance(value, dict):
        group = parent.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for field, content in value.items():
            _put(file, group, field, content)
    elif isinstance(value, str):
        codes = np.array([[ord(letter)] for letter in value], dtype=np.uint16)
        parent.create_dataset(name, data=codes).attrs["MATLAB_class"] = np.bytes_("char")
    elif np.asarray(value).dtype == object:
        _put_cell(file, parent, name, np.asarray(value))
    else:
        array = np.atleast_2d(np.asarray(value))
        kind = _CLASSES.get(array.dtype.name, array.dtype.name)
        parent.create_dataset(name, data=array.T).attrs["MATLAB_class"] = np.bytes_(kind)


def _put_cell(file: Any, parent: Any, name: str, cells: np.ndarray[Any, Any]) -> None:
    import h5py

    references = file.require_group("#refs#")
    made = np.empty(cells.T.shape, dtype=h5py.ref_dtype)
    for position, item in np.ndenumerate(cells.T):
        key = f"r{len(references)}"
        _put(file, references, key, item)
        made[position] = references[key].ref
    parent.create_dataset(name, data=made).attrs["MATLAB_class"] = np.bytes_("cell")
