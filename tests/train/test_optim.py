"""Parameter groups, optimizer types, clipping, and options after a resume."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn
from torch.optim import SGD, Adam, AdamW

from neuroprism.core.errors import DataError
from neuroprism.train.optim import (
    build_optimizer,
    clip_gradients,
    load_optimizer_state,
    named_rates,
    parameter_groups,
)
from neuroprism.train.optimizer_config import OptimizerConfig


def options(**values: Any) -> OptimizerConfig:
    return TypeAdapter(OptimizerConfig).validate_python(values)


def model() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))
    net.dynamics = nn.Parameter(torch.ones(8, 3))
    net.dynamics._optim = {"lr": 1e-3, "weight_decay": 0.0}  # type: ignore[attr-defined]
    net.slow = nn.Parameter(torch.ones(2, 2))
    net.slow._optim = {"lr": 5e-4}  # type: ignore[attr-defined]
    net.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)
    return net


def by_name(net: nn.Module, **rates: float) -> dict[str, tuple[float, float]]:
    names = {id(p): name for name, p in net.named_parameters()}
    return {
        names[id(p)]: (group["base_lr"], group["weight_decay"])
        for group in parameter_groups(net, **rates)
        for p in group["params"]
    }


def test_vectors_have_no_decay_and_wishes_are_honoured() -> None:
    found = by_name(model(), learning_rate=1e-2, weight_decay=0.1)
    assert found == {
        "0.weight": (1e-2, 0.1),
        "0.bias": (1e-2, 0.0),
        "1.weight": (1e-2, 0.0),
        "1.bias": (1e-2, 0.0),
        "2.weight": (1e-2, 0.1),
        "2.bias": (1e-2, 0.0),
        "dynamics": (1e-3, 0.0),
        "slow": (5e-4, 0.1),
    }


def test_a_wish_limits_the_rate_but_never_raises_it() -> None:
    found = by_name(model(), learning_rate=1e-5, weight_decay=0.1)
    assert found["dynamics"] == (1e-5, 0.0)


def test_a_part_that_learns_faster_has_its_own_recorded_rate() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    for parameter in net[1].parameters():
        parameter._optim = {"lr_factor": 5.0, "group": "head"}  # type: ignore[attr-defined]
    found = by_name(net, learning_rate=1e-4, weight_decay=0.1)
    assert found["1.weight"] == (pytest.approx(5e-4), 0.1)
    assert found["1.bias"] == (pytest.approx(5e-4), 0.0)
    assert found["0.weight"] == (1e-4, 0.1)
    optimizer = build_optimizer(net, options(type="adamw", learning_rate=1e-4))
    assert named_rates(optimizer) == {"lr_head": pytest.approx(5e-4)}


def test_an_unknown_wish_is_an_error() -> None:
    net = nn.Linear(2, 2)
    net.weight._optim = {"learning_rate": 1e-3}  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="unknown keys"):
        parameter_groups(net, learning_rate=1.0, weight_decay=0.0)


@pytest.mark.parametrize(
    ("config", "kind", "expected"),
    [
        (options(type="sgd", momentum=0.7, nesterov=True), SGD, {"momentum": 0.7, "nesterov": True}),
        (options(type="adam", betas=[0.8, 0.9], eps=1e-6), Adam, {"betas": (0.8, 0.9), "eps": 1e-6}),
        (options(type="adamw", amsgrad=True), AdamW, {"amsgrad": True, "betas": (0.9, 0.95)}),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_every_option_arrives_and_fused_is_used(config: OptimizerConfig, kind: type, expected: Any) -> None:
    built = build_optimizer(model(), config)
    assert type(built) is kind
    for group in built.param_groups:
        assert {name: group[name] for name in expected} == expected
        assert group["fused"] is True
    assert not build_optimizer(model(), config, allow_fused=False).param_groups[0]["fused"]


def test_complex_parameters_fall_back_to_the_plain_implementation() -> None:
    net = nn.Module()
    net.kernel = nn.Parameter(torch.ones(2, 2, dtype=torch.complex64))
    built = build_optimizer(net, options(type="adamw"))
    assert built.param_groups[0]["fused"] is None
    net.kernel.grad = torch.ones_like(net.kernel)
    built.step()


def test_clipping_returns_the_norm_before() -> None:
    weights = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2))]
    for weight in weights:
        weight.grad = torch.full_like(weight, 2.0)
    before = [weight.grad.clone() for weight in weights]
    assert float(clip_gradients(weights, None)) == pytest.approx(28**0.5)
    assert all(torch.equal(w.grad, b) for w, b in zip(weights, before, strict=True))
    assert float(clip_gradients(weights, 1.0)) == pytest.approx(28**0.5)
    assert float(clip_gradients(weights, 1.0)) == pytest.approx(1.0, rel=1e-5)


def test_state_is_restored_while_options_stay_as_configured() -> None:
    net = model()
    first = build_optimizer(net, options(type="adamw", learning_rate=1e-2))
    sum(p.sum() for p in net.parameters()).backward()
    first.step()
    second = build_optimizer(net, options(type="adamw", learning_rate=3e-3, weight_decay=0.5))
    load_optimizer_state(second, first.state_dict())
    assert {group["base_lr"] for group in second.param_groups} == {3e-3, 1e-3, 5e-4}
    assert {group["weight_decay"] for group in second.param_groups} == {0.0, 0.5}
    weight = net[0].weight  # type: ignore[index]
    assert torch.equal(second.state[weight]["exp_avg"], first.state[weight]["exp_avg"])


def test_state_of_another_model_is_refused() -> None:
    state = build_optimizer(nn.Linear(2, 2), options(type="adamw")).state_dict()
    with pytest.raises(DataError, match="does not fit this model"):
        load_optimizer_state(build_optimizer(model(), options(type="adamw")), state)
