"""The card of a store: what was prepared, how, from what, and how it compares with the published dataset."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from neuroprism.core import strict_json
from neuroprism.core.errors import DataError
from neuroprism.eeg.recordings import Skipped
from neuroprism.eeg.spec import RESAMPLING, SAMPLE_RATE_HZ, DatasetSpec
from neuroprism.eeg.store_index import SHARD_FOLDER, SPLITS, UNKNOWN_SUBJECT, StoredRecording
from neuroprism.monitor.run_identity import versions

CARD_FILE = "card.json"
JOURNAL_FILE = "finished.jsonl"
"""Recordings that a run which has not ended yet finished, in the order in which it did."""

FORMAT = "neuroprism.eeg"
SCHEMA_VERSION = 1
UNUSED = "unused"
"""Name of the windows that belong to no split."""


class StoreCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds.

    Attributes
    ----------
    format, version
        Of the store.
    dataset, title, task, class_names, channels, label_rule, licence, citation
        As declared.
    fingerprint
        Of the declaration, see `DatasetSpec.fingerprint`.
    made_by
        `prepare` from raw recordings, or `import` from a store of earlier code.
    window_shape
        Of one sample, (C, T) or (L, C, T), in `unit` at `sample_rate_hz`.
    preprocessing
        As declared, field by field, and the method of resampling where that is known.
    split_rule
        In words.
    is_published_split
        Whether it is the published rule over all recordings of the dataset.
    counts
        Samples by split; `unused`: in none.
    classes
        Labels by split and class; empty for regression.
    subjects
        Identifiers by split; `unused`: in none.
    expected, verdict
        Published samples by split, and how the store compares, in words.
    skipped
        Files that belong to no recording, with the reason.
    bad
        Recordings that could not be prepared and were left out on request.
    left_out
        Number of parts of recordings without a window, by reason.
    notes
        What else a reader must know.
    versions
        Of Python and packages.
    index_sha256
        Of the index.
    """

    format: str
    version: int
    dataset: str
    title: str
    fingerprint: str
    made_by: Literal["prepare", "import"]
    task: str
    class_names: tuple[str, ...]
    channels: tuple[str, ...]
    unit: str
    sample_rate_hz: int
    window_shape: tuple[int, ...]
    preprocessing: dict[str, Any]
    label_rule: str
    split_rule: str
    is_published_split: bool
    n_recordings: int
    n_subjects: int
    n_subjects_of_dataset: int
    counts: dict[str, int]
    classes: dict[str, dict[str, int]]
    subjects: dict[str, list[str]]
    expected: dict[str, int]
    verdict: str
    skipped: tuple[Skipped, ...]
    bad: tuple[Skipped, ...]
    left_out: dict[str, int]
    notes: tuple[str, ...]
    licence: str
    citation: str
    versions: dict[str, str]
    index_sha256: str


def make_card(
    spec: DatasetSpec,
    recordings: Sequence[StoredRecording],
    index: bytes,
    *,
    made_by: Literal["prepare", "import"],
    split_rule: str,
    is_published_split: bool,
    is_complete: bool,
    skipped: Sequence[Skipped] = (),
    bad: Sequence[Skipped] = (),
    notes: Sequence[str] = (),
) -> StoreCard:
    """Describe a store.

    Parameters
    ----------
    spec
        The declaration.
    recordings
        Everything in the index, with splits.
    index
        Content of the index.
    made_by, split_rule, is_published_split, skipped, bad, notes
        As in `StoreCard`.
    is_complete
        Whether every subject of the dataset is there.
    """
    counts = _counts(recordings)
    n_subjects = len({r.subject for r in recordings} - {UNKNOWN_SUBJECT})
    return StoreCard(
        format=FORMAT,
        version=SCHEMA_VERSION,
        dataset=spec.name,
        title=spec.title,
        fingerprint=spec.fingerprint(),
        made_by=made_by,
        task=spec.task,
        class_names=spec.class_names,
        channels=spec.channels,
        unit="microvolt",
        sample_rate_hz=SAMPLE_RATE_HZ,
        window_shape=spec.window_shape,
        preprocessing=_preprocessing(spec, made_by),
        label_rule=spec.label_rule,
        split_rule=split_rule,
        is_published_split=is_published_split,
        n_recordings=len(recordings),
        n_subjects=n_subjects,
        n_subjects_of_dataset=spec.n_subjects,
        counts=counts,
        classes=_classes(recordings, spec),
        subjects=_subjects(recordings),
        expected={name: spec.expected[name] for name in SPLITS if name in spec.expected},
        verdict=verdict(spec, counts, n_subjects, is_complete=is_complete),
        skipped=tuple(skipped),
        bad=tuple(bad),
        left_out=dict(sorted(Counter(part.reason for r in recordings for part in r.left_out).items())),
        notes=tuple(notes),
        licence=spec.licence,
        citation=spec.citation,
        versions=versions(),
        index_sha256=hashlib.sha256(index).hexdigest(),
    )


def verdict(spec: DatasetSpec, counts: Mapping[str, int], n_subjects: int, *, is_complete: bool) -> str:
    """Say how the counts compare with the published ones."""
    if not is_complete:
        extent = f"{n_subjects} of {spec.n_subjects} subjects"
        if not n_subjects:
            extent = "how many subjects is not known"
        elif n_subjects >= spec.n_subjects:
            extent += ", but not every recording"
        return f"part of the dataset: {extent}"
    if not spec.expected:
        return f"complete: {n_subjects} subjects; no counts are published"
    differing = [
        f"{name} {counts.get(name, 0):,} instead of {spec.expected[name]:,}"
        for name in SPLITS
        if name in spec.expected and counts.get(name, 0) != spec.expected[name]
    ]
    if not differing:
        return "complete: equals the published counts"
    return "complete, but differs from the published counts: " + ", ".join(differing)


def read_card(path: Path) -> StoreCard:
    """Read the card of the store at `path`.

    Raises
    ------
    DataError
        If there is no finished store of this version.
    """
    file = path / CARD_FILE
    try:
        content = msgspec.json.decode(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(_why_no_card(path)) from None
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from None
    except strict_json.UNREADABLE:
        raise DataError(f"{file} is damaged: it is not JSON") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{file} does not describe an EEG store of neuroprism")
    if content.get("version") != SCHEMA_VERSION:
        raise DataError(
            f"{path} has store version {content.get('version')}; this program reads version "
            f"{SCHEMA_VERSION}: prepare it again into a new folder"
        )
    try:
        return msgspec.convert(content, StoreCard)
    except msgspec.ValidationError as error:
        raise DataError(f"{file}: {error}") from None


def check_declaration(card: StoreCard, spec: DatasetSpec, path: Path) -> None:
    """Refuse a store that was made under another declaration than the present one.

    Raises
    ------
    DataError
        Naming what differs, as far as the card tells.
    """
    if card.fingerprint == spec.fingerprint():
        return
    now = {
        "channels": spec.channels,
        "class_names": spec.class_names,
        "window_shape": spec.window_shape,
        "preprocessing": _preprocessing(spec, card.made_by),
    }
    differing = [name for name, value in now.items() if getattr(card, name) != value]
    raise DataError(
        f"{path} was prepared under another declaration of {spec.name}"
        + (f" (other {', '.join(differing)})" if differing else "")
        + "; prepare it again into a new folder"
    )


def _preprocessing(spec: DatasetSpec, made_by: str) -> dict[str, Any]:
    """Return what was done to recordings before windows were cut; how earlier code resampled is unknown."""
    resampled = made_by == "prepare" and any(rate != SAMPLE_RATE_HZ for rate in spec.source_rates_hz)
    return asdict(spec.preprocessing) | ({"resampling": RESAMPLING} if resampled else {})


def _why_no_card(path: Path) -> str:
    if not path.is_dir():
        return f"no store at {path}: {'it is a file' if path.exists() else 'there is no such folder'}"
    if (path / JOURNAL_FILE).exists() or (path / SHARD_FOLDER).is_dir():
        return f"{path}: preparing this store did not finish; run it again (finished recordings are reused)"
    if (path / "data.mdb").exists():
        return f"{path} is an LMDB of earlier code; convert it with `neuroprism import-lmdb`"
    return f"{path} is not a prepared store: it has no {CARD_FILE}; `neuroprism prepare` makes one"


def _counts(recordings: Sequence[StoredRecording]) -> dict[str, int]:
    found = Counter(split or UNUSED for r in recordings for split in r.window_splits())
    return {name: found[name] for name in (*SPLITS, UNUSED) if name != UNUSED or found[name]}


def _classes(recordings: Sequence[StoredRecording], spec: DatasetSpec) -> dict[str, dict[str, int]]:
    if spec.task == "regression":
        return {}
    n = {name: np.zeros(len(spec.class_names), dtype=np.int64) for name in (*SPLITS, UNUSED)}
    for recording in recordings:
        labels = recording.label_array(spec)
        splits = np.array([split or UNUSED for split in recording.window_splits()])
        for name in set(splits.tolist()):
            n[name] += np.bincount(labels[splits == name].ravel(), minlength=len(spec.class_names))
    return {
        name: dict(zip(spec.class_names, row.tolist(), strict=True))
        for name, row in n.items()
        if name != UNUSED or row.any()
    }


def _subjects(recordings: Sequence[StoredRecording]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {name: set() for name in SPLITS}
    for recording in recordings:
        for split in set(recording.window_splits()):
            if split is not None:
                found[split].add(recording.subject)
    used = set().union(*found.values())
    if unused := {r.subject for r in recordings} - used:
        found[UNUSED] = unused
    return {name: sorted(names) for name, names in found.items()}
