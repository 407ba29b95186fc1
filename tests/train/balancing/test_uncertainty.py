from __future__ import annotations

import math

import pytest
import torch

from neuroprism.core.records import Component
from neuroprism.train.balancing import Uncertainty

COMPONENTS = [Component(name="a", label="A", weight=2.0), Component(name="b", label="B", weight=1.0)]


def settle(losses: list[float], n: int = 1500) -> Uncertainty:
    balancing = Uncertainty("uncertainty", COMPONENTS)
    assert balancing.weights(None).tolist() == [2.0, 1.0]
    for _ in range(n):
        balancing.learn(
            torch.tensor(losses), torch.ones(2, dtype=torch.bool), None, applied=torch.tensor(True)
        )
    return balancing


def test_at_rest_a_weight_is_half_the_configured_one_over_the_loss() -> None:
    # The minimum of exp(-s) L + s / 2 lies at exp(-s) = 1 / (2 L).
    assert settle([4.0, 0.5]).weights(None).tolist() == pytest.approx([2 / 8, 1 / 1], rel=1e-2)


def test_a_loss_below_zero_meets_the_bound() -> None:
    assert settle([-1.0, 100.0]).weights(None).tolist() == pytest.approx([2 * math.exp(3), math.exp(-3)])


def test_what_was_not_computed_is_not_learnt_from() -> None:
    balancing = Uncertainty("uncertainty", COMPONENTS)
    balancing.learn(torch.tensor([5.0, 0.0]), torch.tensor([True, False]), None, applied=torch.tensor(True))
    weights = balancing.weights(None)
    assert weights[0] < 2
    assert weights[1] == 1
