"""The moving average against its definition in float64, and in place."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from neuroprism.train.ema import AveragedWeights


def walk(net: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))


def test_follows_the_definition_with_its_warmup() -> None:
    net = nn.Linear(3, 2)
    average = AveragedWeights(net, 0.9)
    expected = net.weight.detach().double()
    for step in range(1, 200):
        walk(net, step)
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * net.weight.detach().double()
    assert torch.allclose(average.state_dict()["weight"].double(), expected, atol=1e-5)


def test_equals_torch_after_the_warmup() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    oracle = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.8))
    average = AveragedWeights(net, 0.8)
    oracle.update_parameters(net)
    for step in range(1000, 1020):
        walk(net, step)
        oracle.update_parameters(net)
        average.update(step)
    for name, value in oracle.module.named_parameters():
        assert torch.equal(average.state_dict()[name], value)


@pytest.mark.parametrize("applied", [0.0, 1.0])
def test_flag_on_the_device_decides_whether_it_moves(applied: float) -> None:
    net = nn.Linear(3, 2)
    flagged, plain = AveragedWeights(net, 0.5), AveragedWeights(net, 0.5)
    start = plain.state_dict()["weight"].clone()
    walk(net, 1)
    flagged.update(20, applied=torch.tensor(applied))
    if applied:
        plain.update(20)
    else:
        assert torch.equal(flagged.state_dict()["weight"], start)
    assert torch.allclose(flagged.state_dict()["weight"], plain.state_dict()["weight"], atol=1e-6)


def test_in_place_gives_the_weights_back_even_after_an_error() -> None:
    net = nn.Linear(3, 2)
    average = AveragedWeights(net, 0.5)
    walk(net, 1)
    weight, held = net.weight.detach().clone(), average.state_dict()["weight"].clone()
    with contextlib.suppress(KeyError), average.in_place():
        assert torch.equal(net.weight, held)
        raise KeyError
    assert torch.equal(net.weight, weight)
    assert not torch.equal(weight, held)


def test_frozen_parameters_are_left_alone() -> None:
    net = nn.Linear(3, 2)
    net.bias.requires_grad_(False)
    assert list(AveragedWeights(net, 0.5).state_dict()) == ["weight"]
