"""Writing a store: one file of windows a recording, then the index, then the card.

A store counts as finished by its card, which is written last. While recordings
are being cut, a journal gathers one line for each that is finished; a run that
was killed leaves these recordings for the next one, and no card for them.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from neuroprism.core import strict_json
from neuroprism.core.errors import DataError
from neuroprism.core.files import LineAppender, replace_bytes, replace_with
from neuroprism.eeg.quantise import quantise
from neuroprism.eeg.recordings import Recording, Windows
from neuroprism.eeg.spec import DatasetSpec
from neuroprism.eeg.store_card import CARD_FILE, JOURNAL_FILE, StoreCard, read_card
from neuroprism.eeg.store_index import (
    INDEX_FILE,
    SHARD_FOLDER,
    StoredRecording,
    salvage_index,
    shard_file,
)
from neuroprism.eeg.windows_check import check_windows


def write_recording(
    folder: Path, spec: DatasetSpec, recording: Recording, windows: Windows, files: dict[str, str]
) -> StoredRecording:
    """Check the windows of one recording and write them atomically.

    Parameters
    ----------
    folder
        The store.
    spec
        The declaration.
    recording
        Where the windows come from.
    windows
        What was cut.
    files
        Source files with their SHA-256.

    Raises
    ------
    DataError
        If the windows are not what the declaration says, or cannot be written.
    """
    check_windows(windows, spec, recording.key)
    stored = quantise(windows.values)
    path = folder / shard_file(recording.key)

    def write(file: BinaryIO) -> None:
        np.save(file, np.ascontiguousarray(stored.values), allow_pickle=False)

    try:
        replace_with(path, write)
        digest = file_sha256(path)
        n_bytes = path.stat().st_size
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    return StoredRecording(
        key=recording.key,
        subject=recording.subject,
        session=recording.session,
        group=recording.group,
        provided=recording.provided,
        files=files,
        fingerprint=spec.fingerprint(),
        dtype="int16" if stored.values.dtype == np.int16 else "float32",
        scale_uv=stored.scale_uv,
        n=len(windows),
        n_bytes=n_bytes,
        sha256=digest,
        starts_s=[None if math.isnan(start) else start for start in windows.starts_s.tolist()],
        trials=windows.trials.tolist(),
        labels=windows.labels.tolist(),
        left_out=windows.left_out,
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class StoreWriter:
    """The folder of a store while it is written.

    Parameters
    ----------
    path
        The store; made where it does not exist.

    Raises
    ------
    DataError
        If the folder holds something else, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        refuse_foreign_folder(path)
        self._journal: LineAppender | None = None
        # From the innermost folder outwards, as they would have to be removed.
        self._made = [f for f in (path / SHARD_FOLDER, path, *path.parents) if not f.exists()]

    def left_over(self) -> dict[str, StoredRecording]:
        """Return the intact recordings of earlier runs, whether those came to their end or not."""
        lines = [
            *salvage_index(self.path / INDEX_FILE),
            *salvage_index(self.path / JOURNAL_FILE),
        ]
        return {line.key: line for line in lines if self._is_there(line)}

    def start(self, *, replaced: bool) -> None:
        """Make the folder; the card goes first where recordings that it speaks of are to be replaced.

        Raises
        ------
        DataError
            If the folder cannot be written.
        """
        try:
            (self.path / SHARD_FOLDER).mkdir(parents=True, exist_ok=True)
            if replaced:
                (self.path / CARD_FILE).unlink(missing_ok=True)
            self._journal = LineAppender(self.path / JOURNAL_FILE)
        except OSError as error:
            raise DataError(f"cannot write {self.path}: {error.strerror or error}") from None

    def add(self, recording: StoredRecording) -> None:
        """Note that a recording is finished."""
        assert self._journal is not None
        self._journal.append(strict_json.encode(recording) + b"\n")

    def finish(self, index: bytes, card: StoreCard, recordings: Sequence[StoredRecording]) -> None:
        """Write index and card, and remove what is no part of the store."""
        try:
            # Between index and card the old card would speak of the new index.
            (self.path / CARD_FILE).unlink(missing_ok=True)
            replace_bytes(self.path / INDEX_FILE, index)
            replace_bytes(self.path / CARD_FILE, strict_json.encode_pretty(card))
            self.close()
            (self.path / JOURNAL_FILE).unlink(missing_ok=True)
            ours = {Path(r.file).name for r in recordings}
            for path in (self.path / SHARD_FOLDER).iterdir():
                if path.name not in ours and path.suffix in (".npy", ".tmp"):
                    path.unlink()
        except OSError as error:
            raise DataError(f"cannot write {self.path}: {error.strerror or error}") from None

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def abandon(self) -> None:
        """Close, and remove what this run made where it finished no recording."""
        self.close()
        journal = self.path / JOURNAL_FILE
        with contextlib.suppress(OSError):
            if journal.exists() and not journal.stat().st_size:
                journal.unlink()
            for folder in self._made:
                # Only an empty folder can be removed.
                folder.rmdir()

    def _is_there(self, line: StoredRecording) -> bool:
        try:
            return (self.path / line.file).stat().st_size == line.n_bytes
        except OSError:
            return False


def earlier_card(path: Path, spec: DatasetSpec) -> StoreCard | None:
    """Return the card of the store at `path`, None where there is none yet.

    Raises
    ------
    DataError
        If the store cannot be extended: another dataset, another version, or
        converted from a store of earlier code.
    """
    if not (path / CARD_FILE).exists():
        return None
    card = read_card(path)
    if card.dataset != spec.name:
        raise DataError(f"{path} holds {card.dataset}, not {spec.name}; prepare into another folder")
    if card.made_by != "prepare":
        raise DataError(f"{path} was converted from a store of earlier code; prepare into another folder")
    return card


def refuse_foreign_folder(path: Path) -> None:
    """Refuse a folder that holds something other than a store.

    Raises
    ------
    DataError
        Naming what is in the way.
    """
    try:
        if not path.exists():
            return
        if not path.is_dir():
            raise DataError(f"cannot write a store to {path}: it is a file")
        names = {found.name for found in path.iterdir()}
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    ours = {CARD_FILE, INDEX_FILE, JOURNAL_FILE, SHARD_FOLDER}
    if names and not names & ours:
        raise DataError(f"cannot write a store to {path}: the folder holds other files ({min(names)})")
