"""The training loops that are measured: shipped networks with their losses, optimizers and some batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neuroprism.abr.config import AbrConfig
from neuroprism.abr.dataset import AbrDataset
from neuroprism.abr.scaler import AbrScaler
from neuroprism.abr.simulate import SimulationConfig, simulate
from neuroprism.abr.splits import split_by_patient
from neuroprism.abr.task import AbrTask
from neuroprism.core.config import load
from neuroprism.eeg.backbones import build_model
from neuroprism.eeg.catalog import datasets
from neuroprism.eeg.config import EegConfig
from neuroprism.eeg.dataset import EegBatch
from neuroprism.eeg.spec import PATCH_SAMPLES
from neuroprism.eeg.task import EegTask
from neuroprism.train.optim import build_optimizer
from neuroprism.train.task import LossTerms, Task

BATCH, N_BATCHES = 32, 8
EEG_DATASET = "MentalArithmetic"

Combine = Callable[[dict[str, Tensor]], Tensor]


class TrainingLoop:
    """One copy of a task with its optimizer.

    Parameters
    ----------
    task
        The network and its losses.
    optimizer
        As configured.
    batches
        Taken in turn.

    Attributes
    ----------
    model
        What the losses call: the network of the task, or one made from it.
    precision
        Of the forward pass under autocast; None: float32.
    """

    def __init__(self, task: Task[Any], optimizer: Any, batches: Sequence[Any]) -> None:
        self.task, self.batches = task, batches
        self.model: nn.Module = task.model
        self.precision: torch.dtype | None = None
        self.optimizer = build_optimizer(task.model, optimizer)
        self._weights = {c.name: c.weight for c in task.components}

    def step(self, number: int, combine: Combine) -> tuple[LossTerms, Tensor]:
        """Take an optimizer step; return the losses and the norm of the gradient."""
        self.optimizer.zero_grad()
        with torch.autocast("cpu", dtype=self.precision, enabled=self.precision is not None):
            terms = self.task.losses(self.model, self.batches[number % len(self.batches)])
        combine(dict(terms.values)).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.task.model.parameters(), 1.0)
        self.optimizer.step()
        return terms, norm

    def weighted_sum(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the loss without a monitor."""
        return torch.stack([self._weights[name] * loss for name, loss in losses.items()]).sum()


def abr() -> TrainingLoop:
    """Return the shipped ABR network on simulated patients."""
    torch.manual_seed(0)
    config = load(AbrConfig, file=Path(__file__).parents[2] / "configs" / "config.yaml")
    recordings = simulate(SimulationConfig(n_patients=60))
    split = split_by_patient(recordings, config.data.splits)
    scaler = AbrScaler.fit(recordings.select(split.train))
    train, val = (AbrDataset(recordings, rows, scaler).everything for rows in (split.train, split.val))
    task = AbrTask(config, scaler, training=train, validation=val)
    rng = np.random.default_rng(0)
    rows = [torch.from_numpy(rng.choice(len(train), BATCH, replace=False)) for _ in range(N_BATCHES)]
    return TrainingLoop(task, config.training.optimizer, [train.select(chosen) for chosen in rows])


def eeg(backbone: str) -> TrainingLoop:
    """Return a network for windows of 20 channels and 5 s, with drawn signals and labels."""
    torch.manual_seed(0)
    spec = datasets[EEG_DATASET].spec
    config = EegConfig()
    model = build_model(config.model.model_copy(update={"backbone": backbone}), spec)
    labels = np.arange(BATCH) % len(spec.class_names)
    task = EegTask(spec, model, label_smoothing=0.1, train_y=labels, val_y=labels)
    shape = (BATCH, spec.n_channels, spec.n_patches, PATCH_SAMPLES)
    batches = [
        EegBatch(x=torch.randn(shape), y=torch.from_numpy(labels), index=torch.arange(BATCH))
        for _ in range(N_BATCHES)
    ]
    return TrainingLoop(task, config.training.optimizer, batches)


LOOPS: dict[str, Callable[[], TrainingLoop]] = {
    "ABR, shipped network": abr,
    "EEG, EEGNet": partial(eeg, "eegnet"),
    "EEG, EEGMamba": partial(eeg, "eegmamba"),
}
"""Makers of the loops by the names of their networks."""

HEAVY = "EEG, EEGMamba"
"""The network whose step takes a second: it is measured less often."""
