"""Classical baselines of the data that a run was trained on, where they were computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from neuroprism.core import strict_json
from neuroprism.runs.naming import METRIC_LABELS, metric_text

if TYPE_CHECKING:
    from neuroprism.runs import Run
    from neuroprism.runs.comparison_text import FurtherRow

FILE = "baseline.json"
SPLIT_FILE = "split.json"


class StoredBaseline(Protocol):
    """What is needed of a classical baseline."""

    @property
    def title(self) -> str:
        """Name for people."""

    @property
    def val(self) -> Mapping[str, float]:
        """Metrics on validation data."""

    @property
    def test(self) -> Mapping[str, float] | None:
        """Metrics on test data; None or empty where there are none."""


def stored_baselines(runs: Sequence[Run]) -> list[StoredBaseline]:
    """Return the baselines of the one store that all runs used; none where they used several or other splits.

    Raises
    ------
    DataError
        If the file with the baselines is damaged.
    """
    places = {_place(run) for run in runs}
    place = places.pop() if len(places) == 1 else None
    if place is None:
        return []
    from neuroprism.eeg.baselines import read_baselines

    store, rule = place
    return list(read_baselines(store, split_rule=rule))


def baseline_section(run: Run) -> list[tuple[str, list[str]]]:
    """Return a section of the summary: each baseline with its test metrics, else those on validation."""
    lines = []
    for baseline in stored_baselines([run]):
        values, split = (baseline.test, "") if baseline.test else (baseline.val, " (validation)")
        shown = [
            f"{METRIC_LABELS[name]} {metric_text(name, value)}"
            for name, value in values.items()
            if name in METRIC_LABELS
        ]
        lines.append(f"{baseline.title}{split}: {', '.join(shown)}")
    return [("Classical Baselines (test)", lines)] if lines else []


def baseline_rows(runs: Sequence[Run], metric: str) -> list[FurtherRow]:
    """Return a row of the comparison by `metric` for each baseline that has it."""
    name = metric.removeprefix("val/")
    rows = [(b.title, b.val.get(name), (b.test or {}).get(name)) for b in stored_baselines(runs)]
    return [row for row in rows if row[1:] != (None, None)]


def _place(run: Run) -> tuple[Path, str] | None:
    """Return the folder with the baselines of a run's data and the rule of its split; None without."""
    data = run.config.get("data")
    if not isinstance(data, dict):
        return None
    store, name, rule = data.get("store"), data.get("dataset"), _split_rule(run)
    if not isinstance(store, str) or not isinstance(name, str) or rule is None:
        return None
    places = (Path(store) / name, Path(store))
    return next(((place, rule) for place in places if (place / FILE).is_file()), None)


def _split_rule(run: Run) -> str | None:
    """Return the rule by which a run divided its data, None where it left none."""
    folder = run.path if run.path.is_dir() else run.path.parent
    try:
        content = strict_json.decode((folder / SPLIT_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return content.get("rule") if isinstance(content, dict) else None
