"""What a baseline reached, and the file beside the windows that keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from neuroprism.core import strict_json
from neuroprism.core.errors import DataError
from neuroprism.core.files import replace_bytes
from neuroprism.eeg.store import EegStore
from neuroprism.eeg.store_card import read_card
from neuroprism.metrics.intervals import Interval

BASELINE_FILE = "baseline.json"
FINGERPRINT_LENGTH = 16


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate and its validation criterion; None where that is undefined."""

    value: float
    criterion: float | None


class BaselineResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one method reached.

    Attributes
    ----------
    method, title
        Name on the command line, and for people.
    transductive
        Whether unlabelled windows of the evaluated subjects were used.
    parameter, chosen, tried
        The hyper-parameter, its value with the best validation criterion, and
        every candidate; none for chance.
    n_features
        Numbers that describe a window.
    val, test
        Metrics by name; `test` is empty where the split is.
    val_intervals, intervals
        95% interval over subjects of validation and of test metrics.
    per_subject
        Test metrics of each subject.
    seconds
        Wall time.
    notes
        What a reader must know.
    """

    method: str
    title: str
    transductive: bool = False
    parameter: str | None = None
    chosen: float | None = None
    tried: list[Tried] = msgspec.field(default_factory=list)
    n_features: int
    val: dict[str, float]
    test: dict[str, float]
    val_intervals: dict[str, Interval] = msgspec.field(default_factory=dict)
    intervals: dict[str, Interval] = msgspec.field(default_factory=dict)
    per_subject: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)
    seconds: float
    notes: list[str] = msgspec.field(default_factory=list)


class BaselineFile(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `baseline.json`.

    Attributes
    ----------
    dataset, store
        Name of the dataset, and fingerprint of the windows.
    split_rule, is_published_split
        As on the card of the store.
    windows
        Samples by split.
    selection
        Split and metric by which hyper-parameters were chosen.
    seed
        Of the bootstrap over subjects.
    results
        By method.
    """

    format: Literal["neuroprism.eeg.baselines"] = "neuroprism.eeg.baselines"
    version: Literal[1] = 1
    dataset: str
    store: str
    split_rule: str
    is_published_split: bool
    windows: dict[str, int]
    selection: str
    seed: int
    results: list[BaselineResult]


def write_baselines(store: EegStore, results: Sequence[BaselineResult], *, seed: int) -> Path:
    """Write `baseline.json` into the store; results of other methods on the same windows stay.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    path = store.path / BASELINE_FILE
    new = {result.method for result in results}
    try:
        earlier = read_baselines(store.path, split_rule=store.card.split_rule)
        kept = [result for result in earlier if result.method not in new]
    except DataError:
        # A damaged file holds nothing that could be kept; it is about to be replaced.
        kept = []
    content = BaselineFile(
        dataset=store.spec.name,
        store=store.fingerprint(),
        split_rule=store.card.split_rule,
        is_published_split=store.card.is_published_split,
        windows={split: len(store.indices(split)) for split in ("train", "val", "test")},
        selection=f"val/{store.spec.criterion}",
        seed=seed,
        results=sorted([*kept, *results], key=lambda result: result.method),
    )
    try:
        replace_bytes(path, strict_json.encode_pretty(content))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def read_baselines(store_dir: Path, *, split_rule: str | None = None) -> list[BaselineResult]:
    """Return the baselines of a store, best validation criterion first.

    Parameters
    ----------
    store_dir
        Folder of a prepared store.
    split_rule
        Split on which they must have been computed; None: that of the store.

    Returns
    -------
    list of BaselineResult
        Empty where none were computed, or on other windows or another split.

    Raises
    ------
    DataError
        If the file is damaged, or `store_dir` is no store.
    """
    path = store_dir / BASELINE_FILE
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        content = msgspec.json.decode(raw, type=BaselineFile)
    except strict_json.UNREADABLE as error:
        raise DataError(
            f"{path} is damaged ({error}); delete it, or compute it anew with `neuroprism baseline`"
        ) from None
    card = read_card(store_dir)
    asked = card.split_rule if split_rule is None else split_rule
    if (content.store, content.split_rule) != (card.index_sha256[:FINGERPRINT_LENGTH], asked):
        return []
    criterion = content.selection.removeprefix("val/")
    return sorted(content.results, key=lambda r: -r.val.get(criterion, float("-inf")))
