from __future__ import annotations

import pytest
import torch

from neuroprism.core.records import Component
from neuroprism.train.balancing import GradNorm

COMPONENTS = [Component(name=name, label=name, baseline=1.0) for name in "abc"]


def settle(balancing: GradNorm, norms: list[float], losses: list[float], n: int = 600) -> torch.Tensor:
    gram = torch.diag(torch.tensor(norms).square())
    ones = torch.ones(len(norms), dtype=torch.bool)
    for _ in range(n):
        balancing.learn(torch.tensor(losses), ones, gram, applied=torch.tensor(True))
    return balancing.weights(gram) * torch.tensor(norms)


def test_equally_fast_components_get_equal_gradients_and_the_sum_of_weights_stays() -> None:
    balancing = GradNorm("gradnorm", COMPONENTS)
    weighted = settle(balancing, [4.0, 1.0, 2.0], [0.5, 0.5, 0.5])
    assert (weighted / weighted.mean()).tolist() == pytest.approx([1, 1, 1], abs=0.12)
    assert float(balancing.weights(None).sum()) == pytest.approx(3)


def test_a_component_that_lags_behind_gets_more() -> None:
    weighted = settle(GradNorm("gradnorm", COMPONENTS), [1.0, 1.0, 1.0], [0.4, 0.4, 0.8])
    share = weighted / weighted.mean()
    # Chen et al.: proportional to (relative inverse training rate) ^ alpha.
    expected = torch.tensor([0.4, 0.4, 0.8]) ** 1.5
    assert share.tolist() == pytest.approx((expected / expected.mean()).tolist(), abs=0.15)


def test_without_a_baseline_the_first_value_is_the_start() -> None:
    bare = [Component(name=name, label=name) for name in "ab"]
    balancing = GradNorm("gradnorm", bare)
    settle(balancing, [1.0, 1.0], [8.0, 2.0], n=1)
    settle(balancing, [1.0, 1.0], [4.0, 1.0], n=1)
    assert balancing.state_dict()["start"].tolist() == [8.0, 2.0]


def test_what_has_no_gradient_or_was_not_computed_is_left_alone() -> None:
    balancing = GradNorm("gradnorm", COMPONENTS)
    weights = settle(balancing, [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], n=5)
    assert weights.tolist() == [0, 0, 0]
    assert balancing.weights(None).tolist() == [1, 1, 1]
    # A likelihood below zero is taken as nearly learnt, not as a number without sense.
    assert torch.isfinite(settle(balancing, [1.0, 1.0, 1.0], [-3.0, 0.5, 0.5], n=50)).all()
