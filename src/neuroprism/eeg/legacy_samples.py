"""The samples that earlier code stored, in each of its layouts.

Pickles are read by `neuroprism.core.restricted_pickle`, arrays without pickles.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neuroprism.core import npy_file
from neuroprism.core.errors import DataError
from neuroprism.core.records import Split
from neuroprism.core.restricted_pickle import load_restricted
from neuroprism.eeg.legacy_names import natural_order
from neuroprism.eeg.lmdb_trial import refuse_damaged_lmdb
from neuroprism.eeg.spec import DatasetSpec

PICKLE_FOLDERS: dict[str, Split] = {
    "train": "train",
    "val": "val",
    "test": "test",
    "processed_train": "train",
    "processed_eval": "val",
    "processed_test": "test",
}
"""Folders of pickled windows. The evaluation part of TUEV is its test; `processed_eval` is the validation."""

PICKLE_KEYS = (("X", "y"), ("signal", "label"), ("sample", "label"))
"""Names of signal and label in a pickled dict."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LegacySample:
    """One sample as it was stored.

    Attributes
    ----------
    values, label
        As stored.
    digest
        SHA-256 of the stored bytes.
    """

    values: npt.NDArray[Any]
    label: Any
    digest: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class LegacyKey:
    """The name of a sample, and the split that it was stored for; None where none is stored."""

    name: str
    split: Split | None


class LegacySamples(Protocol):
    """A store of earlier code."""

    def keys(self) -> list[LegacyKey]:
        """Return all samples, in an order that depends on their names alone."""

    def read(self, key: LegacyKey) -> LegacySample:
        """Read one sample; DataError where it is missing, damaged or asks for code."""

    def close(self) -> None:
        """Let go of the store."""


def open_samples(path: Path, spec: DatasetSpec) -> LegacySamples:
    """Find out which layout lies at `path`.

    Raises
    ------
    DataError
        If it is none of them.
    """
    if (path / "data.mdb").is_file() or path.suffix == ".mdb":
        return LmdbSamples(path)
    if any((path / name).is_dir() for name in PICKLE_FOLDERS):
        return PickledSamples(path)
    if (path / "seq").is_dir() and (path / "labels").is_dir():
        return SequencePairs(path)
    if not path.exists():
        raise DataError(f"no store of earlier code at {path}")
    raise DataError(
        f"{path}: no store of earlier code for {spec.name}; expected an LMDB (data.mdb), folders train, val "
        "and test (or processed_train, processed_eval, processed_test) of .pkl files, or seq and labels"
    )


class LmdbSamples:
    """An LMDB with one pickled dict a sample, and the keys of the splits under ``__keys__``."""

    def __init__(self, path: Path) -> None:
        import lmdb

        refuse_damaged_lmdb(path)
        self._path = path
        try:
            self._environment = lmdb.open(
                str(path), subdir=path.is_dir(), readonly=True, lock=False, readahead=False, max_readers=1
            )
            self._transaction = self._environment.begin()
        except lmdb.Error as error:
            raise DataError(f"{path}: not a readable LMDB: {error}") from None

    def close(self) -> None:
        """Close the environment, which a process can open only once at a time."""
        self._transaction.abort()
        self._environment.close()

    def keys(self) -> list[LegacyKey]:
        """Return the keys of ``__keys__``."""
        where = f"{self._path}: __keys__"
        content = _loaded(self._value("__keys__"), where)
        if not isinstance(content, dict) or not set(content) <= {"train", "val", "test"}:
            raise DataError(f"{where} is not a dict of the splits train, val and test")
        found = []
        for split, names in content.items():
            if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
                raise DataError(f"{where}: '{split}' is not a list of names")
            found += [LegacyKey(name=name, split=split) for name in names]
        return found

    def read(self, key: LegacyKey) -> LegacySample:
        """Read one sample."""
        content = self._value(key.name)
        return _sample(_loaded(content, f"{self._path}: {key.name}"), content, f"{self._path}: {key.name}")

    def _value(self, key: str) -> bytes:
        value = self._transaction.get(key.encode())
        if value is None:
            raise DataError(f"{self._path}: the LMDB has no entry '{key}'")
        content: bytes = value
        return content


class PickledSamples:
    """Folders for the splits with one pickled dict a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keys(self) -> list[LegacyKey]:
        """Return the files by their path."""
        return [
            LegacyKey(name=f"{folder}/{file}", split=split)
            for folder, split in PICKLE_FOLDERS.items()
            for file in sorted((p.name for p in (self._path / folder).glob("*.pkl")), key=natural_order)
        ]

    def read(self, key: LegacyKey) -> LegacySample:
        """Read one file."""
        path = self._path / key.name
        content = _bytes(path)
        return _sample(_loaded(content, str(path)), content, str(path))

    def close(self) -> None:
        """Let go of nothing: no file stays open."""


class SequencePairs:
    """Sequences of sleep epochs and their labels: arrays in two folders, paired by folder and number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._signals = self._found("seq")
        self._labels = self._found("labels")

    def keys(self) -> list[LegacyKey]:
        """Return the signals, each of which has its labels.

        Raises
        ------
        DataError
            Naming the first array without a partner.
        """
        if alone := sorted(self._signals.keys() ^ self._labels.keys()):
            missing = "labels" if alone[0] in self._signals else "signal"
            name = (self._signals | self._labels)[alone[0]]
            raise DataError(f"{name} has no {missing} ({len(alone)} arrays without a partner)")
        return [
            LegacyKey(name=path.relative_to(self._path / "seq").as_posix(), split=None)
            for _, path in sorted(self._signals.items())
        ]

    def read(self, key: LegacyKey) -> LegacySample:
        """Read one pair."""
        signal = self._path / "seq" / key.name
        labels = self._labels[_identifier(signal)]
        digest = hashlib.sha256(_bytes(signal) + _bytes(labels)).digest()
        return LegacySample(values=_array(signal), label=_array(labels), digest=digest)

    def close(self) -> None:
        """Let go of nothing: no file stays open."""

    def _found(self, folder: str) -> dict[tuple[str, tuple[int, ...]], Path]:
        found: dict[tuple[str, tuple[int, ...]], Path] = {}
        for path in sorted((self._path / folder).glob("*/*.npy")):
            if other := found.get(_identifier(path)):
                raise DataError(f"{path}: numbered like {other.name}, so that no pair can be told")
            found[_identifier(path)] = path
        return found


def _identifier(path: Path) -> tuple[str, tuple[int, ...]]:
    """Return what an array shares with its partner: the folder, and the numbers in the name."""
    return path.parent.name, natural_order(path.stem)[1]


def _array(path: Path) -> npt.NDArray[Any]:
    try:
        with path.open("rb") as file:
            return npy_file.read_array(file, path.stat().st_size)
    except npy_file.FAULTS as error:
        raise DataError(f"{path}: not a readable array: {' '.join(str(error).split())}") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _loaded(content: bytes, where: str) -> Any:
    try:
        return load_restricted(content)
    except DataError as error:
        raise DataError(f"{where}: {str(error).removeprefix('pickled data: ')}") from None


def _sample(content: Any, stored: bytes, where: str) -> LegacySample:
    """Return the signal and the label of a pickled dict."""
    for signal, label in PICKLE_KEYS:
        if isinstance(content, dict) and signal in content and label in content:
            values = np.asarray(content[signal])
            if values.dtype.kind not in "iuf":
                raise DataError(f"{where}: '{signal}' is not an array of numbers")
            return LegacySample(values=values, label=content[label], digest=hashlib.sha256(stored).digest())
    raise DataError(f"{where}: not a dict with a signal and a label")
