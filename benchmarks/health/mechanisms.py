"""What goes wrong: faults of data, graph, optimizer and schedule, as hooks and as changed problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from entries import Make, MakeHooks
from fitting import Batch, Hooks, Loop, Losses, Problem
from torch import Tensor, nn

ProblemChange = Callable[[Problem, torch.Generator], None]
Change = Callable[[Batch], Batch]


class ScaledGradient(torch.autograd.Function):
    """The identity, whose gradient is multiplied by a factor: reversal, or scaling that was undone twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * slopes[0], None


def heads_of(model: nn.Module) -> nn.ModuleDict:
    """Return the heads of a net for several tasks."""
    heads = model.heads
    assert isinstance(heads, nn.ModuleDict)
    return heads


def batch_between(first: int, last: int, change: Change) -> MakeHooks:
    """Change the batches of the steps `first` to `last`."""

    def batch(loop: Loop, samples: Batch) -> Batch:
        return change(samples) if first <= loop.step <= last else samples

    return lambda _: Hooks(batch=batch)


def batch_at(step: int, change: Change) -> MakeHooks:
    """Change the batch of one step."""
    return batch_between(step, step, change)


def loss_from(step: int, name: str, change: Callable[[Loop, Tensor], Tensor], last: int = 10**9) -> MakeHooks:
    """Change how a component is computed, from a step on."""

    def losses(loop: Loop, values: Losses) -> Losses:
        if step <= loop.step <= last and name in values:
            return values | {name: change(loop, values[name])}
        return values

    return lambda _: Hooks(losses=losses)


def gradient_of(name: str, factor: float, step: int = 1) -> MakeHooks:
    """Multiply the gradient of a component, or of all (``"*"``), while its value stays what it is."""

    def losses(loop: Loop, values: Losses) -> Losses:
        if loop.step < step:
            return values
        return {
            key: ScaledGradient.apply(value, factor) if name in (key, "*") else value
            for key, value in values.items()
        }

    return lambda _: Hooks(losses=losses)


def rate(change: Callable[[Loop, float], float]) -> MakeHooks:
    """Give the optimizer another learning rate."""
    return lambda _: Hooks(rate=change)


def rate_times(factor: float, first: int, last: int = 10**9) -> MakeHooks:
    """Multiply the learning rate from a step on."""
    return rate(lambda loop, value: value * factor if first <= loop.step <= last else value)


def once(step: int, action: Callable[[Loop], None]) -> MakeHooks:
    """Do something before one step."""

    def before(loop: Loop) -> None:
        if loop.step == step:
            action(loop)

    return lambda _: Hooks(before=before)


def always(action: Callable[[Loop], None], first: int = 1) -> MakeHooks:
    """Do something after every step, from one on."""

    def after(loop: Loop) -> None:
        if loop.step >= first:
            action(loop)

    return lambda _: Hooks(after=after)


def both(*makes: MakeHooks) -> MakeHooks:
    """Join hooks that use different places."""

    def make(seed: int) -> Hooks:
        found: dict[str, Any] = {}
        for hooks in (make(seed) for make in makes):
            found |= {key: value for key, value in vars(hooks).items() if value is not None}
        return Hooks(**found)

    return make


def changed(make: Make, change: ProblemChange) -> Make:
    """Change a problem before it is trained."""

    def altered(seed: int) -> Problem:
        problem = make(seed)
        change(problem, torch.Generator().manual_seed(seed + 31))
        return problem

    return altered


def shuffle_column(*columns: int, validation: bool = True) -> ProblemChange:
    """Put the tensors at `columns` in random order, so that the inputs say nothing about them."""

    def change(problem: Problem, generator: torch.Generator) -> None:
        problem.train = _shuffle(problem.train, columns, generator)
        if validation and problem.val is not None:
            problem.val = _shuffle(problem.val, columns, generator)

    return change


def _shuffle(tensors: Batch, columns: Sequence[int], generator: torch.Generator) -> Batch:
    order = torch.randperm(len(tensors[0]), generator=generator)
    return tuple(tensor[order] if k in columns else tensor for k, tensor in enumerate(tensors))


def replace_loss(name: str, change: Callable[[nn.Module, Batch, Tensor], Tensor]) -> ProblemChange:
    """Compute a component in another way, in training and validation, from the start."""

    def alter(problem: Problem, _: torch.Generator) -> None:
        right = problem.losses

        def losses(model: nn.Module, batch: Batch, progress: float) -> Losses:
            values = right(model, batch, progress)
            return values | {name: change(model, batch, values[name])}

        problem.losses = losses
        problem.baselines.pop(name, None)

    return alter


def scale_inputs(factor: float) -> ProblemChange:
    """Leave the inputs in other units."""

    def change(problem: Problem, _: torch.Generator) -> None:
        problem.train = (problem.train[0] * factor, *problem.train[1:])
        if problem.val is not None:
            problem.val = (problem.val[0] * factor, *problem.val[1:])

    return change


def scale_column(column: int, factor: float, offset: float = 0.0) -> ProblemChange:
    """Leave a target in other units, or with an offset."""

    def one(tensors: Batch) -> Batch:
        return tuple(t * factor + offset if k == column else t for k, t in enumerate(tensors))

    def change(problem: Problem, _: torch.Generator) -> None:
        problem.train = one(problem.train)
        if problem.val is not None:
            problem.val = one(problem.val)
        name = list(problem.weights)[column - 1]
        if name in problem.baselines:
            problem.baselines[name] *= factor**2

    return change


def scale_weights(factor: float, only: str = "") -> ProblemChange:
    """Begin with weights that are too large or too small; `only`: those with this in their name."""

    def change(problem: Problem, _: torch.Generator) -> None:
        with torch.no_grad():
            for name, parameter in problem.model.named_parameters():
                if only in name:
                    parameter.mul_(factor)

    return change


def weight_of(name: str, value: float) -> ProblemChange:
    """Give a component another weight."""

    def change(problem: Problem, _: torch.Generator) -> None:
        problem.weights = problem.weights | {name: value}

    return change


def add_layer(layer: nn.Module) -> ProblemChange:
    """Put an activation behind the output, where none belongs."""

    def change(problem: Problem, _: torch.Generator) -> None:
        assert isinstance(problem.model, nn.Sequential)
        problem.model.append(layer)

    return change
