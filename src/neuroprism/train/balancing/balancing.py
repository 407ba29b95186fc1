"""What chooses the weights of the loss components step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from neuroprism.core.records import Component
from neuroprism.core.registry import Registry


class Balancing(ABC):
    """Effective weights for every optimizer step; the configured weights are where they start.

    The total of a step is ``sum(weight x component)`` with these weights, and so
    is its gradient. Weights are chosen before a step and held for all of its
    batches; every process of a run has the same.

    Parameters
    ----------
    name
        Under which it is configured.
    components
        Terms of the loss. One with weight 0 keeps it.

    Attributes
    ----------
    needs_gradients
        Whether `weights` and `learn` read the gradients of the components in
        every step, which costs a backward pass per component.
    """

    needs_gradients = False

    def __init__(self, name: str, components: Sequence[Component]) -> None:
        self.name = name
        self.components = tuple(components)
        self.names = tuple(component.name for component in components)
        self.configured = torch.tensor([component.weight for component in components])

    @abstractmethod
    def weights(self, gram: Tensor | None) -> Tensor:
        """Return the (K,) weights of the step that begins.

        Parameters
        ----------
        gram
            (K, K) inner products between the gradients of the raw components on
            the parameters that they share, where the balancing needs them.
        """

    @abstractmethod
    def learn(self, losses: Tensor, computed: Tensor, gram: Tensor | None, *, applied: Tensor) -> None:
        """Take in a step that was made.

        Parameters
        ----------
        losses, computed
            (K,) raw values, and whether the step computed them.
        gram
            As for `weights`.
        applied
            Whether the optimizer applied the step, on the device; nothing may be
            learnt from one that it refused.
        """

    def follow(self, device: torch.device) -> None:
        """Move everything to the device of the losses."""
        self.configured = self.configured.to(device)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs to go on."""
        return {"name": self.name, "components": list(self.names)}

    def load_state_dict(self, state: Mapping[str, Any]) -> bool:
        """Continue from `state_dict`; one of another balancing or loss is left alone and False returned."""
        return state.get("name") == self.name and state.get("components") == list(self.names)


balancings: Registry[Callable[[str, Sequence[Component]], Balancing]] = Registry("loss balancing")


def build_balancing(name: str, components: Sequence[Component]) -> Balancing | None:
    """Return the balancing of that name, None for ``fixed``.

    Raises
    ------
    UnknownNameError
        If there is none.
    UserError
        If it needs a package that is not installed; the message names the extra.
    """
    return None if name == "fixed" else balancings[name](name, components)
