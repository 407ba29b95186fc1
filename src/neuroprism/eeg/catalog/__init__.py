"""The datasets: one declaration a file, filed by name."""

from neuroprism.eeg.catalog import (
    bcic2020_3,
    bciciv_2a,
    chb_mit,
    faced,
    isruc,
    mental_arithmetic,
    modma,
    mumtaz2016,
    physionet_mi,
    seed_v,
    seed_vig,
    shu_mi,
    tuab,
    tuev,
)
from neuroprism.eeg.dataset_registry import datasets

__all__ = [
    "bcic2020_3",
    "bciciv_2a",
    "chb_mit",
    "datasets",
    "faced",
    "isruc",
    "mental_arithmetic",
    "modma",
    "mumtaz2016",
    "physionet_mi",
    "seed_v",
    "seed_vig",
    "shu_mi",
    "tuab",
    "tuev",
]
