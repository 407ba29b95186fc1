"""Which windows of a store a run trains on, selects by and tests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.core.records import Split
from neuroprism.eeg.config import EegDataConfig, SubjectSplitConfig
from neuroprism.eeg.store import EegStore

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class StoreSplit:
    """Numbers of the windows in each split, and how they came about.

    Attributes
    ----------
    train, val, test
        Positions in the store; `test` may be empty.
    rule
        In words.
    published
        Whether it is the split of the published protocol over the complete dataset.
    """

    train: Indices
    val: Indices
    test: Indices
    rule: str
    published: bool

    def manifest(self, store: EegStore) -> dict[str, Any]:
        """Return what a run keeps of its split: rule, subjects and counts, and the hash of the data."""
        named = {"train": self.train, "val": self.val, "test": self.test}
        return {
            "dataset": store.spec.name,
            "store": store.fingerprint(),
            "rule": self.rule,
            "published": self.published,
            "subjects": {name: sorted(set(store.subjects[rows].tolist())) for name, rows in named.items()},
            "windows": {name: len(rows) for name, rows in named.items()},
        }


def split_store(store: EegStore, config: EegDataConfig) -> StoreSplit:
    """Split `store` as configured.

    Raises
    ------
    DataError
        If nothing is left to train on or to select by.
    """
    if config.split == "declared":
        split = StoreSplit(
            train=store.indices("train"),
            val=store.indices("val"),
            test=store.indices("test"),
            rule=store.card.split_rule,
            published=store.card.is_published_split,
        )
    else:
        split = _by_subject(store, config.subjects)
    for name, rows in (("train", split.train), ("val", split.val)):
        if not len(rows):
            raise DataError(
                f"{store.path}: no window belongs to the split '{name}'; prepare more subjects, "
                "or divide these with data.split=by_subject"
            )
    return split


def _by_subject(store: EegStore, config: SubjectSplitConfig) -> StoreSplit:
    """Draw subjects at random, in equal shares from each class where a subject has one class only."""
    rng = np.random.default_rng(config.seed)
    chosen: dict[str, Split] = {}
    for members in _strata(store):
        order = [members[k] for k in rng.permutation(len(members))]
        n_test = max(1, round(config.test_share * len(order)))
        n_val = max(1, round(config.val_share * len(order)))
        if n_test + n_val >= len(order):
            raise DataError(
                f"{store.path}: {len(order)} subjects are too few for data.subjects.val_share "
                f"{config.val_share:g} and test_share {config.test_share:g}"
            )
        for rank, subject in enumerate(order):
            chosen[subject] = "test" if rank < n_test else "val" if rank < n_test + n_val else "train"
    of_window = np.array([chosen[subject] for subject in store.subjects.tolist()])
    rows = {name: np.flatnonzero(of_window == name) for name in ("train", "val", "test")}
    return StoreSplit(
        **rows,
        rule=(
            f"by subject, drawn with seed {config.seed}: {config.val_share:.0%} val, "
            f"{config.test_share:.0%} test"
        ),
        published=False,
    )


def _strata(store: EegStore) -> list[list[str]]:
    """Return the subjects by class where every subject has one class only, else all together."""
    subjects = sorted(set(store.subjects.tolist()))
    if store.spec.task == "regression":
        return [subjects]
    labels = {s: np.unique(store.labels[store.subjects == s]) for s in subjects}
    if any(len(found) > 1 for found in labels.values()):
        return [subjects]
    classes = sorted({int(found[0]) for found in labels.values()})
    return [[s for s in subjects if int(labels[s][0]) == k] for k in classes]
