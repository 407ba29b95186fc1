"""Recording and subject of a window that earlier code stored, read from the name it gave it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from neuroprism.eeg.store_index import UNKNOWN_SUBJECT

PATTERNS = {
    "FACED": r"(?P<recording>sub(?P<subject>\d+))",
    "SEED-V": r"(?P<recording>(?P<subject>\d+)_(?P<session>\d+)_\d+)",
    "PhysioNet-MI": r"(?P<recording>(?P<subject>S\d{3})R(?P<session>\d\d))",
    "SHU-MI": r"(?P<recording>sub-(?P<subject>\d+)_ses-(?P<session>\d+)[^.\-]*)",
    "ISRUC": r"(?P<recording>ISRUC-group1-(?P<subject>\d+))",
    "CHB-MIT": r"(?P<recording>(?P<subject>chb\d\d)[a-z]?_\d+\+?)",
    "Mumtaz2016": r"(?P<recording>(?P<subject>(?:MDD|H) S\d+) +(?P<session>EC|EO|TASK))",
    "SEED-VIG": r"(?P<recording>(?P<subject>\d+)_\d+(?:_(?:noon|night|day)(?:_\d)?)?)",
    "MentalArithmetic": r"(?P<recording>Subject(?P<subject>\d\d)_(?P<session>[12]))",
    "TUEV": r"(?P<recording>(?P<subject>[A-Za-z0-9]+)_[A-Za-z0-9_]*)",
    "TUAB": r"(?P<recording>(?P<subject>[a-z]{8})_s\d+_t\d+)",
    "BCIC-IV-2a": r"(?P<recording>(?P<subject>A\d\d)(?P<session>[TE]))",
    "MODMA": r"(?P<recording>(?P<subject>0[12]\d{6})\w*)",
}
"""What the names of each dataset begin with, where they tell the subject."""

_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class LegacyName:
    """What a name tells."""

    recording: str
    subject: str
    session: str = ""


def parse_name(dataset: str, key: str) -> LegacyName:
    """Read a name such as ``Subject00_1-12`` or ``aaaaamye_s001_t000-3.pkl``.

    Examples
    --------
    >>> parse_name("MentalArithmetic", "Subject07_2.edf-11")
    LegacyName(recording='Subject07_2', subject='07', session='2')
    >>> parse_name("BCIC2020-3", "train-3-17").subject
    'unknown'
    """
    pattern = PATTERNS.get(dataset)
    found = re.match(pattern + r"(?![A-Za-z0-9])", key) if pattern else None
    if found is None:
        return LegacyName(recording="", subject=UNKNOWN_SUBJECT)
    parts = found.groupdict()
    return LegacyName(parts["recording"], parts["subject"], parts.get("session") or "")


def natural_order(name: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return a sort key under which ``x-2`` comes before ``x-10``.

    Examples
    --------
    >>> sorted(["x-10", "x-2"], key=natural_order)
    ['x-2', 'x-10']
    """
    return tuple(_NUMBERS.split(name)), tuple(int(number) for number in _NUMBERS.findall(name))
