"""Networks for brainstem responses: denoising by diffusion and five tasks on one trunk.

Letters: B batch, T samples, F condition columns (`neuroprism.abr.conditioning.CONDITIONS`), K classes.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from neuroprism.abr.conditioning import ConditionEmbedding
from neuroprism.abr.heads import LatencyPrior, TaskHeads, TaskPrediction
from neuroprism.abr.model_config import ModelConfig
from neuroprism.abr.scaler import AbrScaler
from neuroprism.abr.unet import DecoderLevel, Encoder, SignalOutput
from neuroprism.core.errors import DataError
from neuroprism.core.registry import Registry


class AbrPrediction(NamedTuple):
    """Both answers of one pass."""

    signal: Tensor
    """Prediction for the noised signal, shape (B, 1, T)."""
    tasks: TaskPrediction


class AbrNetwork(Protocol):
    """What training, sampling and evaluation ask of a network."""

    def predict_signal(
        self, x_t: Tensor, t: Tensor, condition: Tensor, missing: Tensor, drop: Tensor | None = None
    ) -> Tensor:
        """Return the diffusion prediction, shape (B, 1, T)."""

    def predict_tasks(self, observed: Tensor, condition: Tensor, missing: Tensor) -> TaskPrediction:
        """Read the tasks from a recording."""


class ModelBuilder(Protocol):
    """Builds a registered network."""

    def __call__(self, config: ModelConfig, *, n_classes: int, latency: LatencyPrior) -> nn.Module:
        """Return the network with fresh weights."""


models: Registry[ModelBuilder] = Registry("model")


def build_model(config: ModelConfig, *, n_classes: int, latency: LatencyPrior) -> nn.Module:
    """Build the network named by ``model.type``."""
    return models[config.type](config, n_classes=n_classes, latency=latency)


def build_for(config: ModelConfig, scaler: AbrScaler) -> nn.Module:
    """Build the network named by ``model.type`` for recordings that `scaler` standardises."""
    latency = scaler.targets["latency_ms"]
    prior = LatencyPrior(
        mean=(latency.mean - scaler.start_ms) / scaler.window_ms, sd=latency.sd / scaler.window_ms
    )
    return build_model(config, n_classes=len(scaler.class_names), latency=prior)


@models.register("hierarchical_unet")
class HierarchicalUNet(nn.Module):
    """U-Net with S4 levels down and Transformer levels up, modulated by step and condition.

    The diffusion path denoises ``x_t`` at step ``t`` under a condition that may be dropped.
    The task path reads the observed recording through the same trunk at t = 0, always under
    its condition and never with Fmp.

    Parameters
    ----------
    config
        Sizes.
    n_classes
        Number of hearing classes K.
    latency
        Distribution of the training latencies of wave V.
    """

    def __init__(self, config: ModelConfig, *, n_classes: int, latency: LatencyPrior) -> None:
        super().__init__()
        sizes = config.architecture
        self.samples_per_step = sizes.samples_per_step
        self.embedding = ConditionEmbedding(sizes.film, use_fmp=config.use_fmp)
        self.encoder = Encoder(sizes)
        self.decoder = nn.ModuleList(DecoderLevel(sizes, level) for level in range(sizes.n_levels))
        self.signal_output = SignalOutput(sizes)
        self.heads = TaskHeads(
            sizes.channels[0],
            sizes.channels[-1],
            sizes.film.hidden_dim,
            n_classes=n_classes,
            latency=latency,
            config=sizes.heads,
        )

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        observed: Tensor,
        condition: Tensor,
        missing: Tensor,
        drop: Tensor | None = None,
    ) -> AbrPrediction:
        """Predict signal and tasks in one pass through the shared trunk.

        Parameters
        ----------
        x_t, t
            Noised signals (B, 1, T) and their steps (B,).
        observed
            Recordings for the tasks, shape (B, 1, T).
        condition, missing
            Standardised conditions and flags of missing values, shape (B, F).
        drop
            Flags of samples whose signal is predicted without condition, shape (B,).
        """
        n = x_t.shape[0]
        drop = _flags(n, x_t) if drop is None else drop
        embedding = self.embedding(
            torch.cat((t, torch.zeros_like(t))),
            torch.cat((condition, condition)),
            torch.cat((missing, missing)),
            drop=torch.cat((drop, _flags(n, x_t))),
            hide_fmp=torch.cat((_flags(n, x_t), ~_flags(n, x_t))),
        )
        fine, coarse = self._trunk(torch.cat((x_t, observed)), embedding)
        tasks = self._tasks(fine[n:], coarse[n:], embedding[n:], x_t.shape[-1])
        return AbrPrediction(self._signal(fine[:n], x_t.shape[-1]), tasks)

    def predict_signal(
        self, x_t: Tensor, t: Tensor, condition: Tensor, missing: Tensor, drop: Tensor | None = None
    ) -> Tensor:
        """Predict the diffusion target, shape (B, 1, T); arguments as in `forward`."""
        keep = _flags(x_t.shape[0], x_t)
        drop = keep if drop is None else drop
        embedding = self.embedding(t, condition, missing, drop=drop, hide_fmp=keep)
        fine, _ = self._trunk(x_t, embedding)
        return self._signal(fine, x_t.shape[-1])

    def predict_tasks(self, observed: Tensor, condition: Tensor, missing: Tensor) -> TaskPrediction:
        """Read the tasks from recordings (B, 1, T) and their conditions (B, F)."""
        keep = _flags(observed.shape[0], observed)
        t = torch.zeros(observed.shape[0], dtype=torch.long, device=observed.device)
        embedding = self.embedding(t, condition, missing, drop=keep, hide_fmp=~keep)
        fine, coarse = self._trunk(observed, embedding)
        return self._tasks(fine, coarse, embedding, observed.shape[-1])

    def _trunk(self, x: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of the decoder's finest and of the encoder's coarsest level."""
        features = self.encoder(self._pad(x), embedding)
        h = features[-1]
        for level in range(len(features) - 1, -1, -1):
            h = self.decoder[level](h, features[level], embedding)
        return h, features[-1]

    def _pad(self, x: Tensor) -> Tensor:
        """Return (B, 1, T) as (B, T', 1) with zeros up to a length that every level divides."""
        if x.ndim != 3 or x.shape[1] != 1 or x.shape[-1] < self.samples_per_step:
            raise DataError(
                f"the network reads signals (B, 1, T) of at least {self.samples_per_step} samples, "
                f"not {tuple(x.shape)}"
            )
        missing = -x.shape[-1] % self.samples_per_step
        return nn.functional.pad(x, (0, missing)).transpose(1, 2)

    def _signal(self, h: Tensor, n_samples: int) -> Tensor:
        """Return (B, 1, T) without the padding."""
        y: Tensor = self.signal_output(h)
        return y.transpose(1, 2)[..., :n_samples]

    def _tasks(self, h: Tensor, bottleneck: Tensor, embedding: Tensor, n_samples: int) -> TaskPrediction:
        n_padded = n_samples + -n_samples % self.samples_per_step
        prediction: TaskPrediction = self.heads(h, bottleneck, embedding, valid_share=n_samples / n_padded)
        return prediction


def _flags(n: int, like: Tensor) -> Tensor:
    return torch.zeros(n, dtype=torch.bool, device=like.device)
