"""What a constant predictor costs, from the training labels: the unit of every loss component."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class LossReference:
    """Constants of the loss, fitted on training labels.

    Attributes
    ----------
    class_weights
        Weight of each hearing class, length K; 0 for a class without training labels.
    constants
        Raw value of each component for its best constant predictor; a component without training
        labels is absent.
    predictors
        That predictor: log odds, class logits, or mean and scale.
    """

    class_weights: tuple[float, ...]
    constants: dict[str, float] = field(default_factory=dict)
    predictors: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LossReference:
        """Return what `to_dict` saved."""
        return cls(
            class_weights=tuple(values["class_weights"]),
            constants=dict(values["constants"]),
            predictors={name: tuple(value) for name, value in values["predictors"].items()},
        )
