"""Faulty runs whose steps take longer and longer, each for a real cause."""

from __future__ import annotations

import json
from functools import partial

import torch
from case import Case
from frozen_estimators import quantiles, ratings
from frozen_healthy_models import QUANTILES, RATINGS, WORDS
from frozen_healthy_signals import BEATS, MONTAGE
from frozen_sequences import words
from frozen_signals import beats, montage
from frozen_training import Data, Fault, Losses, but, faulty, says
from torch import Tensor, nn
from torch.optim import Optimizer

WIDE = partial(montage, n=1600)


def _all_batches_kept() -> Fault:
    """Statistics over all batches so far are computed from a growing list."""
    seen: list[Tensor] = []

    def change(batch: Data, k: int) -> Data:
        seen.append(batch["x"])
        torch.cat(seen).sort(0).values.median(0)
        return batch

    return Fault(batch=change)


def _hooks_pile_up() -> Fault:
    """A hook is registered again at every step and none is removed."""

    def change(batch: Data, k: int) -> Data:
        return batch

    def gradients(k: int, net: nn.Module, optimizer: Optimizer) -> None:
        net.item.register_forward_hook(
            lambda module, given, out: torch.histc(out.detach(), 20).sum() and None
        )

    return Fault(batch=change, gradients=gradients)


def _slow_path(batch: Data, k: int) -> Data:
    """From a step on every beat is resampled in a loop."""
    if k >= 500:
        for beat in batch["x"]:
            [float(beat[i]) * 0.5 + float(beat[i - 1]) * 0.5 for i in range(len(beat))]
    return batch


def _log_read_again() -> Fault:
    """The whole log is parsed again at every step."""
    lines: list[str] = []

    def change(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
        if k >= 0:
            row = {"step": k, "words": batch["word"].tolist()[:40]}
            lines.append(json.dumps(row))
            for line in lines:
                json.loads(line)
        return losses

    return Fault(losses=change)


def _snapshots() -> Fault:
    """The weights are compared with a copy of every earlier step."""
    copies: list[Tensor] = []

    def gradients(k: int, net: nn.Module, optimizer: Optimizer) -> None:
        weights = nn.utils.parameters_to_vector(net.parameters()).detach().clone()
        for copy in copies:
            (weights - copy).norm().item()
        copies.append(weights)

    def change(net: nn.Module, losses: Losses, batch: Data, k: int) -> Losses:
        if k >= 0:
            gradients(k, net, None)  # type: ignore[arg-type]
        return losses

    return Fault(losses=change)


CASES: tuple[Case, ...] = (
    faulty(
        "montage-all-batches-kept",
        says("slow_step", None, 1),
        WIDE,
        but(MONTAGE, seconds=True, norms_every=0, steps=250),
        _all_batches_kept,
    ),
    faulty(
        "ratings-hooks-pile-up",
        says("slow_step", None, 1),
        partial(ratings, n=5000),
        but(RATINGS, seconds=True, norms_every=0, steps=400),
        _hooks_pile_up,
    ),
    faulty(
        "beats-resampled-in-a-loop",
        says("slow_step", None, 501),
        beats,
        but(BEATS, seconds=True, steps=800),
        Fault(batch=_slow_path),
    ),
    faulty(
        "words-log-parsed-at-every-step",
        says("slow_step", None, 1),
        words,
        but(WORDS, seconds=True),
        _log_read_again,
    ),
    faulty(
        "quantiles-copies-of-all-weights",
        says("slow_step", None, 1),
        quantiles,
        but(QUANTILES, seconds=True),
        _snapshots,
    ),
)
