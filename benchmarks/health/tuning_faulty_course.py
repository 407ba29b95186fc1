"""Faulty runs of the tuning half that never learn, or learn the wrong thing."""

from __future__ import annotations

import copy
from functools import partial

import torch
from case import Case
from entries import faulty
from fitting import Hooks, Loop, Losses, Plan, Problem
from mechanisms import (
    add_layer,
    changed,
    scale_column,
    scale_inputs,
    shuffle_column,
)
from problems import autoencode, classify, forecast, likelihood, picture, regress
from problems_multi import multitask
from torch import Tensor, nn
from torch.nn import functional as F

TWO = partial(multitask, kinds={"class": "ce", "value": "mse"})
THREE = partial(multitask, kinds={"stage": "ce", "event": "bce", "amplitude": "l1"})
USELESS = (("worse_than_baseline", None),)
ADAM = Plan(epochs=16, batch=64, learning_rate=5e-3)


def _of_a_copy(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of a copy: what the optimizer gets when the net is replaced after it was made."""
    return list(copy.deepcopy(model).parameters())


def _forget_gradients(loop: Loop) -> None:
    """Set gradients to zero between the backward pass and the step."""
    for parameter in loop.parameters:
        if parameter.grad is not None:
            parameter.grad.zero_()


def _detached(_: Loop, values: Losses) -> Losses:
    return {name: value.detach() for name, value in values.items()}


def _first_bias_only(model: nn.Module) -> list[nn.Parameter]:
    return [p for name, p in model.named_parameters() if name.endswith("0.bias")][:1]


def _swap_classes(problem: Problem, _: torch.Generator) -> None:
    """Number the classes of the training data in another order than those of the validation data."""
    column = 1
    y = problem.train[column]
    problem.train = tuple((y + 1) % 4 if k == column else t for k, t in enumerate(problem.train))


def _flip_target(column: int) -> partial[None]:
    return partial(_flip, column=column)


def _flip(problem: Problem, _: torch.Generator, *, column: int) -> None:
    """Give the target of the validation data the other sign, as another polarity of the electrode does."""
    assert problem.val is not None
    problem.val = tuple(-t if k == column else t for k, t in enumerate(problem.val))


class _FrozenStatistics(nn.BatchNorm1d):
    """A normalisation whose running statistics are never updated: evaluation differs from training."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True)
        return super().forward(x)


def _bad_statistics(problem: Problem, _: torch.Generator) -> None:
    assert isinstance(problem.model, nn.Sequential)
    first, *others = problem.model
    assert isinstance(first, nn.Linear)
    problem.model = nn.Sequential(_Scale(8.0), first, _FrozenStatistics(first.out_features), *others)


class _Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x + 5.0


def _without_last_bias(problem: Problem, _: torch.Generator) -> None:
    assert isinstance(problem.model, nn.Sequential)
    old = problem.model[-1]
    assert isinstance(old, nn.Linear)
    problem.model[-1] = nn.Linear(old.in_features, old.out_features, bias=False)


_STALL = [
    faulty(
        "classify-shuffled",
        "stall",
        changed(partial(classify, n=4000), shuffle_column(1)),
        Plan(epochs=6, batch=64, learning_rate=2e-3),
        component="ce",
        also=(*USELESS, ("task_stall", "ce"), ("overfitting", "ce")),
    ),
    faulty(
        "regress-tiny-rate",
        "stall",
        regress,
        Plan(epochs=24, learning_rate=1e-7),
        component="mse",
        also=(*USELESS, ("task_stall", "mse")),
    ),
    faulty(
        "classify-parameters-of-copy",
        "stall",
        classify,
        Plan(epochs=12, optimizer="momentum", learning_rate=0.05),
        component="ce",
        hooks=lambda _: Hooks(parameters=_of_a_copy),
        also=(*USELESS, ("task_stall", "ce")),
    ),
    faulty(
        "autoencode-zeroed-gradients",
        "stall",
        autoencode,
        Plan(epochs=20, learning_rate=5e-3),
        component="reconstruction",
        hooks=lambda _: Hooks(gradients=_forget_gradients),
        also=(*USELESS, ("task_stall", "reconstruction")),
    ),
    faulty(
        "classify-blank-inputs",
        "stall",
        changed(classify, scale_inputs(0.0)),
        Plan(epochs=10, learning_rate=3e-3, log_grad_norm=False),
        component="ce",
        also=(*USELESS, ("task_stall", "ce")),
    ),
    faulty(
        "tasks-misread-inputs",
        "stall",
        changed(partial(THREE, n=4000), shuffle_column(0)),
        Plan(epochs=7, batch=64, optimizer="adamw", learning_rate=1e-3, norms_every=50),
        also=(*USELESS, ("task_stall", None), ("overfitting", None)),
    ),
    faulty(
        "recurrent-detached",
        "stall",
        forecast,
        Plan(epochs=24, learning_rate=0.01, clip=1.0),
        component="mse",
        hooks=lambda _: Hooks(losses=_detached),
        also=(*USELESS, ("vanishing_gradient", None), ("task_stall", "mse")),
    ),
    faulty(
        "conv-one-bias",
        "stall",
        changed(picture, shuffle_column(1)),
        Plan(epochs=14, optimizer="sgd", learning_rate=0.02, validate_every=0),
        component="ce",
        also=(*USELESS, ("task_stall", "ce")),
    ),
    faulty(
        "tasks-one-bias",
        "stall",
        TWO,
        Plan(epochs=16, batch=64, learning_rate=2e-5),
        hooks=lambda _: Hooks(parameters=_first_bias_only),
        also=(*USELESS, ("task_stall", None)),
    ),
]

_OVERFITTING = [
    faulty(
        "classify-few-samples",
        "overfitting",
        partial(classify, n=60, n_hidden=64, noise=0.2),
        Plan(epochs=60, batch=15, learning_rate=5e-3),
        component="ce",
        also=USELESS,
    ),
    faulty(
        "regress-few-samples",
        "overfitting",
        partial(regress, n=40, n_features=16, n_hidden=64, noise=0.8, activation="relu"),
        Plan(epochs=60, batch=10, learning_rate=3e-3),
        component="mse",
        also=USELESS,
    ),
    faulty(
        "conv-few-pictures",
        "overfitting",
        partial(picture, n=48, noise=1.6),
        Plan(epochs=50, batch=12, optimizer="momentum", learning_rate=0.03),
        component="ce",
        also=USELESS,
    ),
    faulty(
        "classify-wrong-labels",
        "overfitting",
        partial(classify, n=400, n_hidden=128, depth=2, noise=0.5),
        Plan(epochs=24, learning_rate=3e-3, declare_baselines=False),
        component="ce",
    ),
    faulty(
        "tasks-both-overfit",
        "overfitting",
        partial(TWO, n=120, n_hidden=96, noise=1.0),
        Plan(epochs=50, batch=24, learning_rate=4e-3),
        also=(("worse_than_baseline", None), ("overfitting", "class"), ("overfitting", "value")),
    ),
    faulty(
        "tasks-one-overfits",
        "overfitting",
        partial(multitask, kinds={"side": "separable", "value": "mse"}, n=120, n_hidden=64, noise=1.0),
        Plan(epochs=60, batch=24, learning_rate=4e-3),
        component="value",
        also=(("worse_than_baseline", "value"),),
    ),
    faulty(
        "likelihood-few-samples",
        "overfitting",
        partial(likelihood, n=60, noise=0.5, n_hidden=64),
        Plan(epochs=60, batch=20, learning_rate=5e-3),
        component="nll",
        also=(*USELESS, ("spike", "nll")),
    ),
    faulty(
        "classify-late",
        "overfitting",
        partial(classify, n=250, n_hidden=96, noise=0.15),
        Plan(epochs=60, batch=25, learning_rate=1.5e-3, log_grad_norm=False),
        component="ce",
        also=USELESS,
    ),
]

_WORSE = [
    faulty(
        "regress-offset",
        "worse_than_baseline",
        changed(changed(regress, scale_column(1, 1.0, offset=30.0)), _without_last_bias),
        Plan(epochs=20, learning_rate=5e-4),
        component="mse",
        also=(("stall", "mse"),),
    ),
    faulty(
        "regress-wrong-activation",
        "worse_than_baseline",
        changed(changed(regress, scale_column(1, 1.0, offset=-2.0)), add_layer(nn.Softplus())),
        Plan(epochs=20, learning_rate=3e-3),
        component="mse",
        also=(("stall", "mse"), ("task_stall", "mse")),
    ),
    faulty(
        "classify-renumbered",
        "worse_than_baseline",
        changed(classify, _swap_classes),
        Plan(epochs=12, learning_rate=3e-3),
        component="ce",
        also=(("overfitting", "ce"),),
    ),
    faulty(
        "tasks-other-polarity",
        "worse_than_baseline",
        changed(TWO, _flip_target(2)),
        ADAM,
        component="value",
        also=(("overfitting", "value"),),
    ),
    faulty(
        "regress-frozen-statistics",
        "worse_than_baseline",
        changed(partial(regress, n=1200, activation="relu"), _bad_statistics),
        Plan(epochs=14, learning_rate=5e-3),
        component="mse",
        also=(("overfitting", "mse"),),
    ),
    faulty(
        "tasks-offset-of-one",
        "worse_than_baseline",
        changed(TWO, scale_column(2, 1.0, offset=25.0)),
        Plan(epochs=14, batch=64, learning_rate=4e-4, norms_every=50),
        component="value",
        also=(("dominance", "value"), ("task_stall", "class")),
    ),
]

CASES: list[Case] = [*_STALL, *_OVERFITTING, *_WORSE]
