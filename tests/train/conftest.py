"""A small task with two components, and what it takes to train it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from neuroprism.core.records import Alert, Component
from neuroprism.monitor import Monitor, ResumePoint
from neuroprism.train import (
    Checkpoint,
    DataLoaderConfig,
    Evaluation,
    HardwareConfig,
    LossTerms,
    ReproducibilityConfig,
    Task,
    Trainer,
    TrainingConfig,
    make_loader,
    steps_per_epoch,
)

N_FEATURES, N_CLASSES = 6, 3
Batch = dict[str, Tensor]


class ToyData(Dataset[Batch]):
    """Points with a masked number and a class, both learnable."""

    def __init__(self, n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
        self.x = torch.from_numpy(x)
        self.y = torch.from_numpy(x[:, 0] - 2 * x[:, 1] + 0.5)
        self.valid = torch.from_numpy(rng.random(n) < 0.8)
        self.kind = torch.from_numpy(np.argmax(x[:, :N_CLASSES], axis=1))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Batch:
        return {
            "id": torch.tensor(index),
            "x": self.x[index],
            "y": self.y[index],
            "valid": self.valid[index],
            "kind": self.kind[index],
        }


class ToyModel(nn.Module):
    def __init__(self, *, dropout: float = 0.1, batch_norm: bool = False) -> None:
        super().__init__()
        norm = nn.BatchNorm1d(16) if batch_norm else nn.LayerNorm(16)
        self.body = nn.Sequential(nn.Linear(N_FEATURES, 16), norm, nn.GELU(), nn.Dropout(dropout))
        self.number = nn.Linear(16, 1)
        self.kind = nn.Linear(16, N_CLASSES)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        hidden = self.body(x)
        return {"number": self.number(hidden)[:, 0], "kind": self.kind(hidden)}


class ToyTask(Task[Batch]):
    name = "toy"
    components = (
        Component(name="number", label="Num", weight=0.7, baseline=5.0),
        Component(name="kind", label="Kind", weight=1.3, baseline=1.1),
    )

    def __init__(self, *, seed: int = 0, **model: Any) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.model = ToyModel(**model)
        self.before_loss: Callable[[Batch], None] = lambda batch: None
        self.before_evaluation: Callable[[], None] = lambda: None
        self.metrics: dict[str, float] | None = None
        self.evaluated_weights: list[Tensor] = []

    def losses(self, model: nn.Module, batch: Batch) -> LossTerms:
        self.before_loss(batch)
        output = model(batch["x"])
        n_valid = batch["valid"].sum()
        errors = F.mse_loss(output["number"], batch["y"], reduction="none") * batch["valid"]
        return LossTerms(
            values={
                "number": errors.sum() / n_valid.clamp(min=1),
                "kind": F.cross_entropy(output["kind"], batch["kind"]),
            },
            counts={"number": n_valid},
        )

    def evaluate(
        self, model: nn.Module, batches: Iterable[Batch], *, compute_metrics: bool = True
    ) -> Evaluation:
        self.before_evaluation()
        assert not model.training
        self.evaluated_weights.append(self.model.number.weight.detach().clone())
        outputs = [(model(batch["x"]), batch) for batch in batches]
        number = torch.cat([output["number"] for output, _ in outputs])
        kind = torch.cat([output["kind"] for output, _ in outputs])
        whole = {k: torch.cat([batch[k] for _, batch in outputs]) for k in ("y", "valid", "kind")}
        losses = {
            "number": float(F.mse_loss(number[whole["valid"]], whole["y"][whole["valid"]])),
            "kind": float(F.cross_entropy(kind, whole["kind"])),
        }
        if not compute_metrics:
            return Evaluation(losses=losses)
        accuracy = float((kind.argmax(1) == whole["kind"]).double().mean())
        return Evaluation(
            losses=losses, metrics={"accuracy": accuracy} if self.metrics is None else self.metrics
        )

    def n_samples(self, batch: Batch) -> int:
        return len(batch["x"])

    def sample_ids(self, batch: Batch) -> list[int]:
        return batch["id"].tolist()

    def checkpoint_state(self) -> dict[str, Any]:
        return {"classes": ["a", "b", "c"], "scaler": {"mean": torch.zeros(N_FEATURES)}}


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def differing(one: Any, other: Any, name: str = "") -> list[str]:
    """Names of everything that differs between two checkpoints."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return [name]
        return [found for key in one for found in differing(one[key], other[key], f"{name}.{key}")]
    if isinstance(one, list | tuple):
        pairs = enumerate(zip(one, other, strict=True))
        return [found for n, pair in pairs for found in differing(*pair, f"{name}[{n}]")]
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) else [name]
    return [] if one == other else [name]


def contents(checkpoint: Checkpoint) -> dict[str, Any]:
    # The rules, too, look at how long steps take.
    clock_free = {k: v for k, v in checkpoint.monitor.items() if "seconds" not in k and k != "rules"}
    names = ("epoch", "batch", "step", "model", "average", "task_state", "evaluation", "training")
    return {name: getattr(checkpoint, name) for name in names} | {"monitor": clock_free}


class RecordingMonitor:
    """Keeps what it is told, reads no value, writes nothing."""

    def __init__(self, components: tuple[Component, ...] = ToyTask.components) -> None:
        self.components = components
        self.steps: list[dict[str, Any]] = []
        self.epochs: list[dict[str, Any]] = []
        self.checkpoints: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.alerts: list[Alert] = []
        self.taken_histograms: list[dict[str, Any]] = []
        self.closed: tuple[str, str | None] | None = None
        self.stop_requested: Alert | None = None
        self.n_steps = 0

    def combine(self, losses: Any) -> Any:
        return sum(c.weight * losses[c.name] for c in self.components)

    def step(self, losses: Any, **more: Any) -> None:
        self.n_steps += 1
        self.steps.append({"losses": dict(losses), **more})

    def flush(self) -> None: ...

    def epoch(self, **values: Any) -> None:
        self.epochs.append(values)

    def histograms(self, **values: Any) -> None:
        self.taken_histograms.append(values)

    def checkpoint(self, path: Path, *, reason: str) -> None:
        self.checkpoints.append((path.name, reason))

    def note(self, message: str, *, severity: str = "info") -> None:
        self.notes.append(message)

    def alert(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.n_steps, "epoch": len(self.epochs)}

    def close(self, status: str = "finished", message: str | None = None) -> None:
        self.closed = self.closed or (status, message)


def config(**options: Any) -> TrainingConfig:
    """A short training; `options` as in a configuration file."""
    defaults = {
        "epochs": 2,
        "log_frequency": 3,
        "optimizer": {"type": "adamw", "learning_rate": 1e-2},
        "scheduler": {"type": "constant"},
    }
    return TrainingConfig.model_validate(defaults | options)


def loaders(
    *, n: int = 50, batch_size: int = 8, seed: int = 3, **options: Any
) -> tuple[DataLoader[Batch], DataLoader[Batch]]:
    """Training and validation loader over synthetic points."""
    settings = DataLoaderConfig(batch_size=batch_size, **options)
    return (
        make_loader(ToyData(n, seed=1), settings, training=True, seed=seed),
        make_loader(ToyData(30, seed=2), settings, training=False),
    )


@dataclass
class Run:
    """One training with everything around it."""

    folder: Path
    config: TrainingConfig
    task: ToyTask
    monitor: Any
    trainer: Trainer

    def fit(self, train: Any = None, val: Any = None, *, resume: Checkpoint | None = None) -> Any:
        default = loaders()
        return self.trainer.fit(
            self.task,
            default[0] if train is None else train,
            default[1] if val is None else val,
            resume=resume,
        )


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """Return a factory of runs with a recording monitor."""

    def make(
        training: TrainingConfig | None = None,
        *,
        task: ToyTask | None = None,
        monitor: Any = None,
        name: str = "run",
        trainer_class: type[Trainer] = Trainer,
        hardware: HardwareConfig | None = None,
        **more: Any,
    ) -> Run:
        training = training or config()
        monitor = monitor or RecordingMonitor()
        trainer = trainer_class(
            training,
            hardware=hardware or HardwareConfig(device="cpu"),
            reproducibility=ReproducibilityConfig(seed=5),
            monitor=monitor,
            folder=tmp_path / name,
            **more,
        )
        return Run(tmp_path / name, training, task or ToyTask(), monitor, trainer)

    return make


@pytest.fixture
def open_monitor(tmp_path: Path) -> Callable[..., Monitor]:
    """Return a factory of real monitors."""

    def open_(
        training: TrainingConfig, name: str, *, resume: Checkpoint | None = None, **more: Any
    ) -> Monitor:
        return Monitor(
            tmp_path / name,
            ToyTask.components,
            n_epochs=training.epochs,
            steps_per_epoch=steps_per_epoch(loaders()[0], training),
            log_frequency=training.log_frequency,
            resume=ResumePoint.from_state(resume.monitor) if resume else None,
            **more,
        )

    return open_


@pytest.fixture
def toy() -> Any:
    """The names of this file, for test modules."""
    return SimpleNamespace(
        Data=ToyData,
        Task=ToyTask,
        Monitor=RecordingMonitor,
        config=config,
        loaders=loaders,
        same_weights=same_weights,
        differing=differing,
        contents=contents,
    )
