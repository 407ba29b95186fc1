"""EEGMamba: patch embedding and a stack of Mamba-2 layers that read the tokens in turns from both ends.

The architecture of the released code of EEGMamba (Neural Networks 192:107816, 2025), with its parameter
names, so that its weights load. Letters: B batch, C channel, S patch (one second), D width, L = C S tokens.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from neuroprism.core.errors import DataError
from neuroprism.eeg.spec import PATCH_SAMPLES
from neuroprism.nn.mamba2 import Mamba2
from neuroprism.nn.rms_norm import RMSNorm

Initialisation = Literal["eegmamba", "mamba2"]

D_MODEL = 200
"""Features of a token."""

N_LAYERS = 12
_EPS = 1e-5
_RESCALED = (
    "spectral_proj.0.weight",
    "in_proj.weight",
    "conv1d.weight",
    "out_proj.weight",
    "proj_out.0.weight",
)


class PatchEmbedding(nn.Module):
    """Waveform and spectrum of every patch, plus a learned map of its neighbours on the (C, S) grid.

    The group norm takes its statistics over all patches of a window: a channel more or less
    changes the embedding of every other one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mask_encoding = nn.Parameter(torch.zeros(PATCH_SAMPLES), requires_grad=False)
        self.positional_encoding = nn.Sequential(
            nn.Conv2d(D_MODEL, D_MODEL, 7, padding=3, groups=D_MODEL, bias=False)
        )
        self.proj_in = nn.Sequential(
            # 8 places of 25 filters give the 200 features of a token.
            nn.Conv2d(1, 25, (1, 49), stride=(1, 25), padding=(0, 24), bias=False),
            nn.GroupNorm(5, 25, eps=_EPS),
            nn.GELU(),
        )
        self.spectral_proj = nn.Sequential(
            nn.Linear(PATCH_SAMPLES // 2 + 1, D_MODEL, bias=False), nn.Dropout(0.1)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Embed patches, (B, C, S, 200) to (B, C, S, D); see `EegMamba.forward`."""
        n_batch, n_channels, n_patches, n_samples = x.shape
        if mask is not None:
            # Detached: it stays zero even where somebody makes every parameter trainable.
            x = torch.where(mask.bool().unsqueeze(-1), self.mask_encoding.detach().to(x.dtype), x)
        waveform = self.proj_in(x.reshape(n_batch, 1, n_channels * n_patches, n_samples))
        # (B, 25, L, 8) -> (B, L, 25, 8): the filter is the slower index of the features.
        waveform = waveform.permute(0, 2, 1, 3).reshape(n_batch, n_channels, n_patches, D_MODEL)
        amplitude = torch.fft.rfft(_at_least_float32(x), norm="forward").abs().to(x.dtype)
        patches = waveform + self.spectral_proj(amplitude)
        position = self.positional_encoding(patches.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        embedded: Tensor = patches + position
        return embedded


class MambaBlock(nn.Module):
    """Add to the residual, normalise it, mix along the tokens.

    Parameters
    ----------
    reverse
        Scan from the last token to the first.
    """

    def __init__(self, *, reverse: bool) -> None:
        super().__init__()
        self.reverse = reverse
        self.norm = RMSNorm(D_MODEL, eps=_EPS)
        self.mixer = Mamba2(D_MODEL)

    def forward(self, h: Tensor, residual: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the mixed tokens and the residual that they have to be added to, each (B, L, D)."""
        # In float32 also under mixed precision: twelve branches are summed up.
        residual = _at_least_float32(h) if residual is None else residual + h
        return self.mixer(self.norm(residual), reverse=self.reverse), residual


class MambaEncoder(nn.Module):
    """Blocks that scan forward and backward in turns.

    Turning the tokens and the residual round after every block, as the original does, is the same
    as scanning every second block from the end (and no copies are made).

    Parameters
    ----------
    n_layers
        Number of blocks.
    """

    def __init__(self, n_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MambaBlock(reverse=number % 2 == 1) for number in range(n_layers))
        self.norm_f = RMSNorm(D_MODEL, eps=_EPS)

    def forward(self, h: Tensor) -> Tensor:
        """Map tokens (B, L, D) to (B, L, D)."""
        residual: Tensor | None = None
        for layer in self.layers:
            h, residual = layer(h, residual)
        y: Tensor = self.norm_f(h if residual is None else residual + h)
        return y


class EegMamba(nn.Module):
    """The backbone: one feature vector for every patch of every channel.

    Takes any number of channels and patches; 3,317,443 parameters, of which the 200 of
    ``mask_encoding`` are never trained.

    Parameters
    ----------
    n_layers
        Number of Mamba-2 blocks, at least 1.
    projection
        Keep the last linear map that pretraining reconstructs patches with; fine-tuning goes without.
    initialisation
        ``eegmamba`` draws every linear map and the convolutions of the mixers from a normal
        distribution of standard deviation sqrt(2 / fan-out), as the earlier code does;
        ``mamba2`` keeps what the Mamba-2 library draws.
    """

    def __init__(
        self,
        *,
        n_layers: int = N_LAYERS,
        projection: bool = True,
        initialisation: Initialisation = "eegmamba",
    ) -> None:
        super().__init__()
        if n_layers < 1:
            raise ValueError(f"EEGMamba needs at least one layer, not {n_layers}")
        self.n_layers = n_layers
        self.initialisation = initialisation
        self.patch_embedding = PatchEmbedding()
        self.encoder = MambaEncoder(n_layers)
        self.proj_out = nn.Sequential(nn.Linear(D_MODEL, PATCH_SAMPLES)) if projection else nn.Identity()
        if initialisation == "eegmamba":
            self._rescale()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map windows to features, (B, C, S, 200) to (B, C, S, 200).

        Parameters
        ----------
        x
            Microvolt over the declared scale at 200 Hz, one patch a second.
        mask
            (B, C, S); a patch whose value is true is hidden, for pretraining.

        Raises
        ------
        DataError
            If a shape is another.
        """
        _check_shapes(x, mask)
        h = self.patch_embedding(x, mask)
        y: Tensor = self.encoder(h.flatten(1, 2)).view(h.shape)
        features: Tensor = self.proj_out(y)
        return features

    @torch.no_grad()
    def _rescale(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith(_RESCALED):
                fan_out = parameter.shape[0] * math.prod(parameter.shape[2:])
                parameter.normal_(0, math.sqrt(2 / fan_out))


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _check_shapes(x: Tensor, mask: Tensor | None) -> None:
    if x.ndim != 4 or x.shape[-1] != PATCH_SAMPLES or 0 in x.shape:
        raise DataError(
            f"EEGMamba reads windows (batch, channels, seconds, {PATCH_SAMPLES}) at {PATCH_SAMPLES} Hz, "
            f"none of them empty, not {tuple(x.shape)}"
        )
    if mask is not None and mask.shape != x.shape[:-1]:
        raise DataError(
            f"the mask of windows {tuple(x.shape)} is {tuple(x.shape[:-1])}, not {tuple(mask.shape)}"
        )
