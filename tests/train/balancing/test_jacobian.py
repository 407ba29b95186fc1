"""Weights from torchjd against its own aggregators."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchjd import aggregation

from neuroprism.core.records import Component
from neuroprism.train.balancing import AGGREGATORS, build_balancing


def components(*weights: float) -> list[Component]:
    return [Component(name=f"c{k}", label=f"C{k}", weight=weight) for k, weight in enumerate(weights)]


def jacobian(rows: int = 3) -> torch.Tensor:
    return torch.randn(rows, 20, generator=torch.Generator().manual_seed(4)).double()


@pytest.mark.parametrize("name", sorted(AGGREGATORS))
def test_the_update_points_where_the_aggregator_points(name: str) -> None:
    matrix = jacobian()
    scale = torch.tensor([2.0, 1.0, 0.5]).double()
    balancing: Any = build_balancing(name, components(2.0, 1.0, 0.5))
    torch.manual_seed(1)
    weights = balancing.weights((matrix @ matrix.T).float())
    torch.manual_seed(1)
    expected = getattr(aggregation, AGGREGATORS[name])()(scale[:, None] * matrix)
    found = weights.double() @ matrix
    assert torch.cosine_similarity(found, expected, dim=0) == pytest.approx(1, abs=1e-4)
    assert float(weights.sum()) == pytest.approx(3.5)


def test_without_conflict_upgrad_keeps_the_configured_weights() -> None:
    balancing: Any = build_balancing("upgrad", components(2.0, 1.0))
    gram = torch.tensor([[1.0, 0.5], [0.5, 4.0]])
    assert balancing.weights(gram).tolist() == pytest.approx([2.0, 1.0], rel=1e-3)


def test_upgrad_harms_no_component() -> None:
    balancing: Any = build_balancing("upgrad", components(1.0, 1.0))
    gram = torch.tensor([[1.0, -1.5], [-1.5, 9.0]])
    assert (gram @ torch.ones(2))[0] < 0
    assert ((gram @ balancing.weights(gram)) >= -1e-3).all()


def test_what_has_no_gradient_on_the_trunk_keeps_its_weight() -> None:
    balancing: Any = build_balancing("mgda", components(1.0, 1.0, 3.0))
    gram = torch.zeros(3, 3)
    assert balancing.weights(gram).tolist() == [1, 1, 3]
    gram[:2, :2] = torch.tensor([[1.0, 0.0], [0.0, 4.0]])
    # The point of least norm between orthogonal gradients: weights go with 1 / norm^2.
    assert balancing.weights(gram).tolist() == pytest.approx([1.6, 0.4, 3.0], rel=1e-2)
    gram[0, 0] = torch.nan
    assert balancing.weights(gram).tolist() == [1, 1, 3]
