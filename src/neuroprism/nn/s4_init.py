"""Initial eigenvalues of a diagonal state space (S4D).

One of each conjugate pair is returned, so a state of size N gives N / 2 values.
Formulas: Gu, Gupta, Goel, Re 2022, "On the parameterization and initialization
of diagonal state space models" (arXiv 2206.11893).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Initialisation = Literal["lin", "inv", "legs"]


def initial_eigenvalues(init: Initialisation, d_state: int) -> Tensor:
    """Return the eigenvalues of A, shape (N / 2,), complex128, real parts negative.

    Parameters
    ----------
    init
        ``lin``: -1/2 + i pi n. ``inv``: -1/2 + i (N / pi) (N / (2n + 1) - 1).
        ``legs``: those of the normal part of HiPPO-LegS.
    d_state
        Full state size N, even.

    Raises
    ------
    ValueError
        If `d_state` is odd or not positive.
    """
    if d_state < 2 or d_state % 2:
        raise ValueError(f"d_state must be even and positive, not {d_state}")
    n = torch.arange(d_state // 2, dtype=torch.float64)
    if init == "lin":
        imaginary = math.pi * n
    elif init == "inv":
        imaginary = d_state / math.pi * (d_state / (2 * n + 1) - 1)
    else:
        imaginary = _legs_frequencies(d_state)
    return torch.complex(torch.full_like(imaginary, -0.5), imaginary)


def _legs_frequencies(d_state: int) -> Tensor:
    """Return the positive imaginary parts of HiPPO-LegS + P P^T = -1/2 + a skew-symmetric matrix."""
    root = torch.sqrt(2 * torch.arange(d_state, dtype=torch.float64) + 1)
    lower = torch.tril(0.5 * torch.outer(root, root), diagonal=-1)
    skew = lower.T - lower
    eigenvalues: Tensor = torch.linalg.eigvalsh(1j * skew)
    return eigenvalues[d_state // 2 :]
