from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroprism.core import strict_json
from neuroprism.core.records import Alert

NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**53), 2**53)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text().filter(lambda text: text not in strict_json._NON_FINITE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def refuse(constant: str) -> float:
    raise AssertionError(f"not strict JSON: {constant}")


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and math.isnan(left):
        return isinstance(right, float) and math.isnan(right)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


@given(VALUES)
def test_round_trip_is_exact_and_strict(value: Any) -> None:
    line = strict_json.encode({"value": value})
    assert b"\n" not in line
    json.loads(line, parse_constant=refuse)
    assert same(strict_json.decode(line)["value"], value)


@given(VALUES)
def test_pretty_form_says_the_same(value: Any) -> None:
    text = strict_json.encode_pretty({"value": value})
    assert text.endswith(b"}\n")
    assert same(strict_json.decode(text)["value"], value)


def test_non_finite_numbers_have_the_documented_spelling() -> None:
    line = strict_json.encode({"a": math.nan, "b": math.inf, "c": [-math.inf]})
    assert line == b'{"a":"NaN","b":"Infinity","c":["-Infinity"]}'


def test_non_finite_numbers_become_null_where_asked() -> None:
    text = strict_json.encode_pretty({"a": [1.5, math.nan, -math.inf]}, non_finite_as_null=True)
    assert json.loads(text) == {"a": [1.5, None, None]}
    assert text.decode().splitlines()[1] == '  "a": ['


def test_structs_are_encoded_with_their_tag() -> None:
    alert = Alert(rule="r", kind="k", severity="info", message="m", evidence={"value": math.nan})
    plain = strict_json.decode(strict_json.encode(alert))
    assert plain["event"] == "alert"
    assert math.isnan(plain["evidence"]["value"])


def test_text_that_is_not_json_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        strict_json.decode(b'{"a": NaN}')
