"""Reading joblib files of plain data without executing what they ask for.

joblib writes a pickle in which each array is a small wrapper, and puts the
bytes of the array behind it into the same file. An array of objects is a pickle
of its own there: it is read by the same rules. Arrays of text in which every
item is a string are admitted, and objects of the classes that a reader names:
they become the dict of their attributes, and their own code is not imported.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, BinaryIO

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.core.guarded_file import GuardedFile
from neuroprism.core.restricted_pickle import (
    FAULTS,
    PlainArray,
    PlainObject,
    PlainType,
    RestrictedUnpickler,
    finished,
    one_line,
)

_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_COMPRESSED = {b"\x78": "zlib", b"\x1f\x8b": "gzip", b"BZ": "bz2", b"\xfd7": "xz", b"\x5d\x00": "lzma"}
_MOST_NESTED = 4


def load_restricted_joblib(file: BinaryIO, *, as_dict: Collection[tuple[str, str]] = ()) -> Any:
    """Read an uncompressed joblib file, or a pickle, of plain data.

    Parameters
    ----------
    file
        Open file that can seek.
    as_dict
        Classes, by module and name, whose objects are returned as the dict of
        their attributes.

    Returns
    -------
    What was stored, as `neuroprism.core.restricted_pickle` returns it.

    Raises
    ------
    DataError
        If the file names anything else (nothing was executed), is compressed,
        or is damaged.
    """
    name = f"{getattr(file, 'name', 'joblib data')}"
    try:
        return finished(_JoblibUnpickler(_uncompressed(file), frozenset(as_dict), 0).load())
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except FAULTS as error:
        raise DataError(f"{name}: not a readable joblib file: {one_line(error)}") from None


def _uncompressed(file: BinaryIO) -> GuardedFile:
    start = file.tell()
    head = file.read(2)
    file.seek(start)
    for mark, kind in _COMPRESSED.items():
        if head.startswith(mark):
            raise DataError(f"it is compressed ({kind}); store it again without compression")
    return GuardedFile(file)


class _JoblibUnpickler(RestrictedUnpickler):
    """Reads arrays that lie behind their wrappers."""

    def __init__(self, file: GuardedFile, as_dict: frozenset[tuple[str, str]], depth: int) -> None:
        super().__init__(file)
        self._file = file
        self._as_dict = as_dict
        self._depth = depth
        unpickler = self

        class Wrapper(PlainArray):
            """Takes the array that follows it in the file."""

            __slots__ = ()

            def __init__(self) -> None:
                super().__init__()

            def __setstate__(self, state: Any) -> None:
                self.value = unpickler.array(state)

        self._wrapper = Wrapper

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a global, without importing anything."""
        if (module, name) == _WRAPPER:
            return self._wrapper
        if (module, name) in self._as_dict:
            return PlainObject
        return super().find_class(module, name)

    def make_type(self, code: Any, *options: Any) -> PlainType:
        """Admit objects: whether they are text is seen when they are read."""
        return PlainType(code, *options, objects=True)

    def array(self, state: Any) -> np.ndarray[Any, Any]:
        """Read the array that a wrapper announces."""
        kind, shape, order = state["dtype"], tuple(state["shape"]), state["order"]
        if not isinstance(kind, PlainType) or any(not isinstance(n, int) or n < 0 for n in shape):
            raise DataError("refused: an array without a plain type or shape")
        if kind.dtype.hasobject:
            return self._nested(shape)
        if state.get("numpy_array_alignment_bytes") is not None:
            padding = self._file.read(1)
            self._file.read(padding[0])
        size = math.prod(shape) * kind.dtype.itemsize
        if size > self._file.left():
            raise DataError("it ends within an array")
        flat = (
            np.frombuffer(self._file.read(size), dtype=kind.dtype).copy() if size else np.empty(0, kind.dtype)
        )
        return flat.reshape(shape[::-1]).T if order == "F" else flat.reshape(shape)

    def _nested(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        if self._depth >= _MOST_NESTED:
            raise DataError("refused: pickles within pickles")
        nested = _JoblibUnpickler(self._file, self._as_dict, self._depth + 1).load()
        value = finished(nested)
        if not isinstance(value, np.ndarray) or value.dtype.kind != "U" or value.shape != shape:
            raise DataError("refused: an array of objects; only numbers and text are read")
        return value
