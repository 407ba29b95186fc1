"""The device and the precision, chosen once."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision

from neuroprism.core.errors import ConfigError
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
    """Return ``cpu``, ``cuda`` or ``mps`` for the configured device.

    Raises
    ------
    ConfigError
        If that device is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, there in available.items() if there)
    if not available[wanted]:
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise ConfigError(f"hardware.device={wanted}: there is no such device here; available: {there}")
    return wanted


def build_fabric(hardware: HardwareConfig) -> Fabric:
    """Return the Fabric that places the model and runs it in the configured precision.

    Raises
    ------
    ConfigError
        If the device is absent or cannot compute in mixed precision.
    """
    device = choose_device(hardware.device)
    if hardware.n_threads is not None:
        torch.set_num_threads(hardware.n_threads)
    if not hardware.mixed_precision:
        return Fabric(accelerator=device, devices=1, precision="32-true")
    if device == "mps":
        raise ConfigError("hardware.mixed_precision: not supported on mps; set it to false")
    half = device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    plugin = _Autocast("16-mixed" if half else "bf16-mixed", device)
    return Fabric(accelerator=device, devices=1, plugins=[plugin])
