"""The device and the precision, chosen once."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from neuroprism.core.errors import ConfigError, TrainingError
from neuroprism.core.launch import Launch, read_launch
from neuroprism.train.config import HardwareConfig


class _Autocast(MixedPrecision):
    """Mixed precision that leaves the model's inputs alone.

    Fabric would round every input to 16 bits; autocast rounds where an
    operation is safe in 16 bits, so that times and physical parameters arrive
    as they are.
    """

    def convert_input(self, data: Any) -> Any:
        """Return `data` unchanged."""
        return data


def choose_device(wanted: str) -> str:
    """Return ``cpu``, ``cuda``, ``cuda:1`` or ``mps`` for the configured device.

    Raises
    ------
    ConfigError
        If that device is not there, or has no room for every process.
    """
    launch = read_launch()
    available = {
        "cuda": torch.cuda.is_available(),
        # Apple's GPUs know no collective operations.
        "mps": torch.backends.mps.is_available() and launch.alone,
        "cpu": True,
    }
    device = next(name for name, there in available.items() if there) if wanted == "auto" else wanted
    kind, _, number = device.partition(":")
    n_cuda = torch.cuda.device_count() if available["cuda"] else 0
    if not available[kind] or int(number or 0) >= max(1, n_cuda):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        many = "" if launch.alone else f" for {launch.n_processes} processes"
        raise ConfigError(f"hardware.device={wanted}: there is no such device here{many}; available: {there}")
    if not launch.alone and number:
        raise ConfigError(
            f"hardware.device={wanted} names one device for {launch.n_processes} processes; set it to cuda"
        )
    if kind == "cuda" and n_cuda < launch.n_local:
        raise ConfigError(
            f"{launch.n_local} processes on this machine, but only {n_cuda} CUDA device{'s' * (n_cuda != 1)}"
            f"; start torchrun with --nproc_per_node {n_cuda}, or set hardware.device=cpu"
        )
    return device


def build_fabric(hardware: HardwareConfig) -> Fabric:
    """Return the Fabric that places the model and runs it in the configured precision.

    Under torchrun it joins the other processes and averages gradients over
    them (DistributedDataParallel; gloo on the CPU, NCCL on CUDA).

    Raises
    ------
    ConfigError
        If the device is absent or cannot compute in mixed precision.
    TrainingError
        If the other processes cannot be reached.
    """
    device = choose_device(hardware.device)
    if hardware.n_threads is not None:
        torch.set_num_threads(hardware.n_threads)
    kind, _, number = device.partition(":")
    precision = _precision(hardware, kind)
    launch = read_launch()
    if launch.alone:
        devices: int | list[int] = [int(number)] if number else 1
        # Named, so that a job of a batch system is not taken for a request to train on several processes.
        return Fabric(accelerator=kind, devices=devices, plugins=[precision, LightningEnvironment()])
    return _join(Fabric(accelerator=kind, **_together(launch, precision)))


def _precision(hardware: HardwareConfig, device: str) -> Precision:
    if not hardware.mixed_precision:
        return Precision()
    if device == "mps":
        raise ConfigError("hardware.mixed_precision: not supported on mps; set it to false")
    half = device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return _Autocast("16-mixed" if half else "bf16-mixed", device)


def _together(launch: Launch, precision: Precision) -> dict[str, Any]:
    # Buffers are shared once an epoch: a forward pass of one process alone must not wait for the others.
    # Newer releases of torch have renamed the option.
    known = inspect.signature(DistributedDataParallel).parameters
    sync = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    options: dict[str, Any] = {sync: False}
    return {
        "devices": launch.n_local,
        "num_nodes": launch.n_machines,
        "strategy": DDPStrategy(**options),
        "plugins": [precision, TorchElasticEnvironment()],
    }


def _join(fabric: Fabric) -> Fabric:
    """Meet the other processes; Fabric's banner is left out."""
    log = logging.getLogger("lightning_fabric")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        fabric.launch()
    except RuntimeError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainingError(f"the processes of the run cannot reach each other: {reason}") from error
    finally:
        log.setLevel(level)
    return fabric
