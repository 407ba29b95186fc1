"""From raw recordings to a store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuroprism.core.errors import DataError
from neuroprism.core.records import Split
from neuroprism.eeg.dataset_registry import Dataset
from neuroprism.eeg.preparation_report import PrepareReport
from neuroprism.eeg.recordings import Found, Recording, Skipped
from neuroprism.eeg.spec import DatasetSpec
from neuroprism.eeg.split_rules import BySortedFiles, SplitPlan
from neuroprism.eeg.store_card import StoreCard, make_card
from neuroprism.eeg.store_index import StoredRecording, check_subjects, encode_index, refuse_shared_subjects
from neuroprism.eeg.store_writer import StoreWriter, earlier_card, file_sha256, write_recording
from neuroprism.eeg.workers import Workers

SHOWN_SUBJECTS = 40
"""Subjects that an error message lists at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawSource:
    """What a worker needs to cut a recording."""

    dataset: Dataset
    raw: Path
    out: Path

    def hashes(self, recording: Recording) -> dict[str, str]:
        """Return the SHA-256 of each source file by its path below the raw folder.

        Raises
        ------
        DataError
            If a file cannot be read.
        """
        found = {}
        for path in recording.paths:
            name = path.relative_to(self.raw) if path.is_relative_to(self.raw) else path
            try:
                found[name.as_posix()] = file_sha256(path)
            except OSError as error:
                raise DataError(f"{path}: {error.strerror or error}") from None
        return found

    def is_unchanged(self, pair: tuple[Recording, StoredRecording]) -> bool:
        """Tell whether a stored recording is what cutting the source again would give."""
        recording, stored = pair
        if stored.fingerprint != self.dataset.spec.fingerprint():
            return False
        try:
            return self.hashes(recording) == stored.files and (
                file_sha256(self.out / stored.file) == stored.sha256
            )
        except (DataError, OSError):
            # Cutting it again says what is wrong.
            return False

    def cut(self, recording: Recording) -> StoredRecording | str:
        """Cut and store one recording; return why where that cannot be done."""
        try:
            files = self.hashes(recording)
            windows = self.dataset.cut(recording)
            return write_recording(self.out, self.dataset.spec, recording, windows, files)
        except DataError as error:
            return str(error)


def prepare(
    dataset: Dataset,
    raw_dir: Path,
    out_dir: Path,
    *,
    subjects: Sequence[str] | None = None,
    jobs: int = 1,
    skip_bad: bool = False,
    progress: bool = True,
) -> PrepareReport:
    """Cut the windows of every recording below `raw_dir` into the store at `out_dir`.

    A recording that an earlier run finished is not cut again while its source
    files and the declaration are the same. What the store already holds stays,
    so that it grows with further subjects. The split is decided over all
    recordings in the folder or in the store, chosen or not.

    Parameters
    ----------
    dataset
        The declaration with its readers.
    raw_dir
        Raw folder.
    out_dir
        Folder of the store; new, empty, or one that was prepared before.
    subjects
        Prepare these only.
    jobs
        Recordings that are cut at the same time, each in a process of its own.
    skip_bad
        Leave out a recording that cannot be prepared and name it in the card,
        instead of ending with its error.
    progress
        Show a bar where there is a terminal.

    Raises
    ------
    DataError
        One line for the first thing that is wrong. Recordings that were
        finished stay for the next run; the store opens as it was before, if it
        did and none of its recordings was to be replaced, or not at all.
    """
    spec = dataset.spec
    workers = Workers(jobs, progress=progress)
    found = _find(dataset, raw_dir)
    chosen = {r.key: r for r in _choose(found.recordings, subjects, raw_dir)}
    writer = StoreWriter(out_dir)
    card = earlier_card(out_dir, spec)
    earlier = writer.left_over()
    known = {key: line.as_recording() for key, line in earlier.items()}
    known |= {r.key: r for r in found.recordings}
    plan = spec.split.plan(list(known.values()))
    _check_plan(known.values(), plan, spec, raw_dir)
    source = RawSource(dataset=dataset, raw=raw_dir, out=out_dir)
    pairs = [(r, earlier[r.key]) for r in chosen.values() if r.key in earlier]
    unchanged = {p[0].key for p, same in workers.run("Checking", source.is_unchanged, pairs) if same}
    kept = [line for key, line in earlier.items() if key in unchanged or key not in chosen]
    _refuse_outdated(kept, spec, out_dir)
    due = [r for r in chosen.values() if r.key not in unchanged]
    try:
        writer.start(replaced=any(r.key in earlier for r in due))
        cut, bad = _cut(source, writer, workers, due, skip_bad=skip_bad)
        bad += [b for b in (card.bad if card else ()) if b.what not in chosen]
        stored = [_placed(line.described_by(known[line.key]), plan) for line in (*kept, *cut)]
        new_card = _finish(writer, spec, stored, found.skipped, bad, source=raw_dir, n_known=len(known))
    except BaseException:
        writer.abandon()
        raise
    return PrepareReport(
        card=new_card,
        source=raw_dir,
        store=out_dir,
        n_found=len(found.recordings),
        n_cut=len(cut),
        n_unchanged=len(unchanged),
        n_bytes=sum(line.n_bytes for line in stored),
        moved=tuple(_moved(earlier, stored)),
    )


def _find(dataset: Dataset, raw_dir: Path) -> Found:
    """Return what is in the raw folder, with keys that are unique file names."""
    if not raw_dir.is_dir():
        raise DataError(f"no raw folder at {raw_dir}")
    found = dataset.find(raw_dir)
    if not found.recordings:
        raise DataError(
            f"{raw_dir}: no recording of {dataset.spec.name} found; expected: {dataset.spec.raw_layout}"
        )
    keys: set[str] = set()
    for recording in found.recordings:
        if recording.key in keys:
            raise DataError(f"{raw_dir}: two recordings are named '{recording.key}'")
        if Path(recording.key).name != recording.key:
            raise DataError(f"{raw_dir}: '{recording.key}' cannot be a file name")
        keys.add(recording.key)
    return found


def _choose(
    recordings: Sequence[Recording], subjects: Sequence[str] | None, raw_dir: Path
) -> list[Recording]:
    """Return the recordings of the chosen subjects in the order of their keys."""
    ordered = sorted(recordings, key=lambda r: r.key)
    if subjects is None:
        return ordered
    there = sorted({r.subject for r in recordings})
    if unknown := sorted(set(subjects) - set(there)):
        shown = ", ".join(there[:SHOWN_SUBJECTS])
        if len(there) > SHOWN_SUBJECTS:
            shown += f", ... {there[-1]} ({len(there)} in all)"
        raise DataError(f"{raw_dir}: no subject {', '.join(unknown)}; there are {shown}")
    return [r for r in ordered if r.subject in subjects]


def _check_plan(recordings: Iterable[Recording], plan: SplitPlan, spec: DatasetSpec, raw_dir: Path) -> None:
    """Refuse a subject in two splits before hours are spent on cutting."""
    if spec.within_subject:
        return
    found: dict[str, set[Split]] = {}
    for recording in recordings:
        if (split := plan(recording, 0)) is not None:
            found.setdefault(recording.subject, set()).add(split)
    refuse_shared_subjects(found, spec, str(raw_dir))


def _refuse_outdated(kept: Iterable[StoredRecording], spec: DatasetSpec, out_dir: Path) -> None:
    """Refuse to mix recordings that were cut under two declarations."""
    outdated = [line.key for line in kept if line.fingerprint != spec.fingerprint()]
    if outdated:
        raise DataError(
            f"{out_dir}: {len(outdated)} recordings (e.g. {outdated[0]}) were cut under another declaration "
            f"of {spec.name}; prepare into a new folder"
        )


def _cut(
    source: RawSource, writer: StoreWriter, workers: Workers, due: Sequence[Recording], *, skip_bad: bool
) -> tuple[list[StoredRecording], list[Skipped]]:
    """Cut recordings; the first bad one, in the order of `due`, ends it unless such are skipped."""
    cut: list[StoredRecording] = []
    bad: dict[str, str] = {}
    for recording, outcome in workers.run("Preparing", source.cut, due):
        if isinstance(outcome, StoredRecording):
            writer.add(outcome)
            cut.append(outcome)
        else:
            bad[recording.key] = outcome
            if not skip_bad:
                workers.stop()
    if bad and not skip_bad:
        raise DataError(bad[min(bad)])
    return cut, [Skipped(what=key, reason=reason) for key, reason in bad.items()]


def _finish(
    writer: StoreWriter,
    spec: DatasetSpec,
    stored: Sequence[StoredRecording],
    skipped: Sequence[Skipped],
    bad: Sequence[Skipped],
    *,
    source: Path,
    n_known: int,
) -> StoreCard:
    """Write index and card over all recordings and return the card."""
    check_subjects(stored, spec, str(source))
    if not any(line.n for line in stored):
        raise DataError(f"{source}: no window of {spec.name} could be cut")
    is_complete = not bad and len(stored) == n_known and _is_whole(spec, stored)
    index = encode_index(stored)
    card = make_card(
        spec,
        stored,
        index,
        made_by="prepare",
        split_rule=spec.split.text,
        is_published_split=is_complete,
        is_complete=is_complete,
        skipped=skipped,
        bad=sorted(bad, key=lambda b: b.what),
    )
    writer.finish(index, card, stored)
    return card


def _placed(line: StoredRecording, plan: SplitPlan) -> StoredRecording:
    recording = line.as_recording()
    return line.with_splits([plan(recording, trial) for trial in line.trials])


def _is_whole(spec: DatasetSpec, stored: Sequence[StoredRecording]) -> bool:
    """Tell whether every subject of the dataset is there, and every file that the split counts."""
    if len({line.subject for line in stored}) < spec.n_subjects:
        return False
    recordings = [line.as_recording() for line in stored]
    return not isinstance(spec.split, BySortedFiles) or spec.split.is_exact(recordings)


def _moved(earlier: dict[str, StoredRecording], stored: Iterable[StoredRecording]) -> Iterable[str]:
    """Yield the stored recordings that are in other splits than before."""
    for line in stored:
        before = earlier.get(line.key)
        if before is None or (before.split is None and before.splits is None):
            continue
        if before.window_splits() != line.window_splits():
            yield line.key
