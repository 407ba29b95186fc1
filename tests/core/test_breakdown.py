"""The parts of a total."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroprism.core.breakdown import shares, weighted_parts
from neuroprism.core.records import Component, weighted_total

NUMBERS = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6))
def test_parts_add_up_to_the_total(pairs: list[tuple[float, float]]) -> None:
    components = [Component(name=f"c{k}", label="", weight=w) for k, (w, _) in enumerate(pairs)]
    values = {f"c{k}": value for k, (_, value) in enumerate(pairs)}
    parts = weighted_parts(components, values)
    assert sum(parts.values()) == weighted_total(components, values)


@given(st.dictionaries(st.text(min_size=1, max_size=3), NUMBERS, min_size=1))
def test_shares_lie_between_0_and_1_and_add_up_to_1(parts: dict[str, float]) -> None:
    found = shares(parts)
    if found:
        assert sum(found.values()) == pytest.approx(1.0)
        assert all(0 <= share <= 1 for share in found.values())
    else:
        assert not any(parts.values())


def test_absent_component_has_no_part() -> None:
    components = [Component(name="a", label="A", weight=2.0), Component(name="b", label="B")]
    assert weighted_parts(components, {"a": 3.0}) == {"a": 6.0}


@pytest.mark.parametrize("parts", [{"a": 0.0}, {"a": math.nan, "b": 1.0}, {"a": math.inf}, {}])
def test_no_share_of_nothing_or_of_no_number(parts: dict[str, float]) -> None:
    assert shares(parts) == {}
