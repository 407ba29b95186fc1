"""The datasets: one declaration a file, filed by name."""

from neuroprism.eeg.catalog import (
    chb_mit,
    isruc,
    mental_arithmetic,
    mumtaz2016,
    physionet_mi,
    tuab,
    tuev,
)
from neuroprism.eeg.dataset_registry import datasets

__all__ = [
    "chb_mit",
    "datasets",
    "isruc",
    "mental_arithmetic",
    "mumtaz2016",
    "physionet_mi",
    "tuab",
    "tuev",
]
