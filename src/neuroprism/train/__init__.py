"""The trainer: one loop for every task, with exact resume and nothing hidden from the monitor."""

from neuroprism.core.launch import is_first_process
from neuroprism.train.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from neuroprism.train.config import HardwareConfig, ReproducibilityConfig, TrainingConfig
from neuroprism.train.data_order import DataLoaderConfig, make_loader
from neuroprism.train.hardware import build_fabric, choose_device
from neuroprism.train.interrupt import TrainingInterrupted, TrainingTerminated
from neuroprism.train.modes import FirstBatches, RepeatedBatch, fast_dev_run
from neuroprism.train.plan import steps_per_epoch
from neuroprism.train.processes import Processes, process_group
from neuroprism.train.seed import seed_everything
from neuroprism.train.task import Evaluation, LossTerms, Task
from neuroprism.train.trainer import FitResult, Trainer

__all__ = [
    "Checkpoint",
    "DataLoaderConfig",
    "Evaluation",
    "FirstBatches",
    "FitResult",
    "HardwareConfig",
    "LossTerms",
    "Processes",
    "RepeatedBatch",
    "ReproducibilityConfig",
    "Task",
    "Trainer",
    "TrainingConfig",
    "TrainingInterrupted",
    "TrainingTerminated",
    "build_fabric",
    "choose_device",
    "fast_dev_run",
    "is_first_process",
    "load_checkpoint",
    "load_weights",
    "make_loader",
    "process_group",
    "save_checkpoint",
    "seed_everything",
    "steps_per_epoch",
]
