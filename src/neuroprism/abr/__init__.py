"""Auditory brainstem responses: recordings, simulator, network, losses and the task that joins them."""

from __future__ import annotations

from neuroprism.abr.config import AbrConfig
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.scaler import AbrScaler
from neuroprism.abr.simulate import SimulationConfig, simulate
from neuroprism.abr.splits import Split, SplitConfig, split_by_patient
from neuroprism.abr.store import load_recordings, save_recordings
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
