"""Auditory brainstem responses: recordings, simulator, network, losses and the task that joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.scaler import AbrScaler
from neuroprism.abr.simulate import SimulationConfig, simulate
from neuroprism.abr.splits import Split, SplitConfig, split_by_patient
from neuroprism.abr.store import load_recordings, save_recordings

if TYPE_CHECKING:
    from neuroprism.abr.config import AbrConfig
    from neuroprism.abr.task import AbrTask

__all__ = [
    "AbrConfig",
    "AbrRecordings",
    "AbrScaler",
    "AbrTask",
    "SimulationConfig",
    "Split",
    "SplitConfig",
    "load_recordings",
    "save_recordings",
    "simulate",
    "split_by_patient",
]

# Loaded when first asked for: who reads, simulates or imports recordings needs no torch.
_PLACES = {"AbrConfig": "config", "AbrTask": "task"}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
