"""Labels of a batch and the options of the losses, for tests of the losses and of what they cost at least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neuroprism.abr.loss_baselines import fit_reference
from neuroprism.abr.loss_config import LossConfig
from neuroprism.abr.losses import AbrLosses, losses

REGRESSIONS = ("peak_latency", "peak_amplitude", "threshold")
SHARES = (0.797, 0.008, 0.106, 0.033, 0.056)


@dataclass
class Labels:
    """The labels of a batch as plain tensors."""

    v_present: torch.Tensor
    v_mask: torch.Tensor
    latency: torch.Tensor
    latency_mask: torch.Tensor
    amplitude: torch.Tensor
    amplitude_mask: torch.Tensor
    hearing_class: torch.Tensor
    threshold: torch.Tensor
    threshold_censored: torch.Tensor
    threshold_mask: torch.Tensor


def some_labels(n: int = 4000, *, seed: int = 0) -> Labels:
    rng = np.random.default_rng(seed)

    def standard() -> torch.Tensor:
        z = rng.standard_normal(n)
        return torch.tensor((z - z.mean()) / z.std(), dtype=torch.float32)

    bound = torch.full((n,), 1.2)
    threshold = standard()
    return Labels(
        v_present=torch.tensor(rng.random(n) < 0.75, dtype=torch.float32),
        v_mask=torch.tensor(rng.random(n) < 0.9),
        latency=standard(),
        latency_mask=torch.tensor(rng.random(n) < 0.7),
        amplitude=standard(),
        amplitude_mask=torch.tensor(rng.random(n) < 0.7),
        hearing_class=torch.tensor(rng.choice(5, size=n, p=SHARES)),
        threshold=torch.minimum(threshold, bound),
        threshold_censored=threshold > bound,
        threshold_mask=torch.tensor(rng.random(n) < 0.95),
    )


def setup(labels: Labels | None = None, **options: Any) -> AbrLosses:
    config = LossConfig.model_validate(options)
    return AbrLosses(config, fit_reference(config, labels or some_labels(), n_classes=5))


OPTIONS: list[dict[str, Any]] = [
    *({name: {"type": kind}} for name in REGRESSIONS for kind in losses),
    *({name: {"type": "huber", "delta": 0.3}} for name in REGRESSIONS),
    *({name: {"type": "smooth_l1", "beta": 0.3}} for name in REGRESSIONS),
    *({name: {"type": "beta_nll", "beta": 1.0}} for name in REGRESSIONS),
    {"class_weights": "none"},
    {"focal_loss": {"use_focal": True, "gamma": 2.0}},
    {"focal_loss": {"use_focal": True, "gamma": 4.0}},
    {"class_weights": "none", "focal_loss": {"use_focal": True, "gamma": 2.0}},
]
