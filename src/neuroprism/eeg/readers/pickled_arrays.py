"""Arrays that a provider ships as pickle files, read without executing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError


def read_pickled_array(path: Path) -> npt.NDArray[Any]:
    """Read the one numeric array that a pickle file holds.

    Raises
    ------
    DataError
        If the file is damaged, asks for anything but plain data, or holds
        something other than a numeric array.
    """
    from neuroprism.core.restricted_pickle import load_restricted

    try:
        with path.open("rb") as file:
            value = load_restricted(file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DataError as error:
        text = str(error)
        raise DataError(text if str(path) in text else f"{path}: {text}") from error
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        raise DataError(f"{path}: holds {type(value).__name__}, not an array of numbers")
    return value
