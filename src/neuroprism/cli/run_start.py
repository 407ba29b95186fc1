"""What every training run checks before it writes a file, whatever it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from neuroprism.cli.run_mode import RunMode, check_place
from neuroprism.monitor.folder import check
from neuroprism.train.checkpoint import Checkpoint, load_checkpoint
from neuroprism.train.config import HardwareConfig, TrainingConfig
from neuroprism.train.data_order import batch_size_of
from neuroprism.train.hardware import choose_device
from neuroprism.train.plan import batches_behind, batches_per_epoch
from neuroprism.train.processes import Processes


def check_start(folder: Path, mode: RunMode, processes: Processes) -> Checkpoint | None:
    """Check that a run may begin in `folder`; return where it goes on, None for a new run.

    Raises
    ------
    RunError
        If the folder cannot be used, holds a run that nobody asked to continue or to replace, or has
        nothing to go on from.
    """
    if processes.first:
        check_place(folder)
        check(folder, resume=mode.resume, overwrite=mode.overwrite)
    return load_checkpoint(folder) if mode.resume else None


def use_hardware(hardware: HardwareConfig) -> str:
    """Set the number of threads; return the device to train on.

    Raises
    ------
    ConfigError
        If this machine has no such device.
    """
    device = choose_device(hardware.device)
    if hardware.n_threads is not None:
        torch.set_num_threads(hardware.n_threads)
    return device


def check_position(checkpoint: Checkpoint, batches: Any, training: TrainingConfig) -> None:
    """Check that the run can go on where it stopped within an epoch of these batches.

    Raises
    ------
    ConfigError
        If it stopped inside an epoch and no batch begins there now.
    """
    batches_behind(
        checkpoint, n_batches=batches_per_epoch(batches, training), batch_size=batch_size_of(batches)
    )
