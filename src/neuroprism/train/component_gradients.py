"""Gradients of single loss components on the parameters that they share.

One further backward pass per component through the graph of a batch, which stays
whole for the pass that trains. Gradients are handed over by `torch.autograd.grad`
and never reach ``parameter.grad``, so that nothing that waits there, such as the
averaging over processes, notices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from lightning_fabric import wrappers
from torch import Tensor, nn

MOST_ELEMENTS = 64_000_000
"""Numbers that the gradients of all components may hold at a time; larger trunks are looked at in parts."""


@torch.no_grad()
def shared_gram(
    values: Mapping[str, Tensor], parameters: Sequence[nn.Parameter], *, scale: float = 1.0
) -> Tensor:
    """Return the inner products between the gradients of all components on the shared parameters.

    These are the parameters that the most components reach, at least two: where all
    reach a trunk, a head that serves two of them is no part of it.

    Parameters
    ----------
    values
        Scalar per component, in the graph, which is kept. One outside of it has gradient 0.
    parameters
        Trainable parameters.
    scale
        Factor on the gradients during the pass, so that small ones survive 16 bits.

    Returns
    -------
    Tensor
        (K, K), in the order of `values`, on the device of the parameters.
    """
    # Sorted by how many components reach a parameter: the largest number is known at the end.
    grams: dict[int, Tensor] = {}
    for part in _parts(parameters, len(values)):
        gradients = [_gradient(value, part, scale) for value in values.values()]
        for column in zip(*gradients, strict=True):
            given = [gradient for gradient in column if gradient is not None]
            if len(given) < 2:
                continue
            rows = [torch.zeros_like(given[0]) if g is None else g for g in column]
            matrix = torch.stack([_real(row) for row in rows])
            product = matrix @ matrix.T
            grams[len(given)] = grams[len(given)] + product if len(given) in grams else product
    if not grams:
        return torch.zeros(len(values), len(values), device=parameters[0].device)
    return grams[max(grams)] / scale**2


def cosines(gram: Tensor) -> Tensor:
    """Return the (K, K) cosines that belong to inner products; NaN where a gradient is 0."""
    norms = gram.diagonal().clamp(min=0).sqrt()
    return (gram / torch.outer(norms, norms)).clamp(-1, 1)


def _parts(parameters: Sequence[nn.Parameter], n_components: int) -> Iterator[list[nn.Parameter]]:
    """Cut the parameters into runs whose gradients fit, of all components at once."""
    part: list[nn.Parameter] = []
    size = 0
    for parameter in parameters:
        n = parameter.numel() * n_components
        if part and size + n > MOST_ELEMENTS:
            yield part
            part, size = [], 0
        part.append(parameter)
        size += n
    if part:
        yield part


def _gradient(value: Tensor, parameters: Sequence[nn.Parameter], scale: float) -> Sequence[Tensor | None]:
    if not value.requires_grad:
        return [None] * len(parameters)
    start = torch.full_like(value, scale)
    with _allowed_by_fabric():
        return torch.autograd.grad(value, parameters, start, retain_graph=True, allow_unused=True)


@contextmanager
def _allowed_by_fabric() -> Iterator[None]:
    """Pass the guard that Fabric sets under mixed precision against a forgotten `fabric.backward`."""
    before = wrappers._in_fabric_backward
    wrappers._in_fabric_backward = True
    try:
        yield
    finally:
        wrappers._in_fabric_backward = before


def _real(gradient: Tensor) -> Tensor:
    """Return the gradient as one row of at least float32."""
    flat = torch.view_as_real(gradient).flatten() if gradient.is_complex() else gradient.flatten()
    return flat if flat.dtype == torch.float64 else flat.float()
