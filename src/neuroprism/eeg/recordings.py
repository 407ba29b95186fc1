"""What a dataset finds in a raw folder, and what it cuts from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neuroprism.core.records import Split


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """One raw recording, found but not yet read.

    Attributes
    ----------
    key
        Unique in the dataset and a plain file name, e.g. ``"Subject00_1"``.
        Sorted keys are the order of the published file lists.
    paths
        Files that belong to it; their content decides whether a stored
        recording is still up to date.
    subject
        Identifier of the person, e.g. ``"00"``.
    session
        Session, run or visit, e.g. ``"1"``; empty where there is one.
    group
        Diagnosis or other group within which files are counted; empty without.
    provided
        Split that the folder of the provider names; None where it names none.
    """

    key: str
    paths: tuple[Path, ...]
    subject: str
    session: str = ""
    group: str = ""
    provided: Split | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A file or a part of one that is left out, with the reason."""

    what: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a raw folder holds."""

    recordings: tuple[Recording, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Samples cut from one recording.

    Attributes
    ----------
    values
        (n, C, T) in microvolt at 200 Hz, or (n, L, C, T) for sequences, float32.
    labels
        (n,) int64, or (n, L) for sequences; float32 for regression.
    starts_s
        (n,) seconds from the start of the recording.
    trials
        (n,) number of the trial or block that a window comes from, for splits by trial.
    left_out
        Parts without a window: an event too close to the end, a dropped remainder.
    """

    values: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    starts_s: npt.NDArray[np.float64]
    trials: npt.NDArray[np.int64]
    left_out: tuple[Skipped, ...] = field(default=())

    def __len__(self) -> int:
        """Return the number of samples n."""
        return len(self.values)
