"""A recorded run of the health benchmark, and what a detector says about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from case import Label


@dataclass(frozen=True)
class Finding:
    """One alarm of severity warning or worse.

    Attributes
    ----------
    kind
        Kind of fault in the vocabulary of alerts; None where that has no word for what the detector says.
    step
        Optimizer step at which it was raised; None where the detector names none.
    component
        Component at fault; None for the whole run.
    """

    kind: str | None
    step: int | None
    component: str | None = None


@dataclass(frozen=True)
class Trace:
    """What a tracker of one loss sees of a run, and what is true of it.

    Attributes
    ----------
    loss, grad_norm, lr, seconds
        One value for every step; None where nothing was recorded.
    val
        Step and total validation loss of every validated epoch.
    """

    folder: Path
    label: Label
    components: tuple[str, ...]
    steps: list[int]
    loss: list[float]
    grad_norm: list[float | None]
    lr: list[float | None]
    seconds: list[float | None]
    val: list[tuple[int, float]] = field(default_factory=list)

    @property
    def n_steps(self) -> int:
        """Optimizer steps."""
        return len(self.steps)


def read_label(folder: Path) -> Label:
    """Return what is true of a recorded run."""
    stored = json.loads((folder / "label.json").read_text(encoding="utf-8"))
    return Label(**stored | {"also": tuple((kind, component) for kind, component in stored["also"])})


def read_trace(folder: Path) -> Trace:
    """Return a recorded run as a tracker of one loss sees it."""
    rows = _rows(folder / "steps.jsonl")
    epochs = _rows(folder / "epochs.jsonl") if (folder / "epochs.jsonl").exists() else []
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return Trace(
        folder=folder,
        label=read_label(folder),
        components=tuple(component["name"] for component in meta["components"]),
        steps=[row["step"] for row in rows],
        loss=[float(row["loss/total"]) for row in rows],
        grad_norm=[_number(row, "grad_norm") for row in rows],
        lr=[_number(row, "lr") for row in rows],
        seconds=[_number(row, "step_seconds") for row in rows],
        val=[(row["step"], float(row["val/total"])) for row in epochs if "val/total" in row],
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _number(row: dict[str, Any], name: str) -> float | None:
    return float(row[name]) if name in row else None
