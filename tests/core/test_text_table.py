"""Aligned columns."""

from __future__ import annotations

from neuroprism.core.text_table import text_table


def test_columns_are_aligned_and_lines_have_no_trailing_blanks() -> None:
    text = text_table(["name", "n"], [["a", ""], ["bcd", "1,000"]], indent="  ")
    assert text.splitlines() == ["  name      n", "  a", "  bcd   1,000"]


def test_header_alone_is_a_table() -> None:
    assert text_table(["name", "n"], []) == "name  n"
