"""The datasets by name: a declaration together with how its raw files are found and cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neuroprism.core.registry import Registry
from neuroprism.eeg.recordings import Found, Recording, Windows
from neuroprism.eeg.spec import DatasetSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """One downstream dataset.

    Attributes
    ----------
    spec
        The declaration.
    find
        Looks for recordings below a raw folder, without reading signals;
        raises DataError where the folder does not look like the dataset.
    cut
        Reads one recording and cuts its windows; raises DataError, one line
        that names the file, where the recording is not what the declaration says.
    """

    spec: DatasetSpec
    find: Callable[[Path], Found]
    cut: Callable[[Recording], Windows]


datasets: Registry[Dataset] = Registry("dataset")


def register(dataset: Dataset) -> Dataset:
    """File `dataset` under its name."""
    return datasets.register(dataset.spec.name)(dataset)
