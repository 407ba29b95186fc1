"""Classical baselines: what a deep result has to be compared with, in seconds."""

from neuroprism.eeg.baselines.results import BaselineResult, read_baselines, write_baselines
from neuroprism.eeg.baselines.run import METHODS, STANDARD_METHODS, run_baselines

__all__ = [
    "METHODS",
    "STANDARD_METHODS",
    "BaselineResult",
    "read_baselines",
    "run_baselines",
    "write_baselines",
]
