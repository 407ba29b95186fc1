"""The configuration of an EEG fine-tuning run; its defaults are the published recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from neuroprism.core.section import Section
from neuroprism.eeg.model_config import EegModelConfig
from neuroprism.monitor.config import MonitoringConfig
from neuroprism.monitor.logging_config import LoggingConfig
from neuroprism.train.config import (
    EarlyStoppingConfig,
    HardwareConfig,
    ReproducibilityConfig,
    TrainingConfig,
)
from neuroprism.train.data_order import DataLoaderConfig
from neuroprism.train.optimizer_config import AdamConfig, AdamWConfig, SgdConfig
from neuroprism.train.schedule_config import (
    ConstantConfig,
    CosineAnnealingConfig,
    CosineWarmRestartsConfig,
    ExponentialConfig,
    MultistepConfig,
    OneCycleConfig,
    ReduceOnPlateauConfig,
    StepConfig,
)

DECLARED_CRITERION = "val/criterion"
"""Stands for the metric that the dataset declares: kappa, ROC-AUC or R2."""


class SubjectSplitConfig(Section):
    """A split of one's own, by subject."""

    val_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the subjects that select the checkpoint."""

    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the subjects that are tested on."""

    seed: int = Field(default=0, ge=0)
    """Seed of the draw; independent of the seed of training, so that repeats share the split."""


class EegLoaderConfig(DataLoaderConfig):
    """How windows are served in batches."""

    batch_size: int = Field(default=32, ge=1)
    """Windows in a batch (sequences for ISRUC)."""

    drop_last: bool = False
    """Leave out the last batch of a training epoch where it is not full."""


class EegDataConfig(Section):
    """Which prepared windows, how they are split and served."""

    dataset: str = Field(default="MentalArithmetic", min_length=1)
    """Name of the dataset; `neuroprism datasets` lists them."""

    store: Path | None = None
    """Folder written by `neuroprism prepare`."""

    scaling: Literal["declared", "zscore"] = "declared"
    """Divide microvolt by the declared scale, or standardise every window over all channels and times."""

    split: Literal["declared", "by_subject"] = "declared"
    """The split of the published protocol, or one by subject as `subjects` says."""

    subjects: SubjectSplitConfig = SubjectSplitConfig()
    dataloader: EegLoaderConfig = EegLoaderConfig()


class EegLossConfig(Section):
    """The loss."""

    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of the target spread over all classes; multiclass only."""


class FinetuningAdamWConfig(AdamWConfig):
    """AdamW with the rates of fine-tuning."""

    learning_rate: float = Field(default=1e-4, gt=0)
    """Highest learning rate of the backbone; the head's is `model.head_lr_factor` times this."""

    weight_decay: float = Field(default=5e-2, ge=0)
    """Weight decay of matrices; biases, norms and state-space dynamics have none."""

    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the running means of the gradient and of its square."""


class FinetuningSgdConfig(SgdConfig):
    """SGD with the rates of fine-tuning."""

    learning_rate: float = Field(default=1e-4, gt=0)
    """Highest learning rate of the backbone; the head's is `model.head_lr_factor` times this."""

    weight_decay: float = Field(default=5e-2, ge=0)
    """Weight decay of matrices; biases, norms and state-space dynamics have none."""


class FinetuningCosineConfig(CosineAnnealingConfig):
    """Cosine annealing over all steps, to 1% of the highest rate."""

    eta_min: float = Field(default=1e-6, ge=0)
    """Rate of the backbone after the last step; the head ends at `model.head_lr_factor` times this."""


class SelectionConfig(EarlyStoppingConfig):
    """The criterion that selects the best checkpoint and may end training."""

    enabled: bool = False
    """End training after `patience` validations without improvement; selection works either way."""

    patience: int = Field(default=15, ge=1)
    """Validations without improvement that are tolerated."""

    min_delta: float = Field(default=0.0, ge=0)
    """An improvement must exceed this to count for `patience`; absolute."""

    monitor: str = DECLARED_CRITERION
    """Validation series; `val/criterion` is the metric that the dataset declares."""

    mode: Literal["min", "max"] = "max"
    """Whether lower or higher is better."""


class FinetuningConfig(TrainingConfig):
    """The loop: how long, with which optimizer and schedule, and what happens along the way."""

    epochs: int = Field(default=50, ge=1)
    """Passes over the training split."""

    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Decay of the moving average of the weights that validation and best.pt use; null = off."""

    optimizer: Annotated[
        AdamConfig | FinetuningAdamWConfig | FinetuningSgdConfig, Field(discriminator="type")
    ] = FinetuningAdamWConfig()
    scheduler: Annotated[
        ConstantConfig
        | StepConfig
        | MultistepConfig
        | ExponentialConfig
        | FinetuningCosineConfig
        | CosineWarmRestartsConfig
        | OneCycleConfig
        | ReduceOnPlateauConfig,
        Field(discriminator="type"),
    ] = FinetuningCosineConfig()
    early_stopping: SelectionConfig = SelectionConfig()

    def selecting(self, criterion: str) -> FinetuningConfig:
        """Return the configuration with the declared criterion in place of its stand-in."""
        if self.early_stopping.monitor != DECLARED_CRITERION:
            return self
        chosen = self.early_stopping.model_copy(update={"monitor": f"val/{criterion}", "mode": "max"})
        return self.model_copy(update={"early_stopping": chosen})


class EegLoggingConfig(LoggingConfig):
    """What is shown while training, and where it is recorded besides JSON."""

    log_dir: str = Field(default="results", min_length=1)
    """Folder of runs that have no `--model_dir`; such a run lies in `log_dir/DATASET`."""


class EegReproducibilityConfig(ReproducibilityConfig):
    """What makes two runs equal."""

    seed: int = Field(default=3407, ge=0, lt=2**32)
    """Seed of initialisation, data order and dropout."""


class EegConfig(Section):
    """Everything that defines an EEG fine-tuning run."""

    data: EegDataConfig = EegDataConfig()
    model: EegModelConfig = EegModelConfig()
    loss: EegLossConfig = EegLossConfig()
    training: FinetuningConfig = FinetuningConfig()
    logging: EegLoggingConfig = EegLoggingConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    reproducibility: EegReproducibilityConfig = EegReproducibilityConfig()
    hardware: HardwareConfig = HardwareConfig()
