from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from neuroprism.core.section import Section


class Optimizer(Section):
    """An example."""

    learning_rate: float = Field(1e-3, gt=0)
    """Peak rate."""


def test_values_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Optimizer().learning_rate = 1.0  # type: ignore[misc]


def test_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="learning_rat"):
        Optimizer.model_validate({"learning_rat": 0.1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0, "fast"])
def test_impossible_value_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Optimizer.model_validate({"learning_rate": value})


def test_the_line_below_a_field_is_its_documentation() -> None:
    assert Optimizer.model_fields["learning_rate"].description == "Peak rate."


def test_field_may_be_called_model_something() -> None:
    class Named(Section):
        """Names that pydantic would reserve."""

        model_name: str = "a"

    assert Named(model_name="b").model_name == "b"
