"""`neuroprism baseline`: classical models on prepared windows, before any deep one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuroprism.cli.metric_cells import METRIC_NAMES, metric_cells
from neuroprism.cli.options import load_config
from neuroprism.core.text_table import text_table

if TYPE_CHECKING:
    from neuroprism.eeg.baselines import BaselineResult
    from neuroprism.eeg.store import EegStore
    from neuroprism.metrics import Interval

ALL = "all"


def baseline(
    name: Annotated[
        str,
        typer.Argument(help="Dataset; `neuroprism datasets` lists them.", metavar="NAME", show_default=False),
    ],
    datasets_dir: Annotated[
        Path,
        typer.Argument(
            help="Folder of `neuroprism prepare`, or the one above it.", metavar="DIR", show_default=False
        ),
    ],
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="band_power, riemann, chance, or all three: all. Also riemann_aligned, which is "
            "transductive. May be given several times.",
            metavar="METHOD",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap over subjects; nothing else is random.")] = 3407,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="Split of one's own, e.g. data.split=by_subject.", metavar="KEY=VALUE"),
    ] = None,
) -> None:
    """Fit classical baselines in seconds; `finetune` prints them beside its own results."""
    from neuroprism.eeg.baselines import METHODS, STANDARD_METHODS, run_baselines, write_baselines
    from neuroprism.eeg.catalog import datasets
    from neuroprism.eeg.config import EegConfig
    from neuroprism.eeg.splits import divide
    from neuroprism.eeg.store import EegStore

    names = [n for given in method or [ALL] for n in (STANDARD_METHODS if given == ALL else (given,))]
    # Both raise for a name that does not exist, before anything is read.
    name = datasets[name].spec.name
    for given in names:
        METHODS[given]
    config = load_config(EegConfig, None, {}, assignments)
    inner = datasets_dir / name
    store = EegStore.open(inner if (inner / "card.json").is_file() else datasets_dir, name)
    store = divide(store, config.data)
    results = run_baselines(store, list(dict.fromkeys(names)), seed=seed)
    path = write_baselines(store, results, seed=seed)
    typer.echo(f"{report(store, results)}\nWritten: {path}")


def report(store: EegStore, results: Sequence[BaselineResult]) -> str:
    """Return the tables of validation and test results, with what was chosen and noted."""
    kind = "published split" if store.card.is_published_split else "not the published split"
    lines = [f"{store.spec.name}: {store.card.split_rule} ({kind})"]
    lines += _table(store, "val", "Validation", [(r, r.val, r.val_intervals) for r in results])
    if len(store.indices("test")):
        lines += _table(store, "test", "Test", [(r, r.test, r.intervals) for r in results])
    else:
        lines.append("Test: no window belongs to the test split")
    for result in results:
        chosen = "" if result.chosen is None else f"{result.parameter} = {result.chosen:g} by validation, "
        size = f"{result.n_features:,} features, " if result.n_features else ""
        notes = [note for note in result.notes if "test split" not in note]
        lines.append("; ".join([f"{result.title}: {chosen}{size}{result.seconds:.1f} s", *notes]))
    return "\n".join(lines)


def _table(
    store: EegStore,
    split: str,
    title: str,
    rows: Sequence[tuple[BaselineResult, Mapping[str, float], Mapping[str, Interval]]],
) -> list[str]:
    indices = store.indices("val" if split == "val" else "test")
    n_subjects = len(set(store.subjects[indices].tolist()))
    length = store.spec.sequence_length
    what = "windows" if length == 1 else f"sequences of {length} windows"
    span = " [95% interval over subjects]" if any(intervals for _, _, intervals in rows) else ""
    names = store.spec.metrics
    cells = [[r.title, *metric_cells(names, values, spans)] for r, values, spans in rows]
    return [
        f"{title}, {len(indices):,} {what} of {n_subjects:,} subject{'s' * (n_subjects != 1)}{span}",
        text_table(["", *(METRIC_NAMES[name] for name in names)], cells, indent="  "),
    ]
