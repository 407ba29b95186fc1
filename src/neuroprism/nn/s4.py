"""S4D: a layer of diagonal linear state spaces, and the residual block around it.

``x' = A x + u``, ``y = 2 Re(C x) + D u`` for each of D independent channels with N / 2
complex states (the other half are the conjugates). Discretised by zero-order hold,
the layer is a convolution with the kernel ``K[l] = 2 Re sum_n C_n Bbar_n Abar_n^l``.

Gu, Goel, Re 2022, "Efficiently modeling long sequences with structured state spaces"
(arXiv 2111.00396); Gu, Gupta, Goel, Re 2022 (arXiv 2206.11893).

Letters: B batch, D channels, N state, T time.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neuroprism.nn.dropout import TimeTiedDropout
from neuroprism.nn.long_convolution import long_convolution
from neuroprism.nn.s4_init import Initialisation, initial_eigenvalues

DT_MIN, DT_MAX = 1e-3, 1e-1
STATE_SPACE_OPTIMISATION = {"lr": 1e-3, "weight_decay": 0.0}
"""Mark of parameters that need a rate of at most 1e-3 and no decay (read by the optimizer's builder)."""


class S4D(nn.Module):
    """Diagonal state space layer with real-valued parameters.

    Complex numbers are kept as real pairs, so that every device, ``torch.compile`` and
    export can follow. Kernel and convolution stay in the parameters' precision, float32
    or float64, even under autocast.

    Parameters
    ----------
    d_model
        Number of channels D.
    d_state
        Full state size N, even.
    init
        Initial eigenvalues, see `initial_eigenvalues`.
    bidirectional
        Add a second kernel that looks ahead; it shares A and Delta and has its own C.
    dt_scale
        Factor on the initial step sizes, 2 after each halving of the sample rate.

    Raises
    ------
    ValueError
        If `d_state` is odd or not positive.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 64,
        *,
        init: Initialisation = "lin",
        bidirectional: bool = False,
        dt_scale: float = 1.0,
    ) -> None:
        super().__init__()
        eigenvalues = initial_eigenvalues(init, d_state)
        self.bidirectional = bidirectional
        half = d_state // 2
        log_dt = torch.rand(d_model) * math.log(DT_MAX / DT_MIN) + math.log(DT_MIN * dt_scale)
        self.log_dt = nn.Parameter(log_dt)
        self.log_neg_a_real = nn.Parameter((-eigenvalues.real).log().float().repeat(d_model, 1))
        self.a_imag = nn.Parameter(eigenvalues.imag.float().repeat(d_model, 1))
        # Standard normal complex: variance 1/2 in each part.
        self.c = nn.Parameter(torch.randn(2 if bidirectional else 1, d_model, half, 2) * math.sqrt(0.5))
        self.d = nn.Parameter(torch.randn(d_model))
        for parameter in (self.log_dt, self.log_neg_a_real, self.a_imag):
            parameter._optim = dict(STATE_SPACE_OPTIMISATION)  # type: ignore[attr-defined]

    def discretise(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return Re and Im of ``Delta A`` and of ``Bbar = (exp(Delta A) - 1) / A``, each (D, N / 2)."""
        dt = self.log_dt.exp().unsqueeze(-1)
        a_real, a_imag = -self.log_neg_a_real.exp(), self.a_imag
        x, y = dt * a_real, dt * a_imag
        # exp(x + iy) - 1 without cancellation for small steps.
        growth = x.exp()
        e_real = torch.expm1(x) * y.cos() - 2 * (y / 2).sin().square()
        e_imag = growth * y.sin()
        norm = a_real.square() + a_imag.square()
        b_real = (e_real * a_real + e_imag * a_imag) / norm
        b_imag = (e_imag * a_real - e_real * a_imag) / norm
        return x, y, b_real, b_imag

    def kernel(self, length: int) -> Tensor:
        """Return the convolution kernels, shape (1, D, length), or (2, D, length) if bidirectional.

        The kernel is without the direct term D; the second one weighs ``u[l + 1 + j]``.
        """
        with torch.autocast(self.log_dt.device.type, enabled=False):
            x, y, b_real, b_imag = self.discretise()
            c_real, c_imag = self.c.unbind(-1)
            w_real = 2 * (c_real * b_real - c_imag * b_imag)
            w_imag = 2 * (c_real * b_imag + c_imag * b_real)
            steps = torch.arange(length, device=x.device, dtype=x.dtype)
            decay = (x.unsqueeze(-1) * steps).exp()
            angle = y.unsqueeze(-1) * steps
            powers = torch.cat((decay * angle.cos(), decay * angle.sin()), dim=1)
            weights = torch.cat((w_real, -w_imag), dim=-1)
            return torch.bmm(weights.transpose(0, 1), powers).transpose(0, 1)

    def forward(self, u: Tensor) -> Tensor:
        """Filter a sequence, (B, D, T) to (B, D, T), in the precision of the parameters."""
        with torch.autocast(u.device.type, enabled=False):
            u = u.to(self.d.dtype)
            kernels = self.kernel(u.shape[-1])
            y = long_convolution(u, kernels[0], kernels[1] if self.bidirectional else None)
            return y + self.d.unsqueeze(-1) * u

    def initial_state(self, n_batch: int) -> Tensor:
        """Return the state before the first sample, shape (B, D, N / 2, 2)."""
        return self.d.new_zeros(n_batch, *self.c.shape[1:])

    def step(self, u_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Advance by one sample: (B, D) and the state to the output (B, D) and the next state.

        Raises
        ------
        ValueError
            If the layer is bidirectional: it would need samples to come.
        """
        if self.bidirectional:
            raise ValueError("a bidirectional S4D layer has no recurrent form")
        x, y, b_real, b_imag = self.discretise()
        a_real, a_imag = x.exp() * y.cos(), x.exp() * y.sin()
        s_real, s_imag = state.unbind(-1)
        drive = u_t.unsqueeze(-1)
        n_real = a_real * s_real - a_imag * s_imag + b_real * drive
        n_imag = a_real * s_imag + a_imag * s_real + b_imag * drive
        c_real, c_imag = self.c[0].unbind(-1)
        output = 2 * (c_real * n_real - c_imag * n_imag).sum(-1) + self.d * u_t
        return output, torch.stack((n_real, n_imag), dim=-1)


class S4Block(nn.Module):
    """Residual block: norm, S4D, GELU, dropout, pointwise map to 2D, gated linear unit.

    Works on (B, T, D), where norm and pointwise maps (1 x 1 convolutions) are plain
    matrix products; only the S4D layer sees (B, D, T).
    """

    def __init__(
        self,
        d_model: int,
        d_state: int,
        *,
        init: Initialisation = "lin",
        bidirectional: bool = False,
        dt_scale: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.s4 = S4D(d_model, d_state, init=init, bidirectional=bidirectional, dt_scale=dt_scale)
        self.dropout = TimeTiedDropout(dropout)
        self.mix = nn.Linear(d_model, 2 * d_model)

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        y = self.s4(self.norm(h).transpose(1, 2)).transpose(1, 2)
        y = self.dropout(nn.functional.gelu(y))
        gated: Tensor = h + nn.functional.glu(self.mix(y), dim=-1)
        return gated
