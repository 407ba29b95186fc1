"""Faulty runs of the tuning half in which gradients die out or losses swing."""

from __future__ import annotations

from functools import partial

import torch
from case import Case
from entries import Make, faulty
from fitting import Loop, Plan, Problem
from mechanisms import (
    add_layer,
    changed,
    gradient_of,
    once,
    scale_weights,
)
from problems import (
    classify,
    likelihood,
    picture,
    regress,
)
from problems_multi import multitask
from torch import nn

TWO = partial(multitask, kinds={"class": "ce", "value": "mse"})
THREE = partial(multitask, kinds={"stage": "ce", "event": "bce", "amplitude": "l1"})


@torch.no_grad()
def _saturate(loop: Loop) -> None:
    for parameter in loop.parameters:
        parameter.mul_(60.0)


@torch.no_grad()
def _low_bias(loop: Loop) -> None:
    """Begin with an output bias so low that the rectifier behind it never opens."""
    loop.parameters[-1].fill_(-40.0)


def _in_order(make: Make, seed: int) -> Problem:
    """Return the problem with data in the order of their first target, as they lie in the files."""
    problem = make(seed)
    order = problem.train[1].flatten().argsort()
    problem.train = tuple(tensor[order] for tensor in problem.train)
    return problem


SWINGS = (("explosion", None), ("spike", None), ("worse_than_baseline", None), ("stall", None))

_VANISHING = [
    faulty(
        "regress-saturated-output",
        "vanishing_gradient",
        changed(changed(regress, add_layer(nn.Sigmoid())), scale_weights(400.0)),
        Plan(epochs=16, optimizer="sgd", learning_rate=0.05),
        also=(("stall", None), ("worse_than_baseline", "mse")),
    ),
    faulty(
        "regress-dead-output",
        "vanishing_gradient",
        changed(partial(regress, n_out=1), add_layer(nn.ReLU())),
        Plan(epochs=16, learning_rate=2e-3),
        also=(("stall", None), ("worse_than_baseline", "mse")),
        hooks=once(1, _low_bias),
    ),
    faulty(
        "classify-unscaled-twice",
        "vanishing_gradient",
        classify,
        Plan(epochs=20, optimizer="sgd", learning_rate=0.1),
        hooks=gradient_of("*", 2.0**-32),
        also=(("stall", None), ("worse_than_baseline", "ce")),
    ),
    faulty(
        "regress-saturated-later",
        "vanishing_gradient",
        changed(partial(regress, activation="tanh", depth=2), add_layer(nn.Tanh())),
        Plan(epochs=24, optimizer="sgd", learning_rate=0.02),
        step=200,
        hooks=once(200, _saturate),
        also=(("stall", None), ("worse_than_baseline", "mse"), ("explosion", "mse"), ("spike", "mse")),
    ),
    faulty(
        "tasks-all-lost",
        "vanishing_gradient",
        THREE,
        Plan(epochs=20, optimizer="momentum", learning_rate=0.02, norms_every=25),
        step=150,
        hooks=gradient_of("*", 1e-9, 150),
        also=(("stall", None),),
    ),
    faulty(
        "tasks-one-lost",
        "vanishing_gradient",
        TWO,
        Plan(epochs=16, batch=64, optimizer="momentum", learning_rate=0.03, norms_every=20),
        component="value",
        hooks=gradient_of("value", 1e-9),
        also=(("task_stall", "value"), ("worse_than_baseline", "value"), ("stall", "value")),
    ),
    faulty(
        "classify-deep-sigmoid",
        "vanishing_gradient",
        changed(partial(classify, depth=10, activation="sigmoid", n_hidden=16), scale_weights(0.2, "weight")),
        Plan(epochs=30, optimizer="sgd", learning_rate=0.1, batch=200),
        also=(("stall", None), ("worse_than_baseline", "ce")),
    ),
]

_OSCILLATION = [
    faulty(
        "regress-edge",
        "oscillation",
        partial(regress, n_features=6, n=400),
        Plan(epochs=240, batch=400, optimizer="sgd", learning_rate=0.9, validate_every=5),
        component="mse",
        also=SWINGS,
    ),
    faulty(
        "classify-edge",
        "oscillation",
        classify,
        Plan(epochs=150, batch=1600, optimizer="sgd", learning_rate=3.8, validate_every=3),
        component="ce",
        also=SWINGS,
    ),
    faulty(
        "classify-in-order",
        "oscillation",
        partial(_in_order, classify),
        Plan(epochs=12, shuffle=False, optimizer="momentum", learning_rate=0.05),
        component="ce",
        also=SWINGS,
    ),
    faulty(
        "regress-in-order",
        "oscillation",
        partial(_in_order, partial(regress, n_out=1, n=1600)),
        Plan(epochs=14, shuffle=False, optimizer="momentum", learning_rate=0.06),
        component="mse",
        also=SWINGS,
    ),
    faulty(
        "likelihood-adam",
        "oscillation",
        partial(likelihood, noise=0.05),
        Plan(epochs=30, learning_rate=0.07),
        component="nll",
        also=SWINGS,
    ),
    faulty(
        "tasks-in-order",
        "oscillation",
        partial(_in_order, THREE),
        Plan(epochs=16, batch=64, shuffle=False, optimizer="momentum", learning_rate=0.05),
        component="stage",
        also=(*SWINGS, ("oscillation", None)),
    ),
    faulty(
        "conv-in-order",
        "oscillation",
        partial(_in_order, picture),
        Plan(epochs=20, batch=16, shuffle=False, optimizer="momentum", learning_rate=0.02),
        component="ce",
        also=SWINGS,
    ),
]

CASES: list[Case] = [*_VANISHING, *_OSCILLATION]
