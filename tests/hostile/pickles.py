"""Pickles that create a file when something executes them, in disguises."""

from __future__ import annotations

import functools
import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Intruder:
    """Creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.canary), "w")


class IntruderByState(dict[str, Any]):
    """Hides the call in the items of a dict."""

    def __init__(self, canary: Path) -> None:
        super().__init__()
        self.canary = canary

    def __reduce__(self) -> Any:
        return dict, (), None, None, iter([("X", Intruder(self.canary)), ("y", 0)])


class IntruderByPartial:
    """Calls through `functools.partial`, which looks like data."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return functools.reduce, (_called, [str(self.canary)], open)


def _called(function: Callable[..., object], path: str) -> object:
    return function(path, "w")


def by_name(module: str, name: str, canary: Path) -> bytes:
    """Call a global by its name in the text protocol, as exploit kits write it."""
    code = f"open({str(canary)!r}, 'w')"
    return f"c{module}\n{name}\n(V{code}\ntR.".encode()


def by_stack(canary: Path) -> bytes:
    """Put the name together on the stack, so that no tool finds it in one piece."""
    path = str(canary).encode()
    return (
        b"\x80\x04\x8c\x08builtins\x8c\x04open\x93" + b"\x8c" + bytes([len(path)]) + path + b"\x8c\x01w\x86R."
    )


def by_instance(canary: Path) -> bytes:
    """Use the opcode INST of the oldest protocol."""
    return f"(V{canary}\nVw\ni__builtin__\nopen\n.".encode()


def by_object(canary: Path) -> bytes:
    """Use the opcode OBJ."""
    return f"(c__builtin__\nopen\nV{canary}\nVw\no.".encode()


def by_attribute(canary: Path) -> bytes:
    """Reach `open` by a dotted name, which protocol 4 allows."""
    path = str(canary).encode()
    name = b"\x8c\x02io\x8c\x0dopen.__call__\x93"
    return b"\x80\x04" + name + b"\x8c" + bytes([len(path)]) + path + b"\x8c\x01w\x86R."


def by_build(canary: Path) -> bytes:
    """Give a numpy array the state of an object: what its `__setstate__` takes is a call."""
    whole = pickle.dumps(np.arange(3.0), 2)
    return whole[:-1] + pickle.dumps(Intruder(canary), 2)[2:-1] + b"b."


def persistent(_canary: Path) -> bytes:
    """Refer to an object outside of the file."""
    return b"Pevil\n."


def registered(_canary: Path) -> bytes:
    """Name a global by its number in the registry of extensions."""
    return b"\x82\x01)R."


def laughs(_canary: Path) -> bytes:
    """Hold a list of two lists of two lists, each of them the same: 2**60 when written out."""
    return b"(lp0\n" + b"".join(b"(lp%d\ng%d\nag%d\na" % (k, k - 1, k - 1) for k in range(1, 61)) + b"."


def self_holding(_canary: Path) -> bytes:
    """Hold a list that holds itself."""
    return b"(lp0\ng0\na."


def memo(_canary: Path) -> bytes:
    """Number an object 2**31 - 1, for which the unpickler would clear 32 GB."""
    return b"\x80\x02N" + b"r\xff\xff\xff\x7f" + b"."


def framed_memo(_canary: Path) -> bytes:
    """The same inside of a frame."""
    return b"\x80\x04\x95" + struct.pack("<Q", 7) + b"N" + b"r\xff\xff\xff\x7f" + b"."


def long_bytes(_canary: Path) -> bytes:
    """Announce 64 GB of bytes and end."""
    return b"\x80\x04\x8e" + struct.pack("<Q", 1 << 36) + b"x."


def wide_text(_canary: Path) -> bytes:
    """Hold an array of text of one long and many short ones: 400 GB when each is as wide as the longest."""
    texts = np.array(["x" * 1_000_000, *[""] * 100_000], dtype=object)
    return pickle.dumps(texts)


def deep(_canary: Path) -> bytes:
    """Nest lists deeper than any stack is."""
    return b"(l" * 20_000 + b"a" * 19_999 + b"."


PICKLES: dict[str, Callable[[Path], bytes]] = {
    **{
        f"pickle of protocol {p}": functools.partial(lambda p, canary: pickle.dumps(Intruder(canary), p), p)
        for p in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "pickle in a dict": lambda c: pickle.dumps({"X": Intruder(c), "sample": Intruder(c), "label": 0, "y": 0}),
    "pickle in a label": lambda c: pickle.dumps({"X": np.ones(3), "y": Intruder(c)}),
    "pickle in a list": lambda c: pickle.dumps([np.ones(3), [Intruder(c)]]),
    "pickle in an array": lambda c: pickle.dumps(np.array([Intruder(c), 1.0], dtype=object)),
    "pickle of items": lambda c: pickle.dumps(IntruderByState(c)),
    "pickle of a reduction": lambda c: pickle.dumps(IntruderByPartial(c)),
    "pickle of eval": lambda c: by_name("builtins", "eval", c),
    "pickle of eval of Python 2": lambda c: by_name("__builtin__", "eval", c),
    "pickle of numpy's eval": lambda c: by_name("numpy.testing._private.utils", "runstring", c),
    "pickle of a name in pieces": by_stack,
    "pickle of a dotted name": by_attribute,
    "pickle of an instance": by_instance,
    "pickle of an object": by_object,
    "pickle of a state": by_build,
    "pickle of a reference": persistent,
    "pickle of an extension": registered,
    "pickle that multiplies": laughs,
    "pickle that holds itself": self_holding,
    "pickle of a high number": memo,
    "pickle of a high number in a frame": framed_memo,
    "pickle of endless bytes": long_bytes,
    "pickle of wide text": wide_text,
    "pickle without a floor": deep,
}
"""Each creates the canary when it is executed, or takes more memory than there is."""


def object_array(canary: Path) -> bytes:
    """Return a `.npy` file of objects."""
    buffer = io.BytesIO()
    np.save(buffer, np.array([Intruder(canary)], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def torch_file(canary: Path, *, zipped: bool = True) -> bytes:
    """Return a file of `torch.save` with the intruder in it."""
    import torch

    buffer = io.BytesIO()
    torch.save({"w": Intruder(canary)}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def joblib_file(canary: Path, compress: int = 0) -> bytes:
    """Return a file of joblib with the intruder in an array of objects."""
    import joblib

    buffer = io.BytesIO()
    joblib.dump({"data": [np.array([Intruder(canary)], dtype=object)]}, buffer, compress=compress)
    return buffer.getvalue()
