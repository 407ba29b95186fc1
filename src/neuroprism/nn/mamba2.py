"""The Mamba-2 block in pure PyTorch, with the names of the library (Dao and Gu 2024, arXiv 2405.21060)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neuroprism.nn.causal_conv import causal_conv_silu
from neuroprism.nn.gated_norm import gated_norm
from neuroprism.nn.mamba2_kernels import kernel_for
from neuroprism.nn.ssd import ssd

_EPS = 1e-5
_SMALLEST_DT, _LARGEST_DT, _DT_FLOOR = 1e-3, 1e-1, 1e-4
_A_RANGE = (1.0, 16.0)
_TOKENS_AT_ONCE = 1024
_KERNEL_CHUNK = 256


class Mamba2(nn.Module):
    """Selective state space with a short convolution before it and a gate behind it.

    Parameters and their names, shapes and initial values are those of ``mamba_ssm.Mamba2``
    (one group, no bias in the projections), so that weights carry over. On CUDA its fused
    kernels are used if they are installed.

    Parameters
    ----------
    d_model
        Width D of the tokens.
    d_state
        Size N of the state.
    d_conv
        Taps of the causal convolution.
    expand
        Inner width over D.
    headdim
        Width P of a head.
    chunk
        Longest chunk of `ssd`; has no effect on the result. None chooses by length and decay.

    Raises
    ------
    ValueError
        If a size is below 1, or the inner width is no multiple of `headdim`.
    """

    def __init__(
        self,
        d_model: int,
        *,
        d_state: int = 64,
        d_conv: int = 4,
        expand: int = 2,
        headdim: int = 50,
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        _check_sizes(
            d_model=d_model, d_state=d_state, d_conv=d_conv, expand=expand, headdim=headdim, chunk=chunk
        )
        inner = expand * d_model
        self.d_inner, self.d_state, self.headdim, self.chunk = inner, d_state, headdim, chunk
        n_heads, n_convolved = inner // headdim, inner + 2 * d_state
        self.in_proj = nn.Linear(d_model, inner + n_convolved + n_heads, bias=False)
        self.conv1d = nn.Conv1d(n_convolved, n_convolved, d_conv, groups=n_convolved)
        dt = torch.exp(torch.empty(n_heads).uniform_(math.log(_SMALLEST_DT), math.log(_LARGEST_DT))).clamp(
            min=_DT_FLOOR
        )
        # The inverse of softplus, so that softplus(dt_bias) is dt.
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        self.A_log = nn.Parameter(torch.empty(n_heads).uniform_(*_A_RANGE).log())
        self.D = nn.Parameter(torch.ones(n_heads))
        self.norm = _Scale(inner)
        self.out_proj = nn.Linear(inner, d_model, bias=False)
        for parameter in (self.dt_bias, self.A_log, self.D):
            parameter._optim = {"weight_decay": 0.0}  # type: ignore[attr-defined]

    def forward(self, u: Tensor, *, reverse: bool = False) -> Tensor:
        """Map tokens (B, L, D) to (B, L, D).

        Parameters
        ----------
        u
            Tokens.
        reverse
            Run from the last token to the first, as if both input and output were flipped.
        """
        kernel = kernel_for(u.device, u.dtype, self.conv1d.weight.shape[-1])
        run = self._mix if kernel is None else self._by_kernel(kernel)
        if u.device.type != "cpu":
            return run(u.flip(1)).flip(1) if reverse else run(u)
        # Samples are independent: a few at a time stay in the cache of the processor.
        parts = torch.split(u, max(1, _TOKENS_AT_ONCE // max(1, u.shape[1])))
        outputs = [run(part.flip(1)).flip(1) if reverse else run(part) for part in parts]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def _mix(self, u: Tensor) -> Tensor:
        n_heads, inner, n_state = len(self.D), self.d_inner, self.d_state
        # Three products instead of one whose parts lie interleaved: each is read and written several times.
        sizes = [inner, inner + 2 * n_state, n_heads]
        z, convolved, dt = (F.linear(u, rows) for rows in torch.split(self.in_proj.weight, sizes))
        convolved = causal_conv_silu(convolved, self.conv1d.weight[:, 0], self.conv1d.bias)
        x, B, C = torch.split(convolved, [inner, n_state, n_state], dim=-1)
        wide = torch.promote_types(dt.dtype, self.dt_bias.dtype)
        y = ssd(
            x.view(*u.shape[:2], n_heads, self.headdim),
            F.softplus(dt.to(wide) + self.dt_bias),
            -torch.exp(self.A_log),
            B,
            C,
            self.D,
            chunk=self.chunk,
        )
        return F.linear(gated_norm(y.flatten(2), z, _EPS), self.out_proj.weight * self.norm.weight)

    def _by_kernel(self, kernel: Callable[..., Tensor]) -> Callable[[Tensor], Tensor]:
        def run(u: Tensor) -> Tensor:
            return kernel(
                self.in_proj(u),
                self.conv1d.weight[:, 0],
                self.conv1d.bias,
                self.dt_bias,
                -torch.exp(self.A_log.float()),
                D=self.D,
                chunk_size=_KERNEL_CHUNK,
                activation="silu",
                rmsnorm_weight=self.norm.weight,
                rmsnorm_eps=_EPS,
                outproj_weight=self.out_proj.weight,
                outproj_bias=None,
                headdim=self.headdim,
                ngroups=1,
                norm_before_gate=False,
            )

        return run


class _Scale(nn.Module):
    """Holds the weight of the gated norm under the name that the library gives it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))


def _check_sizes(*, chunk: int | None, **sizes: int) -> None:
    for name, size in (*sizes.items(), ("chunk", 1 if chunk is None else chunk)):
        if size < 1:
            raise ValueError(f"{name} must be at least 1, not {size}")
    inner, headdim = sizes["expand"] * sizes["d_model"], sizes["headdim"]
    if inner % headdim:
        raise ValueError(
            f"expand x d_model = {inner} is no multiple of headdim = {headdim}; "
            f"take a headdim that divides {inner}, e.g. {math.gcd(inner, headdim)}"
        )
