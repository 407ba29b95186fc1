from __future__ import annotations

import pytest

from neuroprism.core.errors import UnknownNameError
from neuroprism.core.registry import Registry


def registry() -> Registry[type]:
    shapes: Registry[type] = Registry("shape")
    shapes.register("circle")(complex)
    shapes.register("square")(int)
    return shapes


def test_a_registered_thing_is_returned_as_it_is() -> None:
    shapes = registry()
    assert shapes["circle"] is complex
    assert list(shapes) == ["circle", "square"]
    assert len(shapes) == 2
    assert dict(shapes) == {"circle": complex, "square": int}


def test_unknown_name_raises_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown shape 'cirle'; did you mean 'circle'"):
        registry()["cirle"]
    with pytest.raises(UnknownNameError, match="valid: circle, square"):
        registry()["xyz"]


def test_membership_and_get_do_not_raise() -> None:
    shapes = registry()
    assert "cirle" not in shapes
    assert 3 not in shapes
    assert "circle" in shapes


def test_a_name_can_be_taken_once() -> None:
    with pytest.raises(ValueError, match="shape 'circle' is registered twice"):
        registry().register("circle")(float)
