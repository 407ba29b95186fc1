"""A prepared store, opened for reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import DataError
from neuroprism.core.records import Split
from neuroprism.eeg.catalog import datasets
from neuroprism.eeg.shards import Shards
from neuroprism.eeg.spec import DatasetSpec
from neuroprism.eeg.store_card import StoreCard, check_declaration, read_card
from neuroprism.eeg.store_index import INDEX_FILE, SPLITS, StoredRecording, check_subjects, read_index

_CODES: dict[Split | None, int] = {None: -1} | {name: k for k, name in enumerate(SPLITS)}


class EegStore:
    """The windows of one dataset with what is known about them; `EegStore.open` makes one.

    Parameters
    ----------
    path
        Folder of the store.
    spec
        The declaration.
    card
        What was prepared.
    index
        Recordings in the order in which windows are numbered.

    Attributes
    ----------
    path, spec, card
        As given.
    labels
        (N,) or (N, L) int64, float32 for regression.
    subjects, recordings
        (N,) identifier of the person and key of the recording.
    starts_s
        (N,) seconds from the start of the recording; NaN where not known.
    shards
        The signals.

    Raises
    ------
    DataError
        If a line of the index does not fit the declaration.
    """

    def __init__(
        self, path: Path, spec: DatasetSpec, card: StoreCard, index: Sequence[StoredRecording]
    ) -> None:
        self.path, self.spec, self.card = path, spec, card
        n = np.array([r.n for r in index], dtype=np.int64)
        for recording in index:
            columns = (recording.starts_s, recording.trials, recording.labels, recording.window_splits())
            if any(len(column) != recording.n for column in columns):
                raise DataError(f"{path / INDEX_FILE}: {recording.key} is not consistent")
        try:
            self.labels: npt.NDArray[Any] = np.concatenate([r.label_array(spec) for r in index])
        except (ValueError, TypeError):
            raise DataError(f"{path / INDEX_FILE}: labels do not fit {spec.name}") from None
        self.subjects = np.repeat([r.subject for r in index], n)
        self.recordings = np.repeat([r.key for r in index], n)
        self.starts_s = np.concatenate([np.asarray(r.starts_s, dtype=np.float64) for r in index])
        self._codes = np.concatenate(
            [np.array([_CODES[split] for split in r.window_splits()], dtype=np.int8) for r in index]
        )
        self.shards = Shards(path, index, spec.window_shape)

    @classmethod
    def open(cls, path: Path, dataset: str | None = None) -> EegStore:
        """Open and check a store.

        Parameters
        ----------
        path
            Folder that `prepare` or `import_legacy` wrote.
        dataset
            Name of the dataset that is expected; None: any.

        Raises
        ------
        DataError
            If it is no finished store of this version, holds another dataset,
            was made under another declaration, is damaged, or has a subject in
            two splits that the protocol keeps apart.
        UnknownNameError
            If `dataset` is not declared.
        """
        card = read_card(path)
        if dataset is not None and card.dataset != datasets[dataset].spec.name:
            raise DataError(f"{path} holds {card.dataset}, not {dataset}")
        if card.dataset not in datasets:
            raise DataError(f"{path} holds {card.dataset}, a dataset that is not declared")
        spec = datasets[card.dataset].spec
        check_declaration(card, spec, path)
        index = read_index(path / INDEX_FILE, card.index_sha256)
        if not index:
            raise DataError(f"{path} holds no recording")
        check_subjects(index, spec, str(path))
        store = cls(path, spec, card, index)
        store.shards.check_files()
        return store

    def __len__(self) -> int:
        """Return the number of windows N."""
        return len(self.labels)

    def indices(self, split: Split) -> npt.NDArray[np.int64]:
        """Return the numbers of the windows that the declared rule gives to `split`, possibly none."""
        return np.flatnonzero(self._codes == _CODES[split])

    def divided(self, rows: Mapping[Split, npt.NDArray[np.int64]], *, rule: str) -> EegStore:
        """Return the same windows with a split of one's own, which is not the published one.

        Parameters
        ----------
        rows
            Numbers of the windows of each split.
        rule
            In words.
        """
        other = copy(self)
        other.card = msgspec.structs.replace(self.card, split_rule=rule, is_published_split=False)
        other._codes = np.full(len(self), _CODES[None], dtype=np.int8)
        for split, numbers in rows.items():
            other._codes[numbers] = _CODES[split]
        return other

    def read(self, indices: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return windows in microvolt: (n, *window_shape).

        Raises
        ------
        IndexError
            If there is no such window.
        """
        rows = np.atleast_1d(np.asarray(indices, dtype=np.int64))
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"{self.path} has the windows 0 to {len(self) - 1}")
        return self.shards.gather(rows)

    def fingerprint(self) -> str:
        """Return a hash of everything in the store: which data a run saw."""
        return self.card.index_sha256[:16]
