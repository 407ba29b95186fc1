"""Names of classes, polarities and sexes in the words of sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuroprism.abr.columns import HEARING_CLASSES, SEXES, UNKNOWN_CLASS
from neuroprism.core.errors import DataError, UnknownNameError

EARLIER_CLASSES = {
    "NORMAL": "normal",
    "NÖROPATİ": "neuropathy",
    "SNİK": "sensorineural",
    "TOTAL": "total",
    "İTİK": "conductive",
}
"""Class names of the earlier project."""

_POLARITIES = {
    "alternating": "alternating",
    "alternate": "alternating",
    "rarefaction": "rarefaction",
    "condensation": "condensation",
    "unknown": "unknown",
    "": "unknown",
}
_EARS = {"l": "L", "left": "L", "r": "R", "right": "R", "": "unknown", "unknown": "unknown"}
_SEXES = {"": 0, "unknown": 0, "n/a": 0, "female": 1, "f": 1, "male": 2, "m": 2}


def class_numbers(names: Sequence[str], declared: Mapping[str, str], source: Path) -> NDArray[np.int64]:
    """Return the class of each name, and -1 where there is none.

    Parameters
    ----------
    names
        As the source has them; empty: not known.
    declared
        What names of the source are called here.
    source
        For messages.

    Raises
    ------
    DataError
        If a name is not known; the message lists all of them and names the flag.
    """
    for ours in declared.values():
        if ours not in (*HEARING_CLASSES, "unknown"):
            raise UnknownNameError("hearing class", ours, (*HEARING_CLASSES, "unknown"))
    known = {name: name for name in HEARING_CLASSES} | EARLIER_CLASSES | {"": "unknown", "unknown": "unknown"}
    known |= declared
    strange = sorted({name for name in names if name not in known and name.casefold() not in known})
    if strange:
        raise DataError(
            f"{source}: unknown hearing classes {', '.join(strange[:5])}; "
            f"say which they are with --class-name {strange[0]}={'|'.join((*HEARING_CLASSES, 'unknown'))}"
        )
    number = {name: k for k, name in enumerate(HEARING_CLASSES)} | {"unknown": UNKNOWN_CLASS}
    return np.array(
        [number[known.get(name, known.get(name.casefold(), ""))] for name in names], dtype=np.int64
    )


def polarity_names(values: Sequence[str], source: Path) -> NDArray[np.str_]:
    """Return polarities; unknown words raise `DataError`."""
    return np.array([_word(value, _POLARITIES, "polarity", source) for value in values])


def ear_names(values: Sequence[str], source: Path) -> NDArray[np.str_]:
    """Return `L`, `R` or `unknown`; unknown words raise `DataError`."""
    return np.array([_word(value, _EARS, "ear", source) for value in values])


def sex_numbers(values: Sequence[str], source: Path) -> NDArray[np.int8]:
    """Return codes of sexes; unknown words raise `DataError`."""
    codes = [
        _word(value, {key: str(code) for key, code in _SEXES.items()}, "sex", source) for value in values
    ]
    return np.array(codes, dtype=np.int8)


def _word(value: str, known: Mapping[str, str], what: str, source: Path) -> str:
    if value.strip().casefold() not in known:
        allowed = SEXES if what == "sex" else sorted({word for word in known.values() if word})
        raise DataError(f"{source}: {what} '{value}' is not understood; known are {', '.join(allowed)}")
    return known[value.strip().casefold()]
