"""Configuration of training, hardware and reproducibility."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from neuroprism.core.section import Section
from neuroprism.train.optimizer_config import AdamWConfig, OptimizerConfig
from neuroprism.train.schedule_config import CosineAnnealingConfig, ScheduleConfig, lowest_rate


class ValidationConfig(Section):
    """When the model is judged on the validation split."""

    frequency: int = Field(default=1, ge=1)
    """Epochs from one validation to the next; the last epoch is always validated."""

    compute_metrics: bool = True
    """Compute metrics besides the losses."""


class CheckpointingConfig(Section):
    """Which checkpoints are kept."""

    save_best: bool = True
    """Keep `checkpoints/best.pt`, written at once when the selection criterion improves."""

    save_last: bool = True
    """Keep `checkpoints/last.pt`, replaced after every epoch; an interrupted run writes it in any case."""

    save_frequency: int | None = Field(default=None, ge=1)
    """Also keep `checkpoints/epoch_0010.pt` and so on every so many epochs; null = never."""


class EarlyStoppingConfig(Section):
    """The criterion that selects the best checkpoint and may end training."""

    enabled: bool = True
    """End training after `patience` validations without improvement; selection works either way."""

    patience: int = Field(default=50, ge=1)
    """Validations without improvement that are tolerated."""

    min_delta: float = Field(default=1e-5, ge=0)
    """An improvement must exceed this to count for `patience`; absolute."""

    monitor: str = "val/total"
    """Validation series, e.g. `val/total`, `val/signal`, `val/balanced_accuracy`; NaN is never best."""

    mode: Literal["min", "max"] = "min"
    """Whether lower or higher is better; of equal epochs the first is best."""

    @field_validator("monitor")
    @classmethod
    def _is_validation_series(cls, name: str) -> str:
        if not name.removeprefix("val/") or not name.startswith("val/"):
            raise ValueError(f"must be a validation series such as 'val/total', not '{name}'")
        return name


class TrainingConfig(Section):
    """The loop: how long, with which optimizer and schedule, and what happens along the way."""

    epochs: int = Field(default=100, ge=1)
    """Passes over the training split."""

    log_frequency: int = Field(default=100, ge=1)
    """Optimizer steps from one step line to the next."""

    gradient_clip: float | None = Field(default=1.0, gt=0)
    """Largest norm of the gradient; null = not clipped. The norm before clipping is recorded."""

    accumulation_steps: int = Field(default=1, ge=1)
    """Batches whose gradients are averaged for one optimizer step."""

    max_steps_per_epoch: int | None = Field(default=None, ge=1)
    """Optimizer steps after which an epoch ends early; null = whole split."""

    on_non_finite: Literal["stop", "skip"] = "stop"
    """On a loss or gradient that is NaN or infinite: stop training, or skip that step and go on."""

    ema_decay: float | None = Field(default=0.999, gt=0, lt=1)
    """Decay of the moving average of the weights that validation and best.pt use; null = off."""

    optimizer: OptimizerConfig = AdamWConfig()
    scheduler: ScheduleConfig = CosineAnnealingConfig()
    validation: ValidationConfig = ValidationConfig()
    checkpointing: CheckpointingConfig = CheckpointingConfig()
    early_stopping: EarlyStoppingConfig = EarlyStoppingConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> TrainingConfig:
        warmup = self.scheduler.warmup_epochs
        if warmup >= self.epochs:
            raise ValueError(
                f"scheduler.warmup_epochs ({warmup:g}) must be below epochs ({self.epochs}), "
                "or the learning rate never arrives"
            )
        lowest, highest = lowest_rate(self.scheduler), self.optimizer.learning_rate
        if lowest > highest:
            raise ValueError(
                f"the scheduler's lowest rate ({lowest:g}) lies above optimizer.learning_rate ({highest:g})"
            )
        return self


class HardwareConfig(Section):
    """Where and in which precision the model runs."""

    device: str = "auto"
    """auto (an accelerator where there is one), cpu, cuda, one of several GPUs as cuda:1, or mps."""

    mixed_precision: bool = False
    """Run the model in bfloat16 (float16 on GPUs without it) where that is safe; losses stay in float32."""

    compile_model: bool = False
    """Compile the model with torch.compile: a slow first step, then faster ones."""

    n_threads: int | None = Field(default=None, ge=1)
    """Threads of PyTorch on the CPU; null = its own choice."""

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, name: str) -> str:
        if name not in ("auto", "cpu", "cuda", "mps") and not re.fullmatch(r"cuda:\d{1,3}", name):
            raise ValueError(f"must be 'auto', 'cpu', 'cuda', 'cuda:<number>' or 'mps', not '{name}'")
        return name


class ReproducibilityConfig(Section):
    """What makes two runs equal."""

    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of initialisation, data order and noise."""

    deterministic: bool = False
    """Use deterministic algorithms only, and warn where there is none; slower on a GPU."""

    benchmark: bool = False
    """Let cuDNN try its convolution algorithms and take the fastest; not reproducible."""

    @model_validator(mode="after")
    def _no_contradiction(self) -> ReproducibilityConfig:
        if self.deterministic and self.benchmark:
            raise ValueError("deterministic and benchmark exclude each other")
        return self
