"""What a case of the health benchmark is, and how its training run is recorded.

A case is a real small training run. A faulty one has its fault in the mechanism (data, labels, graph,
optimizer, schedule), never in the recorded numbers. The recording is a folder with `steps.jsonl`,
`epochs.jsonl` and `meta.json`, as `neuroprism diagnose` reads it; what is wrong with the run stands in
`label.json`, which no detector sees.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Half = Literal["tuning", "frozen"]


@dataclass(frozen=True, kw_only=True)
class Label:
    """What is true of a run.

    Attributes
    ----------
    kind
        Kind of fault from the vocabulary of alerts; None for a healthy run.
    component
        Component at fault; None where the whole run is meant.
    step
        Optimizer step at which the fault begins; None for a healthy run.
    also
        Other (kind, component) pairs that would be right as well, as a consequence of the same fault.
    """

    kind: str | None = None
    component: str | None = None
    step: int | None = None
    also: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One training run, made by `train(recording, seed)`.

    Attributes
    ----------
    name
        Of the case, e.g. ``"regression-shuffled-labels"``.
    family
        Kind of data and network, e.g. ``"regression"``.
    label
        What is true of it.
    train
        Runs the training and records it; a function of the seed alone.
    seeds
        Seeds that the benchmark runs it with.
    """

    name: str
    family: str
    label: Label
    train: Callable[[Recording, int], None] = field(repr=False)
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Meta:
    """What a run declares about itself, as a careful user would.

    Attributes
    ----------
    weights
        Weight of every component in the total.
    baselines
        Raw value of the best constant predictor, where it is known.
    schedule
        ``type`` and parameters of the declared learning rate, e.g.
        ``{"type": "cosine_annealing", "n_steps": 600, "warmup_steps": 50}``; None where nothing is declared.
    """

    weights: Mapping[str, float]
    baselines: Mapping[str, float] = field(default_factory=dict)
    n_epochs: int | None = None
    schedule: Mapping[str, Any] | None = None
    gradient_clip: float | None = None
    optimizer: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """What a run writes down of what it did, and how often; the default is every step and everything.

    Attributes
    ----------
    every
        Steps between two rows.
    mean
        A row holds the mean since the row before it; otherwise what the step of the row gave.
    rate
        Whether the learning rate is written down.
    weights
        Whether the weights of the components are declared.
    epochs
        Whether there are epochs at all.
    """

    every: int = 1
    mean: bool = False
    rate: bool = True
    weights: bool = True
    epochs: bool = True


class Recording:
    """Takes down a run; nothing here changes a number."""

    def __init__(self, folder: Path, meta: Meta | None = None) -> None:
        self.folder = folder
        self._meta = meta
        self._reporting = Reporting()
        self._steps: list[dict[str, Any]] = []
        self._epochs: list[dict[str, Any]] = []
        self._epoch = 1

    def declare(self, meta: Meta, reporting: Reporting | None = None) -> None:
        """State what the run declares about itself, and what it will write down; before the first step."""
        self._meta = meta
        self._reporting = reporting or Reporting()

    @property
    def n_steps(self) -> int:
        """Optimizer steps so far."""
        return len(self._steps)

    def step(
        self,
        losses: Mapping[str, float],
        *,
        lr: float,
        grad_norm: float | None = None,
        norms: Mapping[str, float] | None = None,
        seconds: float | None = None,
        total: float | None = None,
        skipped: bool | None = None,
    ) -> None:
        """Record an optimizer step: raw components, norm before clipping, now and then norms by component.

        `total` is the weighted sum where it is left out; `skipped` tells of a step that mixed precision left
        out.
        """
        assert self._meta is not None
        weights = self._meta.weights
        row: dict[str, Any] = {"step": self.n_steps + 1, "epoch": self._epoch, "lr": lr}
        if grad_norm is not None:
            row["grad_norm"] = grad_norm
        row["loss/total"] = (
            sum(weights[name] * value for name, value in losses.items()) if total is None else total
        )
        row |= {f"loss/{name}": value for name, value in losses.items()}
        row |= {f"grad_norm/{name}": value for name, value in (norms or {}).items()}
        if seconds is not None:
            row["step_seconds"] = seconds
        if skipped is not None:
            row["skipped"] = skipped
        self._steps.append(row)

    def epoch(self, val: Mapping[str, float] | None = None, *, total: float | None = None) -> None:
        """Close an epoch with its validation losses; `total` is theirs where it is no weighted sum."""
        assert self._meta is not None
        weights = self._meta.weights
        rows = [row for row in self._steps if row["epoch"] == self._epoch]
        record: dict[str, Any] = {"epoch": self._epoch, "step": self.n_steps}
        if self._reporting.rate:
            record["lr"] = rows[-1]["lr"]
        for key in [key for key in rows[0] if key.startswith("loss/")]:
            values = [row[key] for row in rows if key in row]
            record[f"train/{key.removeprefix('loss/')}"] = sum(values) / len(values)
        if val:
            weighted = sum(weights[name] * value for name, value in val.items())
            record["val/total"] = weighted if total is None else total
            record |= {f"val/{name}": value for name, value in val.items()}
        self._epochs.append(record)
        self._epoch += 1

    def save(self, label: Label) -> None:
        """Write the folder."""
        assert self._meta is not None
        self.folder.mkdir(parents=True)
        components = [
            {"name": name, "label": name}
            | ({"weight": weight} if self._reporting.weights else {})
            | ({"baseline": self._meta.baselines[name]} if name in self._meta.baselines else {})
            for name, weight in self._meta.weights.items()
        ]
        meta = {
            k: v for k, v in asdict(self._meta).items() if k not in ("weights", "baselines") and v is not None
        }
        _write(self.folder / "meta.json", [{"components": components, **meta}])
        _write(self.folder / "steps.jsonl", self._rows())
        if self._epochs and self._reporting.epochs:
            _write(self.folder / "epochs.jsonl", self._epochs)
        _write(self.folder / "label.json", [asdict(label)])

    def _rows(self) -> list[dict[str, Any]]:
        """Return what is written down of the steps."""
        reporting, every = self._reporting, self._reporting.every
        left_out = {"lr"} if not reporting.rate else set()
        left_out |= {"epoch"} if not reporting.epochs else set()
        ends = range(every, len(self._steps) + 1, every)
        rows = [
            _mean_of(self._steps[end - every : end]) if reporting.mean else self._steps[end - 1]
            for end in ends
        ]
        return [{key: value for key, value in row.items() if key not in left_out} for row in rows]


def _mean_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the last row with the means of its losses, norms and durations; the rest is that of the last."""
    last = dict(rows[-1])
    for key in dict.fromkeys(key for row in rows for key in row):
        if key.startswith(("loss/", "grad_norm", "step_seconds")):
            values = [row[key] for row in rows if key in row]
            last[key] = sum(values) / len(values)
    return last


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text(
        "".join(json.dumps(_strict(row), allow_nan=False) + "\n" for row in rows), encoding="utf-8"
    )


def _strict(value: Any) -> Any:
    """Return non-finite numbers as strings."""
    if isinstance(value, Mapping):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value
