"""Values of every kind become cells."""

from __future__ import annotations

import pytest

from neuroprism.abr.csv_table import encode_csv


def test_values_of_every_kind() -> None:
    columns = {
        "name": ["a,b", 'say "no"'],
        "there": [True, False],
        "ms": [5.6123456789, None],
        "n": [7, 1234567],
    }
    assert encode_csv(columns).decode().splitlines() == [
        "name,there,ms,n",
        '"a,b",1,5.61235,7',
        '"say ""no""",0,,1234567',
    ]


def test_columns_of_unequal_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        encode_csv({"a": [1, 2], "b": [1]})
