"""Recordings as in the TUH EEG corpus: 250 Hz, referential labels."""

from __future__ import annotations

ELECTRODES = [
    *("FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7"),
    *("F8", "T3", "T4", "T5", "T6", "A1", "A2", "FZ", "CZ", "PZ"),
]
LABELS = [
    *(f"EEG {name}-REF" for name in ELECTRODES),
    "EEG EKG1-REF",
]

RATE_HZ = 250


def letters(number: int) -> str:
    """Return an identifier of eight letters, as the corpus gives people, e.g. ``"aaaaaabk"``."""
    digits = []
    for _ in range(8):
        number, digit = divmod(number, 26)
        digits.append(chr(ord("a") + digit))
    return "".join(reversed(digits))
