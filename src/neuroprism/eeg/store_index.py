"""The index of a store: one line for each recording, with everything about its windows but the signal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from neuroprism.core import strict_json
from neuroprism.core.errors import DataError
from neuroprism.core.files import whole_lines
from neuroprism.core.records import Split
from neuroprism.eeg.recordings import Recording, Skipped
from neuroprism.eeg.spec import DatasetSpec

INDEX_FILE = "index.jsonl"
SHARD_FOLDER = "recordings"
SPLITS: tuple[Split, ...] = ("train", "val", "test")
UNKNOWN_SUBJECT = "unknown"
"""Stands for the subject of windows that earlier code stored under names without one."""


class StoredRecording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recording of a store.

    Attributes
    ----------
    key, subject, session, group, provided
        As in `neuroprism.eeg.recordings.Recording`.
    files
        Source file, relative to the raw folder, to its SHA-256.
    fingerprint
        Of the declaration that the windows were cut under.
    dtype
        Of the stored values.
    scale_uv
        Microvolt of one unit of the stored values.
    n
        Number of windows.
    n_bytes, sha256
        Of the file with the windows.
    starts_s, trials, labels
        (n,) as in `neuroprism.eeg.recordings.Windows`; a start is None where it is not known.
    left_out
        Parts of the recording without a window.
    split
        Split of all windows; None where they belong to none or are given one by one.
    splits
        (n,) split of each window where they differ.
    """

    key: str
    subject: str
    session: str
    group: str
    provided: Split | None
    files: dict[str, str]
    fingerprint: str
    dtype: Literal["int16", "float32"]
    scale_uv: float
    n: int
    n_bytes: int
    sha256: str
    starts_s: list[float | None]
    trials: list[int]
    labels: list[Any]
    left_out: tuple[Skipped, ...] = ()
    split: Split | None = None
    splits: list[Split | None] | None = None

    @property
    def file(self) -> str:
        """Where the windows lie, relative to the store."""
        return shard_file(self.key)

    def window_splits(self) -> list[Split | None]:
        """Return the split of each window."""
        return [self.split] * self.n if self.splits is None else self.splits

    def with_splits(self, splits: Sequence[Split | None]) -> StoredRecording:
        """Return the recording with the split of each window."""
        if len(set(splits)) <= 1:
            return msgspec.structs.replace(self, split=splits[0] if splits else None, splits=None)
        return msgspec.structs.replace(self, split=None, splits=list(splits))

    def as_recording(self) -> Recording:
        """Return the recording as `find` gave it, without its files."""
        return Recording(
            key=self.key,
            paths=(),
            subject=self.subject,
            session=self.session,
            group=self.group,
            provided=self.provided,
        )

    def described_by(self, recording: Recording) -> StoredRecording:
        """Return the recording with subject, session, group and part as `recording` has them now."""
        return msgspec.structs.replace(
            self,
            subject=recording.subject,
            session=recording.session,
            group=recording.group,
            provided=recording.provided,
        )

    def label_array(self, spec: DatasetSpec) -> npt.NDArray[Any]:
        """Return the labels: (n,) or (n, L), int64 or float32 for regression.

        Raises
        ------
        ValueError
            If they do not fit the declaration.
        """
        shape = (self.n,) if spec.sequence_length == 1 else (self.n, spec.sequence_length)
        labels = np.asarray(self.labels, dtype=np.float32 if spec.task == "regression" else np.int64)
        return labels.reshape(shape)


def shard_file(key: str) -> str:
    """Return where the windows of a recording lie, relative to the store."""
    return f"{SHARD_FOLDER}/{key}.npy"


def _decoded(line: bytes) -> StoredRecording:
    """Return a line of an index, whose key names a file of the store and no other."""
    recording = msgspec.json.decode(line, type=StoredRecording)
    if (
        recording.key in ("", "..")
        or Path(recording.key).name != recording.key
        or not recording.key.isprintable()
    ):
        raise msgspec.ValidationError(f"the key '{recording.key}' is no name of a file")
    return recording


def encode_index(recordings: Iterable[StoredRecording]) -> bytes:
    """Return the content of the index, in the order of the keys."""
    ordered = sorted(recordings, key=lambda r: r.key)
    return b"".join(strict_json.encode(recording) + b"\n" for recording in ordered)


def read_index(path: Path, sha256: str) -> list[StoredRecording]:
    """Read the index of a finished store.

    Parameters
    ----------
    path
        The file.
    sha256
        As the card of the store gives it.

    Raises
    ------
    DataError
        If it is missing or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the index {path}: {error.strerror or error}") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{path} is damaged: its SHA-256 is not the one in the card")
    try:
        return [_decoded(line) for line in content.splitlines()]
    except strict_json.UNREADABLE as error:
        raise DataError(f"{path}: {error}") from None


def salvage_index(path: Path) -> list[StoredRecording]:
    """Return the readable lines of an index or journal that an interrupted run left; none without one."""
    found = []
    for line in whole_lines(path):
        try:
            found.append(_decoded(line))
        except strict_json.UNREADABLE:
            # The recording is cut again, as if it had not been finished.
            continue
    return found


def check_subjects(recordings: Iterable[StoredRecording], spec: DatasetSpec, where: str) -> None:
    """Refuse a subject in two splits, unless the protocol has it so.

    Raises
    ------
    DataError
        Naming the subject and the splits.
    """
    if spec.within_subject:
        return
    found: dict[str, set[Split]] = {}
    for recording in recordings:
        if recording.subject != UNKNOWN_SUBJECT:
            splits = {split for split in recording.window_splits() if split is not None}
            found.setdefault(recording.subject, set()).update(splits)
    refuse_shared_subjects(found, spec, where)


def refuse_shared_subjects(found: dict[str, set[Split]], spec: DatasetSpec, where: str) -> None:
    """Refuse subjects that map to more than one split.

    Raises
    ------
    DataError
        Naming the first subject and its splits.
    """
    shared = sorted(subject for subject, splits in found.items() if len(splits) > 1)
    if shared:
        names = " and ".join(name for name in SPLITS if name in found[shared[0]])
        more = f" (and {len(shared) - 1} more)" if len(shared) > 1 else ""
        raise DataError(f"{where}: subject '{shared[0]}'{more} is in {names}; {spec.name} splits by subject")
