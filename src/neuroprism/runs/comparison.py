"""Comparing runs: curves, values at the selected epoch, test results, groups of seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from neuroprism.core.errors import RunError, UnknownNameError
from neuroprism.core.records import epoch_series
from neuroprism.runs.config_keys import configured
from neuroprism.runs.estimate import Estimate, estimate
from neuroprism.runs.naming import falls
from neuroprism.runs.run import LOG_NAMES, Run

Floats = npt.NDArray[np.float64]

_PREFERRED = ("val/balanced_accuracy", "val/r2", "val/total", "train/total")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run of a comparison.

    Attributes
    ----------
    label
        Shortest end of its path that no other run shares.
    group
        Value of the key that the runs are grouped by; its label without one.
    seed, status
        As recorded; None for a log alone.
    epoch
        Selected by validation; None where none was.
    value
        The metric in that epoch.
    test
        The metric on the test data with the weights of that epoch.
    test_interval
        95% interval of `test` over subjects, where recorded.
    epochs, curve
        (n,) epoch numbers and values.
    """

    label: str
    group: str
    seed: int | None
    status: str | None
    epoch: int | None
    value: float | None
    test: float | None
    test_interval: tuple[float, float] | None
    epochs: Floats
    curve: Floats


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs with the same value of the key that they are grouped by."""

    name: str
    n_runs: int
    value: Estimate | None
    test: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Difference of two groups over the seeds that both have."""

    first: str
    second: str
    n_seeds: int
    value: Estimate | None
    test: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs side by side, by one metric.

    Attributes
    ----------
    metric
        Series, e.g. ``val/balanced_accuracy``.
    group_by
        Configuration key; None where the runs are not grouped.
    entries
        In the order given.
    groups, differences
        Empty where the runs are not grouped.
    notes
        What a reader of the table should know.
    """

    metric: str
    group_by: str | None
    entries: tuple[Entry, ...]
    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def compare_runs(
    runs: Sequence[Run], *, metric: str | None = None, group_by: str | None = None
) -> Comparison:
    """Compare runs by one metric.

    Parameters
    ----------
    runs
        At least one.
    metric
        A series such as ``val/balanced_accuracy``, its list in the training
        log such as ``val_acc``, or its name without the split. None for
        balanced accuracy, R2 or the total loss, whichever all runs have.
    group_by
        Configuration key, e.g. ``backbone``; each group gets mean, 95%
        interval over its runs and the difference to the others over common seeds.

    Raises
    ------
    RunError
        If a run is given twice, the runs have no metric in common or one lacks this metric.
    UnknownNameError
        If no run has such a metric or configuration key.
    """
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise RunError("a run is given twice")
    labels = run_labels(runs)
    series = _metric(runs, labels, metric)
    groups = configured(runs, group_by) if group_by else labels
    entries = tuple(
        _entry(run, series, label, group) for run, label, group in zip(runs, labels, groups, strict=True)
    )
    return Comparison(
        metric=series,
        group_by=group_by,
        entries=entries,
        groups=_groups(entries) if group_by else (),
        differences=_differences(entries) if group_by else (),
        notes=tuple(_notes(runs, entries, group_by=group_by)),
    )


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Return for each run the shortest end of its path that tells it from the others."""
    paths = [run.path.resolve() for run in runs]
    parts = [path.parent.parts if path.is_file() else path.parts for path in paths]
    if len(set(parts)) < len(parts):
        parts = [path.parts for path in paths]
    for n in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(part[-n:]) for part in parts]
        if len(set(ends)) == len(ends):
            return ends
    return [str(path) for path in paths]


def series_of(run: Run) -> list[str]:
    """Return the epoch series of a run that can be compared."""
    return [name for name in run.epochs.columns if name.startswith(("val/", "train/"))]


def _metric(runs: Sequence[Run], labels: Sequence[str], wanted: str | None) -> str:
    recorded = [series_of(run) for run in runs]
    common = [name for name in recorded[0] if all(name in names for names in recorded)]
    if not common:
        raise RunError(f"{', '.join(labels)} have no metric in common")
    if wanted is None:
        validated = [name for name in common if name.startswith("val/")]
        return next((name for name in (*_PREFERRED, *validated) if name in common), common[0])
    known = {name for names in recorded for name in names}
    aliases = {key: name for key, name in LOG_NAMES.items() if name in known}
    split, _, rest = wanted.partition("/")
    spellings = (wanted, aliases.get(wanted, ""), f"val/{wanted}", f"val/{rest}" if split == "test" else "")
    series = next((name for name in spellings if name in known), None)
    if series is None:
        plain = {name.removeprefix("val/") for name in known if name.startswith("val/")}
        raise UnknownNameError("metric", wanted, {*known, *aliases, *plain})
    missing = [label for label, names in zip(labels, recorded, strict=True) if series not in names]
    if missing:
        raise RunError(f"{series} is not recorded in {', '.join(missing)}")
    return series


def _entry(run: Run, series: str, label: str, group: str) -> Entry:
    epochs = run.epochs["epoch"].to_numpy(dtype=np.float64)
    curve = run.epochs[series].to_numpy(dtype=np.float64)
    name = series.partition("/")[2]
    selected = run.best_epoch
    if selected is None:
        selected = _own_best(epochs, curve, falling=falls(name, frozenset(c.name for c in run.components)))
    at = curve[epochs == selected] if selected is not None else curve[:0]
    test_series = epoch_series("test", name)
    test = run.test[test_series].iloc[-1] if test_series in run.test else None
    return Entry(
        label=label,
        group=group,
        seed=run.seed,
        status=run.status,
        epoch=selected,
        value=_finite(at[-1]) if len(at) else None,
        test=_finite(test),
        test_interval=run.test_intervals.get(test_series),
        epochs=epochs,
        curve=curve,
    )


def _own_best(epochs: Floats, curve: Floats, *, falling: bool) -> int | None:
    """Return the first best epoch of a curve, for runs that recorded no selection."""
    if not np.isfinite(curve).any():
        return None
    values = np.where(np.isfinite(curve), curve, np.nan)
    return int(epochs[np.nanargmin(values) if falling else np.nanargmax(values)])


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _groups(entries: Sequence[Entry]) -> tuple[Group, ...]:
    found = []
    for name in dict.fromkeys(entry.group for entry in entries):
        members = [entry for entry in entries if entry.group == name]
        found.append(
            Group(
                name=name,
                n_runs=len(members),
                value=estimate([entry.value for entry in members]),
                test=estimate([entry.test for entry in members]),
            )
        )
    return tuple(found)


def _differences(entries: Sequence[Entry]) -> tuple[Difference, ...]:
    found = []
    names = list(dict.fromkeys(entry.group for entry in entries))
    for first, second in combinations(names, 2):
        one, other = ({e.seed: e for e in entries if e.group == name} for name in (first, second))
        seeds = [seed for seed in one if seed is not None and seed in other]
        if not seeds:
            continue
        found.append(
            Difference(
                first=first,
                second=second,
                n_seeds=len(seeds),
                value=estimate([_minus(other[seed].value, one[seed].value) for seed in seeds]),
                test=estimate([_minus(other[seed].test, one[seed].test) for seed in seeds]),
            )
        )
    return tuple(found)


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _notes(runs: Sequence[Run], entries: Sequence[Entry], *, group_by: str | None) -> list[str]:
    notes = []
    open_ended = [f"{e.label} is {e.status}" for e in entries if e.status not in (None, "finished")]
    if open_ended:
        notes.append(f"not finished: {', '.join(open_ended)}")
    alone = [e.label for run, e in zip(runs, entries, strict=True) if run.best_epoch is None]
    if alone:
        notes.append(f"no selected epoch recorded, the best of this metric is shown: {', '.join(alone)}")
    for key in ("dataset", "split", "scaling"):
        values = dict.fromkeys(str(data[key]) for run in runs if key in (data := _section(run, "data")))
        if len(values) > 1:
            notes.append(f"the runs differ in data.{key}: {', '.join(values)}")
    if group_by is None:
        notes.append("each row is one run; for intervals repeat runs with other seeds and give --group-by")
    else:
        notes += _group_notes(entries)
    return notes


def _group_notes(entries: Sequence[Entry]) -> list[str]:
    notes = []
    pairs = [(entry.group, entry.seed) for entry in entries if entry.seed is not None]
    twice = dict.fromkeys(
        f"{group} with seed {seed}" for group, seed in pairs if pairs.count((group, seed)) > 1
    )
    if twice:
        notes.append(f"several runs, of which the last is paired: {', '.join(twice)}")
    names = list(dict.fromkeys(entry.group for entry in entries))
    single = [name for name in names if sum(entry.group == name for entry in entries) == 1]
    if single:
        notes.append(f"one run, no interval: {', '.join(single)}")
    return notes


def _section(run: Run, name: str) -> dict[str, object]:
    section = run.config.get(name)
    return section if isinstance(section, dict) else {}
