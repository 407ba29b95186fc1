"""Training, validation and test split by patient, and its manifest.

All recordings of a patient stay together. Patients are stratified by their
modal class (on a tie the first class; patients without a known class form a
group of their own): within each class the patients, sorted
by name and then shuffled with the seed, are dealt to the splits in proportion
to the ratios by largest remainder. Where a class has fewer patients than
splits, training comes first, then validation, then test.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from neuroprism.abr.columns import UNKNOWN_CLASS
from neuroprism.abr.recordings import AbrRecordings
from neuroprism.core import strict_json
from neuroprism.core.errors import DataError
from neuroprism.core.files import replace_bytes
from neuroprism.core.section import Section

SplitName = Literal["train", "val", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "val", "test")

SPLIT_FILE = "split.json"
"""Where a run keeps its manifest."""


class SplitConfig(Section):
    """How patients are divided."""

    train_ratio: float = Field(default=0.75, gt=0, lt=1)
    """Share of patients for training."""

    val_ratio: float = Field(default=0.15, gt=0, lt=1)
    """Share of patients for validation, which selects the checkpoint."""

    test_ratio: float = Field(default=0.10, ge=0, lt=1)
    """Share of patients for the test; 0 = no test split."""

    random_seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of the division."""

    @model_validator(mode="after")
    def _whole(self) -> SplitConfig:
        total = self.train_ratio + self.val_ratio + self.test_ratio
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train_ratio, val_ratio and test_ratio must add up to 1, not {total:g}")
        return self

    @property
    def ratios(self) -> tuple[float, float, float]:
        """Shares of training, validation and test."""
        return self.train_ratio, self.val_ratio, self.test_ratio


@dataclass(frozen=True)
class Split:
    """Indices of recordings, sorted, no patient in two of them."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]

    def __getitem__(self, name: SplitName) -> NDArray[np.int64]:
        indices: NDArray[np.int64] = getattr(self, name)
        return indices


def split_by_patient(recordings: AbrRecordings, config: SplitConfig) -> Split:
    """Divide recordings by patient.

    Raises
    ------
    DataError
        If there are too few patients, or a class is absent from the training split.
    """
    patients, owner = np.unique(recordings.patient_id, return_inverse=True)
    wanted = [name for name, ratio in zip(SPLIT_NAMES, config.ratios, strict=True) if ratio > 0]
    if len(patients) < len(wanted):
        raise DataError(
            f"{len(patients)} patient{'s' * (len(patients) != 1)} cannot be divided into "
            f"{', '.join(wanted)}: no patient may stand in two splits"
        )
    modal = _modal_class(owner, recordings.hearing_class, len(patients), len(recordings.class_names))
    assigned = _deal(modal, config)
    split = Split(*(np.flatnonzero(assigned[owner] == n) for n in range(len(SPLIT_NAMES))))
    _check(split, recordings, wanted)
    return split


def _modal_class(
    owner: NDArray[np.int64], hearing_class: NDArray[np.int64], n_patients: int, n_classes: int
) -> NDArray[np.int64]:
    table = np.zeros((n_patients, n_classes), dtype=np.int64)
    known = hearing_class >= 0
    np.add.at(table, (owner[known], hearing_class[known]), 1)
    modal: NDArray[np.int64] = np.where(table.any(axis=1), table.argmax(axis=1), UNKNOWN_CLASS)
    return modal


def _deal(modal: NDArray[np.int64], config: SplitConfig) -> NDArray[np.int64]:
    """Return the number of the split of each patient."""
    rng = np.random.default_rng(config.random_seed)
    ratios = np.array(config.ratios)
    assigned = np.zeros(len(modal), dtype=np.int64)
    for label in np.unique(modal):
        members = rng.permutation(np.flatnonzero(modal == label))
        assigned[members] = np.repeat(np.arange(len(ratios)), _shares(len(members), ratios))
    return assigned


def _shares(n: int, ratios: NDArray[np.float64]) -> NDArray[np.int64]:
    """Divide `n` patients of one class; every split with a ratio gets one before any gets its full share."""
    floor = (np.arange(len(ratios)) < n) & (ratios > 0)
    exact = n * ratios
    sizes = np.maximum(np.floor(exact).astype(np.int64), floor)
    while sizes.sum() > n:
        spare = np.where(sizes > floor, sizes - exact, -np.inf)
        sizes[int(spare.argmax())] -= 1
    while sizes.sum() < n:
        lack = np.where(ratios > 0, exact - sizes, -np.inf)
        sizes[int(lack.argmax())] += 1
    return sizes


def _check(split: Split, recordings: AbrRecordings, wanted: list[SplitName]) -> None:
    for name in wanted:
        if len(split[name]) == 0:
            raise DataError(f"the {name} split is empty: too few patients")
    owners = [set(recordings.patient_id[split[name]]) for name in SPLIT_NAMES]
    if sum(map(len, owners)) != len(set().union(*owners)):
        raise DataError("a patient stands in two splits")
    present = set(np.unique(recordings.hearing_class[recordings.class_mask]))
    trained = set(np.unique(recordings.hearing_class[split.train]))
    for label in sorted(present - trained):
        raise DataError(f"class '{recordings.class_names[label]}' is absent from the training split")


class Manifest(msgspec.Struct, kw_only=True):
    """Which patient stands in which split; a run stores it beside its record.

    Attributes
    ----------
    patients
        Names of the patients of each split, sorted.
    recordings, classes
        Number of recordings of each split, in all and by class.
    data_hash
        Hash of patients and classes, which ties the manifest to its data.
    """

    patients: dict[str, list[str]]
    recordings: dict[str, int]
    classes: dict[str, dict[str, int]]
    ratios: tuple[float, float, float]
    random_seed: int
    data_hash: str


def make_manifest(split: Split, recordings: AbrRecordings, config: SplitConfig) -> Manifest:
    """Describe a split."""
    parts = {name: recordings.select(split[name]) for name in SPLIT_NAMES}
    return Manifest(
        patients={name: np.unique(part.patient_id).tolist() for name, part in parts.items()},
        recordings={name: len(part) for name, part in parts.items()},
        classes={name: part.class_counts() for name, part in parts.items()},
        ratios=config.ratios,
        random_seed=config.random_seed,
        data_hash=data_hash(recordings),
    )


def data_hash(recordings: AbrRecordings) -> str:
    """Return a hash of who was recorded with which class, in order."""
    digest = hashlib.sha256("\n".join(recordings.patient_id.tolist()).encode())
    digest.update(recordings.hearing_class.astype("<i8").tobytes())
    return digest.hexdigest()


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Replace `path` by the manifest as JSON."""
    replace_bytes(path, strict_json.encode_pretty(manifest))


def read_split(path: Path, recordings: AbrRecordings) -> Split:
    """Read a manifest back as the split of the same recordings.

    Raises
    ------
    DataError
        If the manifest cannot be read or belongs to other recordings.
    """
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, *strict_json.UNREADABLE) as error:
        raise DataError(f"cannot read the split {path}: {error}") from None
    if manifest.data_hash != data_hash(recordings):
        raise DataError(f"the split {path} belongs to other recordings")
    patients = {name: manifest.patients.get(name, []) for name in SPLIT_NAMES}
    split = Split(*(np.flatnonzero(np.isin(recordings.patient_id, patients[name])) for name in SPLIT_NAMES))
    _check(split, recordings, [name for name in SPLIT_NAMES if patients[name]])
    if sum(len(split[name]) for name in SPLIT_NAMES) != len(recordings):
        raise DataError(f"the split {path} leaves out some patients")
    return split
