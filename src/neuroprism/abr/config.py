"""The configuration of an ABR training run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from neuroprism.abr.diffusion import DiffusionConfig
from neuroprism.abr.loss_config import LossConfig
from neuroprism.abr.model_config import ModelConfig
from neuroprism.abr.simulate import SimulationConfig
from neuroprism.abr.splits import SplitConfig
from neuroprism.core.section import Section
from neuroprism.monitor.config import MonitoringConfig
from neuroprism.monitor.logging_config import LoggingConfig
from neuroprism.train.config import HardwareConfig, ReproducibilityConfig, TrainingConfig
from neuroprism.train.data_order import DataLoaderConfig


class ProjectConfig(Section):
    """Labels of the project."""

    name: str = Field(default="abr", min_length=1)
    """Name of the task in run.json, in trackers and in figure titles."""


class DataConfig(Section):
    """Which recordings, how they are split and how they are served."""

    dataset_path: Path | None = None
    """Recordings in the project's .npz format; null simulates them once into `cache_dir`."""

    cache_dir: Path = Path("data/cache")
    """Folder for simulated recordings; a set is named by the hash of `simulation`."""

    signal_target: Literal["recorded", "clean"] = "recorded"
    """Trace that the diffusion learns; `clean` needs simulated recordings."""

    simulation: SimulationConfig = SimulationConfig()
    splits: SplitConfig = SplitConfig()
    dataloader: DataLoaderConfig = DataLoaderConfig()


class AbrConfig(Section):
    """Everything that defines an ABR training run."""

    project: ProjectConfig = ProjectConfig()
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()
    logging: LoggingConfig = LoggingConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    reproducibility: ReproducibilityConfig = ReproducibilityConfig()
    hardware: HardwareConfig = HardwareConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> AbrConfig:
        name = self.loss.balancing
        if self.hardware.compile_model and name not in ("fixed", "uncertainty"):
            raise ValueError(
                f"loss.balancing={name} takes gradients apart, which a compiled network does not allow; "
                "set hardware.compile_model to false"
            )
        return self
