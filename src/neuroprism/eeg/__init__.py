"""EEG: fourteen downstream datasets, their networks, and fine-tuning."""

from neuroprism.eeg.backbones import build_model
from neuroprism.eeg.catalog import datasets
from neuroprism.eeg.config import EegConfig
from neuroprism.eeg.dataset import EegBatch, EegDataset
from neuroprism.eeg.prepare import prepare
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
