"""Strict JSON for records: no bare NaN, exact round trip.

In line records non-finite numbers are the strings ``"NaN"``, ``"Infinity"``
and ``"-Infinity"``; readers turn them back. Where a consumer expects numbers
only, they become ``null``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises where the bytes are not the JSON that is expected, or nest without end."""

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def name_non_finite(value: float) -> str:
    """Return the string that stands for a non-finite number."""
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _replace(value: Any, by: Callable[[float], Any]) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else by(value)
    if isinstance(value, dict):
        return {key: _replace(item, by) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace(item, by) for item in value]
    return value


def encode(record: Any) -> bytes:
    """Encode a struct or builtin as one line of strict JSON, non-finite numbers as strings."""
    return msgspec.json.encode(_replace(msgspec.to_builtins(record), name_non_finite))


def encode_pretty(record: Any, *, non_finite_as_null: bool = False) -> bytes:
    """Encode as indented JSON with a final newline, for files that people open."""
    by = (lambda _: None) if non_finite_as_null else name_non_finite
    plain = _replace(msgspec.to_builtins(record), by)
    return msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n"


def restore(value: Any) -> Any:
    """Turn the strings for non-finite numbers back into numbers, at any depth."""
    if isinstance(value, str):
        return _NON_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: restore(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restore(item) for item in value]
    return value


def decode(line: bytes | str) -> Any:
    """Decode JSON; strings that stand for non-finite numbers become numbers.

    Raises
    ------
    msgspec.DecodeError
        If `line` is not JSON.
    """
    return restore(msgspec.json.decode(line))
