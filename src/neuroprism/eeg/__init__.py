"""EEG: fourteen downstream datasets, their networks, and fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroprism.eeg.backbones import build_model
    from neuroprism.eeg.catalog import datasets
    from neuroprism.eeg.config import EegConfig
    from neuroprism.eeg.dataset import EegBatch, EegDataset
    from neuroprism.eeg.preparation import prepare
    from neuroprism.eeg.spec import DatasetSpec
    from neuroprism.eeg.store import EegStore
    from neuroprism.eeg.task import EegTask

__all__ = [
    "DatasetSpec",
    "EegBatch",
    "EegConfig",
    "EegDataset",
    "EegStore",
    "EegTask",
    "build_model",
    "datasets",
    "prepare",
]

# Loaded when first asked for: the processes that cut recordings need no torch and no trainer.
_PLACES = {
    "DatasetSpec": "spec",
    "EegBatch": "dataset",
    "EegConfig": "config",
    "EegDataset": "dataset",
    "EegStore": "store",
    "EegTask": "task",
    "build_model": "backbones",
    "datasets": "catalog",
    "prepare": "preparation",
}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
