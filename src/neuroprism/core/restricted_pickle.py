"""Reading pickle files of arrays without executing what they ask for.

A pickle is a program: it may name any function of any module and have it
called. Here it may name the few that numpy arrays are made of, and each of
these is replaced by a stand-in of this module, so that not even numpy's own
unpickling code runs on what the file says. Everything else is refused.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.core.guarded_file import GuardedFile

FAULTS = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    MemoryError,
    RecursionError,
)
"""What the unpickler raises on damaged or hostile bytes."""

MOST_VALUES = 20_000_000
"""Values in containers; shared ones count as often as they are referred to."""

MOST_LETTERS = 1 << 28
"""Letters of an array of text that the file holds as single texts."""

_KINDS = "biufcSU"
"""Kinds of numpy types that are admitted: numbers and strings of fixed length."""


def load_restricted(source: BinaryIO | bytes) -> Any:
    """Read a pickle of plain data.

    Admitted are numpy arrays and scalars of numbers or strings, Python
    numbers, booleans, None, strings, bytes, lists, tuples and dicts.

    Parameters
    ----------
    source
        Open file, or the bytes themselves.

    Returns
    -------
    What was pickled. Text that Python 2 wrote is decoded as Latin-1.

    Raises
    ------
    DataError
        If the pickle names anything else (the message says what; nothing was
        executed), holds an array of objects, or is damaged.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    name = f"{getattr(file, 'name', 'pickled data')}"
    try:
        return finished(RestrictedUnpickler(GuardedFile(file), encoding="latin1").load())
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except FAULTS as error:
        raise DataError(f"{name}: not a readable pickle: {one_line(error)}") from None


class RestrictedUnpickler(pickle.Unpickler):
    """Resolves admitted names to stand-ins and refuses all others."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a global, without importing anything."""
        make = self.make_type if (module, name) == _DTYPE else _ADMITTED.get((module, name))
        if make is None:
            raise DataError(
                f"refused: it asks for {module}.{name}, which is neither a numpy array, a number nor text; "
                "nothing was executed"
            )
        return _StandIn(make)

    def make_type(self, code: Any, *options: Any) -> PlainType:
        """Stand for `numpy.dtype`."""
        return PlainType(code, *options)

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects outside of the file."""
        raise DataError("refused: it refers to an object outside of the file")


class _StandIn:
    """Stands for an admitted global; can be called, not changed."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setattr__(self, name: str, value: Any) -> None:
        raise TypeError("a global cannot be changed")

    def __setstate__(self, state: Any) -> None:
        raise TypeError("a global has no state")


class PlainType:
    """A numpy type while it is read."""

    __slots__ = ("dtype",)

    def __init__(self, code: Any, *_align_and_copy: Any, objects: bool = False) -> None:
        dtype = np.dtype(code) if isinstance(code, str) else None
        if dtype is None or dtype.kind not in (_KINDS + "O" if objects else _KINDS):
            raise DataError(f"refused: an array of type {code!r}; only numbers and text are read")
        self.dtype = dtype

    def __setstate__(self, state: Any) -> None:
        """Take the byte order; a type of numbers or text has nothing else."""
        order, subarray, names, fields = state[1:5]
        if (subarray, names, fields) != (None, None, None) or order not in ("<", ">", "|", "="):
            raise DataError("refused: an array of a structured type; only numbers and text are read")
        if self.dtype.kind in "SU":
            # Strings say their length here, too.
            self.dtype = np.dtype(f"{order}{self.dtype.kind}{_length(self.dtype, state)}")
        else:
            self.dtype = self.dtype.newbyteorder(order)


class PlainArray:
    """A numpy array while it is read."""

    __slots__ = ("value",)

    def __init__(self, value: Any = None) -> None:
        self.value = value

    def __setstate__(self, state: Any) -> None:
        """Take shape, type and bytes."""
        _version, shape, kind, is_fortran, raw = state
        self.value = _decode(raw, kind, shape, "F" if is_fortran else "C")


class PlainObject:
    """Attributes of an object that a reader admits, in place of the object."""

    __slots__ = ("attributes",)
    attributes: Any

    def __init__(self) -> None:
        self.attributes = {}

    def __setstate__(self, state: Any) -> None:
        """Take the attributes as they are."""
        if not isinstance(state, dict):
            raise DataError("refused: an object whose state is no dict")
        self.attributes = state


def _length(dtype: np.dtype[Any], state: Any) -> int:
    size = state[5] if isinstance(state[5], int) and state[5] > 0 else dtype.itemsize
    return int(size // 4 if dtype.kind == "U" else size)


def _decode(raw: Any, kind: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    """Return an array of its own from bytes."""
    if not isinstance(kind, PlainType):
        raise DataError("refused: an array without a plain type")
    if isinstance(raw, list) or kind.dtype.hasobject:
        return _texts(raw, kind, shape)
    content = raw.encode("latin1") if isinstance(raw, str) else raw
    flat = np.frombuffer(content, dtype=kind.dtype) if len(content) else np.empty(0, kind.dtype)
    return flat.reshape(tuple(shape), order=str(order)).copy(order="K")  # type: ignore[call-overload, no-any-return]


def _texts(raw: Any, kind: PlainType, shape: Any) -> np.ndarray[Any, Any]:
    """Return an array of text from a list of strings, where its type admits objects."""
    if (
        not kind.dtype.hasobject
        or not isinstance(raw, list)
        or not all(isinstance(item, str) for item in raw)
    ):
        raise DataError("refused: an array of objects; only numbers and text are read")
    # numpy gives every text the room of the longest.
    if len(raw) * max(map(len, raw), default=0) > MOST_LETTERS:
        raise DataError("refused: an array of text too wide for memory")
    return np.array(raw, dtype=np.str_).reshape(tuple(shape))


def _reconstruct(_array_type: Any, _shape: Any, _kind: Any) -> PlainArray:
    """Stand for numpy's `_reconstruct`: an empty array that gets its content afterwards."""
    return PlainArray()


def _from_buffer(raw: Any, kind: Any, shape: Any, order: Any) -> PlainArray:
    """Stand for numpy's `_frombuffer`, with which protocol 5 makes arrays."""
    return PlainArray(_decode(raw, kind, shape, order))


def _scalar(kind: Any, raw: Any) -> Any:
    """Stand for numpy's `scalar`."""
    # An empty text has no bytes to decode.
    return _decode(raw, kind, (1,), "C")[0] if len(raw) else _decode(raw, kind, (0,), "C").dtype.type()


def _encode(text: Any, encoding: Any) -> bytes:
    """Stand for `_codecs.encode`, with which protocols below 3 write bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise DataError(f"refused: bytes encoded as {encoding!r}")
    return bytes(text, "latin1")


def _empty_bytes() -> bytes:
    """Stand for `bytes`, with which protocols below 3 write an empty string of bytes."""
    return b""


def _complex(real: float, imaginary: float) -> complex:
    """Stand for `complex`."""
    return complex(real, imaginary)


def _no_instance(*_arguments: Any) -> Any:
    """Stand for a class that is only named, as the type of an array to be made."""
    raise DataError("refused: an array made by calling its class")


_DTYPE = ("numpy", "dtype")
_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _no_instance,
    ("_codecs", "encode"): _encode,
}
for _builtins in ("builtins", "__builtin__"):
    _ADMITTED |= {(_builtins, "bytes"): _empty_bytes, (_builtins, "complex"): _complex}
# numpy 2 moved its inner modules.
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED |= {
        (f"{_core}.multiarray", "_reconstruct"): _reconstruct,
        (f"{_core}.multiarray", "scalar"): _scalar,
        (f"{_core}.numeric", "_frombuffer"): _from_buffer,
    }


def finished(value: Any) -> Any:
    """Return plain data with every stand-in replaced by what it stands for.

    Raises
    ------
    DataError
        If a container holds itself, or what is shared would be copied without end.
    """
    _n_values(value, {})
    return _copied(value)


def _n_values(value: Any, known: dict[int, int]) -> int:
    """Return the number of values in a container; shared ones are written out, but counted once."""
    if isinstance(value, PlainObject):
        value = value.attributes
    if not isinstance(value, list | tuple | dict):
        return 1
    if id(value) in known:
        if not known[id(value)]:
            raise DataError("refused: a container that holds itself")
        return known[id(value)]
    known[id(value)] = 0
    items = chain.from_iterable(value.items()) if isinstance(value, dict) else value
    n = 1 + sum(_n_values(item, known) for item in items)
    if n > MOST_VALUES:
        raise DataError(f"refused: more than {MOST_VALUES:,} values")
    known[id(value)] = n
    return n


def _copied(value: Any) -> Any:
    if isinstance(value, PlainArray):
        if value.value is None:
            raise DataError("not a readable pickle: an array without content")
        return value.value
    if isinstance(value, PlainObject):
        return _copied(value.attributes)
    if isinstance(value, PlainType | _StandIn):
        raise DataError("refused: a type in place of data")
    if isinstance(value, dict):
        return {_copied(key): _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_copied(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        return value
    raise DataError(f"refused: a value of type {type(value).__name__}")


def one_line(error: BaseException) -> str:
    """Return what an error says without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
