"""Reading the `.npy` format without believing it: room is made for what is there, not for what is said."""

from __future__ import annotations

import math
import tokenize
import warnings
from typing import IO, Any

import numpy as np
import numpy.typing as npt

FAULTS = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    SyntaxError,
    MemoryError,
    OverflowError,
    tokenize.TokenError,
)
"""What reading a damaged or hostile array raises."""


def read_array(file: IO[bytes], n_bytes: int) -> npt.NDArray[Any]:
    """Read one array of numbers or text.

    Parameters
    ----------
    file
        Open at the beginning of the array.
    n_bytes
        Length of the whole of it, header included.

    Raises
    ------
    ValueError
        If it is none, holds objects, or is not as long as its header says.
    OSError, TypeError, EOFError, SyntaxError, MemoryError, OverflowError, tokenize.TokenError
        If it is damaged; all of them are in `FAULTS`.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version[0]}.{version[1]} of the .npy format is not read")
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    with warnings.catch_warnings():
        # The header was written by Python 2, or is damaged: then it is seen below.
        warnings.simplefilter("ignore", UserWarning)
        shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject or dtype.kind not in "biufcSU":
        raise ValueError(f"an array of type {dtype}; only numbers and text are read")
    size = math.prod(shape) * dtype.itemsize
    if size > n_bytes:
        raise ValueError(f"{n_bytes:,} bytes cannot hold an array of shape {shape}")
    content = file.read(size)
    if len(content) != size or file.read(1):
        raise ValueError(f"it is not as long as an array of shape {shape}")
    # A copy of its own, which can be written to.
    flat = np.frombuffer(content, dtype).copy() if size else np.empty(math.prod(shape), dtype)
    return flat.reshape(shape, order="F" if is_fortran else "C")
