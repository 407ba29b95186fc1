"""Rules by which recordings or trials belong to training, validation and test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from neuroprism.core.errors import DataError
from neuroprism.core.records import Split
from neuroprism.eeg.recordings import Recording

SplitPlan = Callable[[Recording, int], Split | None]
"""Split of a trial of a recording; None where the protocol uses it in no split."""


class SplitRule(Protocol):
    """A rule, as a dataset declares it."""

    @property
    def text(self) -> str:
        """The rule in words, for cards and manifests."""

    def plan(self, recordings: Sequence[Recording]) -> SplitPlan:
        """Decide for these recordings.

        Raises
        ------
        DataError
            If a recording does not say what the rule needs.
        """


@dataclass(frozen=True, slots=True)
class BySubjectNumber:
    """Ranges of subject numbers, whatever part of the dataset is there.

    Attributes
    ----------
    train, val, test
        Numbers; a subject outside all three is not used.
    """

    train: range
    val: range
    test: range

    @property
    def text(self) -> str:
        """The rule in words."""
        parts = [f"{_span(numbers)} {name}" for name, numbers in _named(self.train, self.val, self.test)]
        return "by subject number: " + ", ".join(parts)

    def plan(self, recordings: Sequence[Recording]) -> SplitPlan:
        """Look the number of each subject up."""
        ranges = _named(self.train, self.val, self.test)

        def of(recording: Recording, _trial: int) -> Split | None:
            digits = "".join(filter(str.isdigit, recording.subject))
            if not digits:
                raise DataError(f"{recording.key}: subject '{recording.subject}' has no number")
            return next((name for name, numbers in ranges if int(digits) in numbers), None)

        return of


@dataclass(frozen=True, slots=True)
class BySortedFiles:
    """Positions in the sorted list of recordings, within each group.

    A subject with several recordings goes where its first one goes, so that no
    subject is in two splits. A folder with another number of recordings than
    declared is divided in the declared proportions, with at least one subject
    in each split where there are three.

    Attributes
    ----------
    counts
        Group to (train, val, test) numbers of recordings; group ``""`` without groups.
    """

    counts: tuple[tuple[str, tuple[int, int, int]], ...]

    @property
    def text(self) -> str:
        """The rule in words."""
        parts = [
            (f"{group}: " if group else "") + " / ".join(map(str, sizes)) for group, sizes in self.counts
        ]
        return "by position in the sorted files, train / val / test " + "; ".join(parts)

    def plan(self, recordings: Sequence[Recording]) -> SplitPlan:
        """Decide by the position of each recording in its group."""
        declared = dict(self.counts)
        groups: dict[str, list[Recording]] = defaultdict(list)
        for recording in sorted(recordings, key=lambda r: r.key):
            if recording.group not in declared:
                raise DataError(f"{recording.key}: group '{recording.group}' is not in the split rule")
            groups[recording.group].append(recording)
        found: dict[tuple[str, str], Split] = {}
        for group, members in groups.items():
            found |= {(group, s): split for s, split in _by_position(members, declared[group]).items()}
        return lambda recording, _trial: found[recording.group, recording.subject]

    def is_exact(self, recordings: Sequence[Recording]) -> bool:
        """Tell whether all declared recordings are there, so that the published split results."""
        return all(sum(r.group == group for r in recordings) == sum(sizes) for group, sizes in self.counts)


@dataclass(frozen=True, slots=True)
class ByOfficialFolder:
    """The provider's training part divided by sorted subject; the provider's evaluation part is the test.

    Attributes
    ----------
    train_share
        Share of the sorted subjects of the training part, within each group, that is trained on.
    """

    train_share: float

    @property
    def text(self) -> str:
        """The rule in words."""
        return (
            f"provided evaluation part = test; first {self.train_share:.0%} of the sorted subjects "
            "of the training part (within each group) = train, the others = val"
        )

    def plan(self, recordings: Sequence[Recording]) -> SplitPlan:
        """Decide by the rank of each subject in the training part."""
        subjects: dict[str, set[str]] = defaultdict(set)
        for recording in recordings:
            if recording.provided == "train":
                subjects[recording.group].add(recording.subject)
        val = set()
        for members in subjects.values():
            ranked = sorted(members)
            # A single subject is trained on; two or more leave at least one for validation.
            n_train = max(1, min(int(len(ranked) * self.train_share), len(ranked) - 1))
            val |= set(ranked[n_train:])

        def of(recording: Recording, _trial: int) -> Split | None:
            if recording.provided == "test":
                return "test"
            return "val" if recording.subject in val else "train"

        return of


@dataclass(frozen=True, slots=True)
class ByTrial:
    """Blocks of trials of every recording: each subject is in all three splits.

    Attributes
    ----------
    train, val, test
        Trial numbers from 0.
    """

    train: range
    val: range
    test: range

    @property
    def text(self) -> str:
        """The rule in words."""
        parts = [f"{_span(numbers)} {name}" for name, numbers in _named(self.train, self.val, self.test)]
        return "by trial number within every recording: " + ", ".join(parts)

    def plan(self, recordings: Sequence[Recording]) -> SplitPlan:
        """Look the number of each trial up."""
        ranges = _named(self.train, self.val, self.test)
        return lambda _recording, trial: next((name for name, r in ranges if trial in r), None)


@dataclass(frozen=True, slots=True)
class AsProvided:
    """The split that the provider's folders name."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return "as provided"

    def plan(self, recordings: Sequence[Recording]) -> SplitPlan:
        """Take what each recording says."""
        for recording in recordings:
            if recording.provided is None:
                raise DataError(f"{recording.key}: the files do not say to which split it belongs")
        return lambda recording, _trial: recording.provided


def _named(train: range, val: range, test: range) -> tuple[tuple[Split, range], ...]:
    return ("train", train), ("val", val), ("test", test)


def _span(numbers: range) -> str:
    return f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"


def _by_position(members: Sequence[Recording], sizes: tuple[int, int, int]) -> dict[str, Split]:
    """Return the split of each subject from the position of its first recording."""
    first: dict[str, int] = {}
    for position, recording in enumerate(members):
        first.setdefault(recording.subject, position)
    declared = sum(sizes)
    if len(members) == declared:
        ends = (sizes[0], sizes[0] + sizes[1])
        return {s: "train" if p < ends[0] else "val" if p < ends[1] else "test" for s, p in first.items()}
    # Proportions over subjects, so that no split of a small folder is empty without need.
    ranked = list(first)
    n = len(ranked)
    n_test = min(max(1, round(n * sizes[2] / declared)), max(0, n - 2))
    n_val = min(max(1, round(n * sizes[1] / declared)), max(0, n - 1 - n_test))
    n_train = n - n_val - n_test
    names: list[Split] = [*["train"] * n_train, *["val"] * n_val, *["test"] * n_test]  # type: ignore[list-item]
    return dict(zip(ranked, names, strict=True))
