"""Sequences cut into chunks."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def chunked(tensor: Tensor, size: int) -> Tensor:
    """Return (B, L, ...) as (B, K, Q, ...), filled up with zeros at the end."""
    missing = -tensor.shape[1] % size
    if missing:
        tensor = F.pad(tensor, (0, 0) * (tensor.ndim - 2) + (0, missing))
    return tensor.reshape(tensor.shape[0], -1, size, *tensor.shape[2:])


def even_chunk(length: int, longest: int) -> int:
    """Return a chunk that is no longer than `longest` and cuts `length` into nearly equal parts."""
    n_chunks = max(1, -(-length // longest))
    return max(1, -(-length // n_chunks))
