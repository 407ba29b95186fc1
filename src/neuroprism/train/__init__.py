"""The trainer: one loop for every task, with exact resume and nothing hidden from the monitor."""

from neuroprism.train.config import HardwareConfig, ReproducibilityConfig, TrainingConfig
from neuroprism.train.data_order import DataLoaderConfig, make_loader
from neuroprism.train.task import Evaluation, LossTerms, Task

__all__ = [
    "DataLoaderConfig",
    "Evaluation",
    "HardwareConfig",
    "LossTerms",
    "ReproducibilityConfig",
    "Task",
    "TrainingConfig",
    "make_loader",
]
