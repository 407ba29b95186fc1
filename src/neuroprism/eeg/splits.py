"""Which windows of a store a run trains on, selects by and tests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroprism.core.errors import DataError
from neuroprism.core.records import Split
from neuroprism.eeg.config import EegDataConfig, SubjectSplitConfig
from neuroprism.eeg.store import EegStore
from neuroprism.eeg.store_index import SPLITS

NEEDED: tuple[Split, ...] = ("train", "val")


def divide(store: EegStore, config: EegDataConfig) -> EegStore:
    """Return `store` with its windows divided as configured.

    Raises
    ------
    DataError
        If nothing is left to train on or to select by.
    """
    if config.split == "by_subject":
        store = _by_subject(store, config.subjects)
    for name in NEEDED:
        if not len(store.indices(name)):
            raise DataError(
                f"{store.path}: no window belongs to the split '{name}'; prepare more subjects, "
                "or divide these with data.split=by_subject"
            )
    return store


def manifest(store: EegStore) -> dict[str, Any]:
    """Return what a run keeps of its split: rule, subjects and counts, and the hash of the data."""
    rows = {name: store.indices(name) for name in SPLITS}
    return {
        "dataset": store.spec.name,
        "store": store.fingerprint(),
        "rule": store.card.split_rule,
        "published": store.card.is_published_split,
        "subjects": {name: sorted(set(store.subjects[found].tolist())) for name, found in rows.items()},
        "windows": {name: len(found) for name, found in rows.items()},
    }


def _by_subject(store: EegStore, config: SubjectSplitConfig) -> EegStore:
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
    return store.divided(
        {name: np.flatnonzero(of_window == name) for name in SPLITS},
        rule=(
            f"by subject, drawn with seed {config.seed}: {config.val_share:.0%} val, "
            f"{config.test_share:.0%} test"
        ),
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
