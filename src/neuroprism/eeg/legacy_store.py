"""Converting a store of earlier code."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import ConfigError, DataError
from neuroprism.core.records import Split
from neuroprism.eeg.checks import LARGEST_UV, amplitude_uv
from neuroprism.eeg.dataset_registry import Dataset
from neuroprism.eeg.legacy_names import LegacyName, natural_order, parse_name
from neuroprism.eeg.legacy_samples import LegacyKey, LegacySample, LegacySamples, open_samples
from neuroprism.eeg.preparation_report import PrepareReport
from neuroprism.eeg.recordings import Recording, Windows
from neuroprism.eeg.signal import resample
from neuroprism.eeg.spec import DatasetSpec
from neuroprism.eeg.store_card import CARD_FILE, StoreCard, make_card
from neuroprism.eeg.store_index import (
    SPLITS,
    UNKNOWN_SUBJECT,
    StoredRecording,
    check_subjects,
    encode_index,
)
from neuroprism.eeg.store_writer import StoreWriter, write_recording
from neuroprism.eeg.workers import Workers

STORED_RATES_HZ = {"CHB-MIT": 256.0}
"""Datasets whose windows earlier code stored at the rate of the files and resampled at every access."""

FIRST_LABELS = {"TUEV": 1}
"""Datasets whose stored labels do not begin at 0."""

LEAST_AMPLITUDE_UV = 0.5
"""Scalp EEG lies well above this; below it, values were divided before they were stored."""

BLOCK = 500
"""Samples of one stored recording where the names do not tell the recordings apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LegacyGroup:
    """Samples that become one stored recording."""

    name: LegacyName
    keys: Sequence[LegacyKey]


def import_legacy(
    dataset: Dataset, old: Path, out_dir: Path, *, factor: float = 1.0, progress: bool = True
) -> PrepareReport:
    """Convert an LMDB, folders of pickled windows, or pairs of arrays into a store.

    The splits are those of the old store, or the declared rule where it has
    none (ISRUC). Subjects are read from the names of the samples; where these
    do not tell them, they are unknown and the card says so.

    Parameters
    ----------
    dataset
        What was stored.
    old
        Folder of the old store.
    out_dir
        Folder of the new one; new, empty, or left by a conversion that did not end.
    factor
        Stored values times this are microvolt.
    progress
        Show a bar where there is a terminal.

    Raises
    ------
    DataError
        One line for the first thing that is wrong; no store is left then.
    ConfigError
        If `factor` is not a positive number.
    """
    if not 0 < factor < float("inf"):
        raise ConfigError(f"factor: {factor:g}; a positive number that turns stored values into microvolt")
    spec = dataset.spec
    with closing(open_samples(old, spec)) as samples:
        groups = list(_groups(spec, samples.keys(), old))
        splits = _Splits(spec, groups)
        writer = StoreWriter(out_dir)
        if (out_dir / CARD_FILE).exists():
            raise DataError(f"{out_dir} holds a store already; convert into another folder")
        convert = _Converter(spec, samples, old, out_dir, splits, factor)
        stored: list[StoredRecording] = []
        try:
            writer.start(replaced=False)
            for _, recording in Workers(1, progress=progress).run("Converting", convert, groups):
                stored.append(recording)
            check_subjects(stored, spec, str(old))
            card = _finish(writer, spec, stored, splits)
        except BaseException:
            for recording in stored:
                (out_dir / recording.file).unlink(missing_ok=True)
            writer.abandon()
            raise
    return PrepareReport(
        card=card,
        source=old,
        store=out_dir,
        n_found=len(groups),
        n_cut=len(stored),
        n_unchanged=0,
        n_bytes=sum(recording.n_bytes for recording in stored),
    )


class _Splits:
    """Which split each sample belongs to: as stored, or by the declared rule where nothing is stored."""

    def __init__(self, spec: DatasetSpec, groups: Sequence[LegacyGroup]) -> None:
        self.are_stored = all(key.split is not None for group in groups for key in group.keys)
        self.rule = "as the store of earlier code has it" if self.are_stored else spec.split.text
        if not self.are_stored:
            self._plan = spec.split.plan([recording_of(group) for group in groups])

    def of(self, group: LegacyGroup) -> list[Split | None]:
        """Return the split of each sample of a group."""
        if self.are_stored:
            return [key.split for key in group.keys]
        recording = recording_of(group)
        return [self._plan(recording, trial) for trial in range(len(group.keys))]


def recording_of(group: LegacyGroup) -> Recording:
    """Describe the samples of a group as one recording."""
    name = group.name
    return Recording(key=name.recording, paths=(), subject=name.subject, session=name.session)


class _Converter:
    """Turns the samples of one recording into windows and writes them."""

    def __init__(
        self,
        spec: DatasetSpec,
        samples: LegacySamples,
        old: Path,
        out_dir: Path,
        splits: _Splits,
        factor: float,
    ) -> None:
        self._spec, self._samples, self._old, self._out = spec, samples, old, out_dir
        self._splits, self._factor = splits, factor

    def __call__(self, group: LegacyGroup) -> StoredRecording:
        digest = hashlib.sha256()
        values, labels = [], []
        for key in group.keys:
            sample = self._samples.read(key)
            where = f"{self._old}: {key.name}"
            values.append(self._values(sample, where))
            labels.append(_labels(sample.label, self._spec, where))
            digest.update(sample.digest)
        n = len(values)
        windows = Windows(
            values=np.stack(values),
            labels=np.stack(labels),
            # The old stores do not say when in the recording a window begins.
            starts_s=np.full(n, np.nan),
            trials=np.arange(n),
        )
        self._check_unit(windows.values, group)
        files = {f"{self._old.name}: {n} samples": digest.hexdigest()}
        stored = write_recording(self._out, self._spec, recording_of(group), windows, files)
        return stored.with_splits(self._splits.of(group))

    def _values(self, sample: LegacySample, where: str) -> npt.NDArray[np.float32]:
        """Return a window in microvolt at 200 Hz, (C, T) or (L, C, T)."""
        spec = self._spec
        values = np.asarray(sample.values, dtype=np.float64)
        patched = (*spec.window_shape[:-1], spec.n_patches, spec.n_times // spec.n_patches)
        rate = STORED_RATES_HZ.get(spec.name)
        if rate is not None and values.shape == (*spec.window_shape[:-1], round(rate * spec.n_patches)):
            values = resample(values, rate)
        if values.shape == patched:
            values = values.reshape(spec.window_shape)
        if values.shape != spec.window_shape:
            raise DataError(f"{where}: sample of shape {values.shape}; {spec.name} declares {patched}")
        scaled: npt.NDArray[np.float32] = (values * self._factor).astype(np.float32)
        return scaled

    def _check_unit(self, values: npt.NDArray[np.float32], group: LegacyGroup) -> None:
        rows = np.moveaxis(values, -2, 0).reshape(self._spec.n_channels, -1)
        amplitudes = amplitude_uv(rows)
        where = f"{self._old}: {group.keys[0].name}"
        if np.isfinite(amplitudes).all() and not LEAST_AMPLITUDE_UV <= amplitudes.max() <= LARGEST_UV:
            raise DataError(
                f"{where}: amplitudes of at most {amplitudes.max():.2g} do not look like microvolt; "
                "say with --factor what the stored values are to be multiplied by"
            )


def _labels(label: Any, spec: DatasetSpec, where: str) -> npt.NDArray[Any]:
    """Return the label of a sample: a number, or (L,) for sequences."""
    n = spec.sequence_length
    values = np.asarray(label)
    if values.size != n or values.dtype.kind not in "iufb":
        raise DataError(f"{where}: a label of shape {values.shape}; expected {n if n > 1 else 'one'} number")
    values = values.reshape((n,) if n > 1 else ())
    if spec.task == "regression":
        return values.astype(np.float32)
    if not np.array_equal(values, np.rint(values)):
        raise DataError(f"{where}: the label {label} is not a whole number")
    return values.astype(np.int64) - FIRST_LABELS.get(spec.name, 0)


def _groups(spec: DatasetSpec, keys: Sequence[LegacyKey], old: Path) -> Iterator[LegacyGroup]:
    """Yield the samples by recording; those of which the names tell nothing in blocks by split."""
    if not keys:
        raise DataError(f"{old}: the store of earlier code holds no sample")
    seen: dict[str, Split | None] = {}
    found: dict[LegacyName, list[LegacyKey]] = defaultdict(list)
    nameless: dict[Split | None, list[LegacyKey]] = defaultdict(list)
    for key in sorted(keys, key=lambda k: natural_order(k.name)):
        if key.name in seen:
            raise DataError(f"{old}: '{key.name}' is listed twice ({seen[key.name]} and {key.split})")
        seen[key.name] = key.split
        name = parse_name(spec.name, Path(key.name).name)
        if not name.recording:
            # Arrays may be named by their number alone, in a folder that says the rest.
            name = parse_name(spec.name, key.name)
        (found[name] if name.recording else nameless[key.split]).append(key)
    for name in sorted(found, key=lambda n: n.recording):
        yield LegacyGroup(name=name, keys=found[name])
    for split in (*SPLITS, None):
        members = nameless.get(split, [])
        for number, start in enumerate(range(0, len(members), BLOCK)):
            block = LegacyName(f"{split}_{number:04d}", UNKNOWN_SUBJECT)
            yield LegacyGroup(name=block, keys=members[start : start + BLOCK])


def _finish(
    writer: StoreWriter, spec: DatasetSpec, stored: Sequence[StoredRecording], splits: _Splits
) -> StoreCard:
    counts = dict.fromkeys(SPLITS, 0)
    for recording in stored:
        for split in recording.window_splits():
            if split is not None:
                counts[split] += 1
    notes = ["Converted from a store of earlier code, whose filters may differ from the declared ones."]
    n_unknown = sum(r.n for r in stored if r.subject == UNKNOWN_SUBJECT)
    if n_unknown:
        notes.append(
            f"The names of {n_unknown:,} samples do not tell their subject: whether a subject is in two "
            "splits could not be checked, and results by subject mean nothing for them."
        )
    is_complete = bool(spec.expected) and all(counts[name] == n for name, n in spec.expected.items())
    index = encode_index(stored)
    card = make_card(
        spec,
        stored,
        index,
        made_by="import",
        split_rule=splits.rule,
        is_published_split=is_complete,
        is_complete=is_complete,
        notes=notes,
    )
    writer.finish(index, card, stored)
    return card
