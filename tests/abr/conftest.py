"""Simulated sets and a trained network that several tests share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from neuroprism.abr import AbrConfig, AbrScaler, AbrTask, split_by_patient
from neuroprism.abr.dataset import AbrDataset
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SimulationConfig, simulate
from neuroprism.core.config import config_hash, load, parse_override, to_dict
from neuroprism.train.checkpoint import Checkpoint, save_checkpoint

TINY = [
    "model.architecture={base_channels: 8, n_levels: 2, channel_multipliers: [1, 2], patch_size: 4}",
    "model.architecture.encoder={n_s4_layers: 1, d_state: 4}",
    "model.architecture.decoder.n_heads=2",
    "model.architecture.film.hidden_dim=8",
    "model.architecture.heads.hidden_dim=8",
]


@dataclass(frozen=True)
class TrainedRun:
    """A run folder and what its weights were trained on."""

    folder: Path
    recordings: AbrRecordings
    scaler: AbrScaler
    task: AbrTask

    @property
    def best(self) -> Path:
        return self.folder / "checkpoints" / "best.pt"

    @property
    def last(self) -> Path:
        return self.folder / "checkpoints" / "last.pt"


def train_tiny(folder: Path, recordings: AbrRecordings, *assignments: str, n_steps: int = 8) -> TrainedRun:
    """Train a few steps and store `best.pt` with an average and `last.pt` without one."""
    config = load(AbrConfig, overrides=[parse_override(text) for text in (*TINY, *assignments)])
    split = split_by_patient(recordings, config.data.splits)
    scaler = AbrScaler.fit(recordings.select(split.train))
    train, val = (AbrDataset(recordings, rows, scaler).everything for rows in (split.train, split.val))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        task = AbrTask(config, scaler, training=train, validation=val)
        optimizer = torch.optim.AdamW(task.model.parameters(), lr=1e-2)
        for rows in torch.arange(len(train)).split(16)[:n_steps]:
            optimizer.zero_grad()
            torch.stack(list(task.losses(task.model, train.select(rows)).values.values())).sum().backward()
            optimizer.step()
    run = TrainedRun(folder, recordings, scaler, task)
    resolved = to_dict(config)
    average = {name: 0.9 * value.detach() for name, value in task.model.named_parameters()}
    common: dict[str, Any] = {
        "batch": 0,
        "task": task.name,
        "model": task.model.state_dict(),
        "task_state": task.checkpoint_state(),
        "config": resolved,
        "config_hash": config_hash(resolved),
    }
    save_checkpoint(run.best, Checkpoint(epoch=3, step=3 * n_steps, average=average, **common))
    save_checkpoint(run.last, Checkpoint(epoch=4, step=4 * n_steps, **common))
    return run


@pytest.fixture(scope="session")
def clinical_set() -> AbrRecordings:
    """Some 15,000 recordings of 10 ms, classes as in a clinic."""
    return simulate(SimulationConfig(n_patients=900, preset="clinical", window_ms=10.0, seed=11))


@pytest.fixture(scope="session")
def balanced_set() -> AbrRecordings:
    """Some 4,500 recordings of 12.8 ms, equally many patients of each class."""
    return simulate(SimulationConfig(n_patients=250, preset="balanced", seed=12))


@pytest.fixture(scope="session")
def small_set() -> AbrRecordings:
    """Some 500 recordings of 12.8 ms."""
    return simulate(SimulationConfig(n_patients=30, preset="balanced", seed=13))


@pytest.fixture(scope="session")
def trained_run(small_set: AbrRecordings, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """Return a tiny network after a few steps; its folder is not to be changed."""
    return train_tiny(tmp_path_factory.mktemp("trained"), small_set)
