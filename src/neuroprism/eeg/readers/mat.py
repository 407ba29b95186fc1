"""MATLAB files of both kinds through one face: version 5 to 7 (SciPy) and version 7.3 (HDF5).

Whatever the version, a numeric array has its MATLAB shape, text is a `str`, a
cell array is a list, a struct is a dict and a struct array a list of dicts.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.hdf5_values import Hdf5Values
from neuroprism.eeg.readers.mat_structure import check_structure

_Read = TypeVar("_Read")

_DAMAGED = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OSError,
    EOFError,
    OverflowError,
    MemoryError,
    RuntimeError,
    UnicodeError,
    NotImplementedError,
    UserWarning,
    zlib.error,
)
"""What h5py and the libraries below SciPy raise for damaged files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MatVariable:
    """A variable of a file, as its header describes it."""

    name: str
    shape: tuple[int, ...]


def mat_variables(path: Path) -> tuple[MatVariable, ...]:
    """List the variables of a file in their order, without reading them.

    Raises
    ------
    DataError
        If the file is damaged or no MATLAB file.
    """
    return _guarded(path, lambda: _list_hdf5(path) if _is_hdf5(path) else _list_v5(path))


def read_mat(path: Path, *names: str) -> tuple[Any, ...]:
    """Read variables by name, in the order asked for.

    Raises
    ------
    DataError
        If the file is damaged or no MATLAB file, or has no variable of a name.
    """
    values = _guarded(path, lambda: _load_hdf5(path, names) if _is_hdf5(path) else _load_v5(path, names))
    missing = [name for name in names if name not in values]
    if missing:
        found = ", ".join(variable.name for variable in mat_variables(path)) or "none"
        raise DataError(f"{path}: no variable '{missing[0]}'; the file has {found}")
    return tuple(values[name] for name in names)


def struct_field(struct: Any, name: str, where: str) -> Any:
    """Return a field of a struct.

    Raises
    ------
    DataError
        If `struct` is no struct, or has no such field.
    """
    if not isinstance(struct, dict):
        raise DataError(f"{where}: expected a struct with the field '{name}'")
    if name not in struct:
        raise DataError(f"{where}: no field '{name}'; the struct has {', '.join(struct) or 'none'}")
    return struct[name]


def numeric(value: Any, n_dims: int, where: str) -> npt.NDArray[Any]:
    """Return `value` where it is a numeric array of that many dimensions.

    MATLAB drops last dimensions of length one; they are put back.

    Raises
    ------
    DataError
        If it is something else.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iufb":
        raise DataError(f"{where}: expected numbers, found {_kind(value)}")
    if value.ndim > n_dims:
        raise DataError(f"{where}: {value.ndim} dimensions, expected {n_dims}")
    return value.reshape(value.shape + (1,) * (n_dims - value.ndim))


def scalar(value: Any, where: str) -> float:
    """Return the one number that `value` holds.

    Raises
    ------
    DataError
        If it is anything else.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iufb" or value.size != 1:
        raise DataError(f"{where}: expected one number, found {_kind(value)}")
    return float(value.reshape(-1)[0])


def texts(value: Any, where: str) -> list[str]:
    """Return the texts of a cell array.

    Raises
    ------
    DataError
        If it holds anything else.
    """
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DataError(f"{where}: expected a list of names, found {_kind(value)}")
    return [item.strip() for item in value]


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    names = {"dict": "a struct", "list": "a cell array", "str": "text"}
    return names.get(type(value).__name__, type(value).__name__)


def _guarded(path: Path, read: Callable[[], _Read]) -> _Read:
    try:
        return read()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except _damaged() as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise DataError(f"{path}: damaged, or no MATLAB file: {lines[0]}") from error


def _damaged() -> tuple[type[Exception], ...]:
    from scipy.io.matlab import MatReadError

    return (*_DAMAGED, MatReadError)


def _is_hdf5(path: Path) -> bool:
    import h5py

    with path.open("rb"):  # a missing file is no other format
        return bool(h5py.is_hdf5(path))


def _list_v5(path: Path) -> tuple[MatVariable, ...]:
    from scipy.io import whosmat

    return tuple(MatVariable(name=name, shape=tuple(shape)) for name, shape, _ in whosmat(str(path)))


def _load_v5(path: Path, names: Sequence[str]) -> dict[str, Any]:
    from scipy.io import loadmat

    check_structure(path, names)
    with warnings.catch_warnings():
        # Numbers in a format that SciPy cannot read are damage, not a matter of opinion.
        warnings.filterwarnings("error", message="We do not support byte ordering")
        loaded = loadmat(str(path), variable_names=list(names), struct_as_record=True)
    return {name: _plain(loaded[name]) for name in names if name in loaded}


def _plain(value: Any) -> Any:
    """Turn what SciPy returns into dicts, lists, texts and numeric arrays."""
    if isinstance(value, np.void):
        return {name: _plain(value[name]) for name in value.dtype.names or ()}
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names is not None:
        structs = [_plain(item) for item in value.ravel(order="F")]
        return structs[0] if len(structs) == 1 else structs
    if value.dtype.kind == "O":
        return [_plain(item) for item in value.ravel(order="F")]
    if value.dtype.kind in "US":
        lines = [str(line) for line in value.ravel(order="F")]
        return lines[0] if len(lines) == 1 else lines or ""
    return value


def _list_hdf5(path: Path) -> tuple[MatVariable, ...]:
    import h5py

    with h5py.File(path, "r") as file:
        values = Hdf5Values(file)
        found = {name: values.item(file, name) for name in file if not name.startswith("#")}
        return tuple(
            MatVariable(name=name, shape=tuple(getattr(item, "shape", (1, 1)))[::-1])
            for name, item in found.items()
        )


def _load_hdf5(path: Path, names: Sequence[str]) -> dict[str, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        values = Hdf5Values(file)
        return {name: values.of(values.item(file, name)) for name in names if name in list(file)}
