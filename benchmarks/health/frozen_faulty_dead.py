"""Faulty runs with a component that is exactly zero or constant where it should not be."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from case import Case
from frozen_estimators import codes, kernel, ratings
from frozen_healthy_models import CODES, KERNEL, RATINGS, TEXT, TRIPLETS, VARIATIONAL
from frozen_healthy_signals import EVOKED, MONTAGE
from frozen_representations import triplets, variational
from frozen_sequences import text
from frozen_signals import evoked, montage
from frozen_training import Data, Fault, Losses, faulty, says
from torch import nn

WIDE = partial(montage, n=1600)


def _nobody_present(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The mask of the latencies is read from an empty column."""
    return losses | {"latency": losses["latency"] * (batch["present"] > 1).any()}


def _same_as_other(data: Data) -> None:
    data["other"] = data["same"].clone()


def _whole_numbers(data: Data) -> None:
    """The side is stored as a whole number of a scaled-down value."""
    data["side"] = (data["side"] * 0.5).int().float()


def _another_layer(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The penalty reads the bias before training instead of the weights."""
    return losses | {"ridge": torch.zeros(net.bias.shape).square().sum()}


def _annealed_away(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """The annealing divides whole numbers and gives zero from a step on."""
    factor = max(0, 1 - max(k, 0) // 450)
    return losses | {"divergence": losses["divergence"] * factor}


def _unlabelled(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
    """From a step on the loader delivers no states; the mean over none is guarded."""
    if k < 175:
        return losses
    _, out = net(batch["x"][:, :-1])
    known = torch.full_like(batch["state"][:, :-1], -100).flatten()
    total = F.cross_entropy(out.flatten(0, 1), known, ignore_index=-100, reduction="sum")
    return losses | {"state": total / (known >= 0).sum().clamp_min(1)}


def _no_code(net: nn.Module) -> None:
    with torch.no_grad():
        net.encode.bias.fill_(-30.0)


def _with_itself(data: Data) -> None:
    data["other"] = data["item"].clone()


CASES: tuple[Case, ...] = (
    faulty(
        "evoked-latency-masked-away",
        says("dead_component", "latency"),
        evoked,
        EVOKED,
        Fault(losses=_nobody_present),
    ),
    faulty(
        "triplets-other-is-the-same",
        says("dead_component", "margin", 1, ("task_stall", "margin")),
        triplets,
        TRIPLETS,
        Fault(data=_same_as_other),
    ),
    faulty(
        "montage-side-lost-in-rounding",
        says("dead_component", "side", 1, ("task_stall", "side")),
        WIDE,
        MONTAGE,
        Fault(data=_whole_numbers),
    ),
    faulty(
        "kernel-penalty-of-nothing",
        says("dead_component", "ridge"),
        kernel,
        KERNEL,
        Fault(losses=_another_layer),
    ),
    faulty(
        "variational-divergence-annealed-away",
        says("dead_component", "divergence", 451),
        variational,
        VARIATIONAL,
        Fault(losses=_annealed_away),
    ),
    faulty(
        "text-states-run-out", says("dead_component", "state", 176), text, TEXT, Fault(losses=_unlabelled)
    ),
    faulty(
        "codes-all-units-dead",
        says(
            "dead_component",
            "sparsity",
            1,
            ("task_stall", "rebuild"),
            ("vanishing_gradient", None),
            ("vanishing_gradient", "rebuild"),
            ("stall", None),
        ),
        codes,
        CODES,
        Fault(net=_no_code),
    ),
    faulty(
        "ratings-item-against-itself",
        says("dead_component", "ranking", 1, ("task_stall", "ranking")),
        partial(ratings, n=5000),
        RATINGS,
        Fault(data=_with_itself),
    ),
)
