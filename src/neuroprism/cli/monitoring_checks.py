"""What `neuroprism check-monitoring` looks at: each check reads one thing back from real runs."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from neuroprism.abr.config import AbrConfig
from neuroprism.cli.abr_run import train_abr
from neuroprism.cli.run_mode import RunMode
from neuroprism.core.config import load, parse_override
from neuroprism.core.errors import TrainingError
from neuroprism.core.records import TOTAL, Alert, Component, EpochRecord
from neuroprism.core.registry import Registry
from neuroprism.monitor import read_events, read_run, read_steps, run_status
from neuroprism.monitor.format import bar_postfix, step_line

_SMALL = (
    "data.simulation.n_patients=30",
    "data.simulation.window_ms=10",
    "data.dataloader.batch_size=16",
    "model.architecture.base_channels=8",
    "model.architecture.n_levels=2",
    "model.architecture.channel_multipliers=[1, 2]",
    "model.architecture.encoder.n_s4_layers=1",
    "model.architecture.encoder.d_state=8",
    "model.architecture.decoder.n_heads=2",
    "training.max_steps_per_epoch=12",
    "training.log_frequency=4",
    "training.scheduler.type=constant",
    "logging.histogram_every_n_epochs=1",
)
N_EPOCHS, N_STEPS = 3, 36


@dataclass(frozen=True)
class Runs:
    """Three short runs.

    Attributes
    ----------
    whole
        Folder of a run of three epochs.
    resumed
        Folder of the same run, stopped after two epochs and resumed.
    diverged
        Folder of a run whose learning rate is far too high.
    console
        What the first run printed.
    error
        Why the diverging run stopped.
    """

    whole: Path
    resumed: Path
    diverged: Path
    console: str
    error: str

    @property
    def components(self) -> tuple[Component, ...]:
        """Components of the runs."""
        return read_run(self.whole).components


class NotChecked(Exception):  # noqa: N818 - no error: the part is not there
    """A part that cannot be looked at here; its check neither passes nor fails."""


Check = Callable[[Runs], str]
CHECKS: Registry[Check] = Registry("check")


def make_runs(folder: Path) -> Runs:
    """Train the runs."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        tracker = ("logging.use_wandb=true", "logging.tracker=wandb") if find_spec("wandb") else ()
        _train(folder, "whole", f"training.epochs={N_EPOCHS}", *tracker)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        _train(folder, "resumed", f"training.epochs={N_EPOCHS - 1}")
        _train(folder, "resumed", f"training.epochs={N_EPOCHS}", resume=True)
        error = ""
        try:
            _train(folder, "diverged", "training.epochs=1", "training.optimizer.learning_rate=1e30")
        except TrainingError as stopped:
            error = str(stopped)
    return Runs(folder / "whole", folder / "resumed", folder / "diverged", printed.getvalue(), error)


def _train(folder: Path, name: str, *assignments: str, resume: bool = False) -> None:
    overrides = [parse_override(text) for text in (*_SMALL, *assignments)]
    overrides += [("logging.log_dir", str(folder), ""), ("data.cache_dir", str(folder / "data"), "")]
    train_abr(load(AbrConfig, overrides=overrides), name, RunMode(resume=resume, overwrite=not resume))


def _require(condition: object, otherwise: str) -> None:
    if not condition:
        raise AssertionError(otherwise)


def _recorded(runs: Runs, step: int) -> tuple[dict[str, float], float]:
    """Return losses and rate of a step in `steps.jsonl`; what was not computed is absent."""
    steps = read_steps(runs.whole)
    names = (TOTAL, *(c.name for c in runs.components))
    values = {name: float(steps[f"loss/{name}"][step - 1]) for name in names}
    return {name: v for name, v in values.items() if not math.isnan(v)}, float(steps["lr"][step - 1])


@CHECKS.register("progress bar")
def _progress_bar(runs: Runs) -> str:
    n = N_STEPS // N_EPOCHS
    for epoch in range(1, N_EPOCHS + 1):
        values = re.escape(bar_postfix(runs.components, *_recorded(runs, n * epoch)))
        full = rf"^Epoch {epoch}/{N_EPOCHS}: 100%\|.{{10}}\| {n}/{n} \[\d\d:\d\d<00:00, {values}\]$"
        _require(re.search(full, runs.console, re.MULTILINE), f"no full bar of epoch {epoch} as recorded")
    return f"{N_EPOCHS} full bars, Total, LR and {len(runs.components)} components as in steps.jsonl"


@CHECKS.register("step lines")
def _step_lines(runs: Runs) -> str:
    lines, steps = runs.console.splitlines(), range(4, N_STEPS + 1, 4)
    for step in steps:
        line = step_line(runs.components, step, _recorded(runs, step)[0])
        _require(line in lines, f"'{line}' is missing")
    return f"{len(steps)} lines, one every 4 steps, as in steps.jsonl"


@CHECKS.register("epoch summaries")
def _epoch_summaries(runs: Runs) -> str:
    for epoch in range(1, N_EPOCHS + 1):
        _require(f"Epoch {epoch}/{N_EPOCHS} Summary:" in runs.console, f"no summary of epoch {epoch}")
    for word in ("  Train - Total: ", "  Val   - Total: ", "  LR: ", "  Baseline - "):
        _require(runs.console.count(word) >= N_EPOCHS, f"'{word.strip()}' is missing")
    return f"{N_EPOCHS} summaries with baselines"


@CHECKS.register("total = sum of weight x component")
def _totals(runs: Runs) -> str:
    steps = read_steps(runs.whole)
    _require(len(steps["step"]) == N_STEPS, f"{len(steps['step'])} rows instead of {N_STEPS}")
    worst = 0.0
    for n, total in enumerate(steps["loss/total"]):
        parts = [c.weight * float(steps[f"loss/{c.name}"][n]) for c in runs.components]
        expected = sum(part for part in parts if not math.isnan(part))
        worst = max(worst, abs(total - expected) / max(abs(expected), 1e-12))
    _require(worst <= 1e-6, f"off by {worst:.2g}")
    return f"{N_STEPS} rows, largest relative difference {worst:.1g}"


@CHECKS.register("training_log.json")
def _training_log(runs: Runs) -> str:
    log = json.loads((runs.whole / "training_log.json").read_text())
    for name in ("train_loss", "learning_rate", "epoch_time", "train/signal", "val/threshold"):
        _require(len(log.get(name, ())) == N_EPOCHS, f"'{name}' has not {N_EPOCHS} values")
    epochs = [e for e in read_events(runs.whole) if isinstance(e, EpochRecord)]
    _require([e.train["total"] for e in epochs] == log["train_loss"], "train_loss differs from events.jsonl")
    return f"{len(log)} series of {N_EPOCHS} epochs, equal to events.jsonl"


@CHECKS.register("run.json and training.log")
def _identity(runs: Runs) -> str:
    run = read_run(runs.whole)
    _require(run_status(runs.whole) == "finished", f"status {run_status(runs.whole)}")
    _require(all(c.baseline is not None for c in run.components), "a baseline is missing")
    text = (runs.whole / "training.log").read_text()
    _require(text.count("Summary:") == N_EPOCHS, "training.log lacks summaries")
    return f"finished, {len(run.components)} components with baselines"


@CHECKS.register("TensorBoard")
def _tensorboard(runs: Runs) -> str:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(runs.whole), size_guidance={"scalars": 0, "histograms": 0})
    events.Reload()
    tags = events.Tags()
    names = ["total", *(c.name for c in runs.components)]
    wanted = [f"{part}/{name}" for part in ("step", "train", "val") for name in names]
    missing = [tag for tag in wanted if tag not in tags["scalars"]]
    _require(not missing, f"missing: {', '.join(missing)}")
    for tag in wanted:
        order = [point.step for point in events.Scalars(tag)]
        _require(order == sorted(set(order)), f"steps of {tag} are not increasing")
    _require(tags["histograms"], "no histograms")
    return f"{len(tags['scalars'])} scalar and {len(tags['histograms'])} histogram series"


@CHECKS.register("figure")
def _figure(runs: Runs) -> str:
    path = runs.whole / "figures" / "training_progress.png"
    _require(path.read_bytes().startswith(b"\x89PNG"), "not a PNG")
    return f"{path.stat().st_size // 1024} KiB"


@CHECKS.register("tracker, offline")
def _tracker(runs: Runs) -> str:
    if not find_spec("wandb"):
        raise NotChecked('not installed: pip install "neuroprism[wandb]"')
    files = list(runs.whole.glob("**/*.wandb"))
    _require(files and files[0].stat().st_size > 0, "no offline run of Weights & Biases")
    failed = [e for e in read_events(runs.whole) if isinstance(e, Alert) and e.kind == "sink_failed"]
    _require(not failed, failed[0].message if failed else "")
    return f"Weights & Biases, {files[0].stat().st_size // 1024} KiB"


@CHECKS.register("checkpoints")
def _checkpoints(runs: Runs) -> str:
    for name in ("last.pt", "best.pt"):
        state = torch.load(runs.whole / "checkpoints" / name, weights_only=True)
        _require("scaler" in state["task_state"], f"{name} has no scaler")
        _require(state["task_state"]["class_names"], f"{name} has no class names")
    return "last.pt and best.pt hold plain tensors, scaler and class names"


@CHECKS.register("alert")
def _alert(runs: Runs) -> str:
    alerts = [e for e in read_events(runs.diverged) if isinstance(e, Alert) and e.kind == "non_finite"]
    _require(alerts, "no alert of kind non_finite")
    _require(run_status(runs.diverged) == "failed", f"status {run_status(runs.diverged)}")
    _require(runs.error, "training was not stopped")
    return alerts[0].message


@CHECKS.register("resume")
def _resume(runs: Runs) -> str:
    whole, resumed = read_steps(runs.whole), read_steps(runs.resumed)
    _require(resumed["step"].tolist() == list(range(1, N_STEPS + 1)), "steps have duplicates or gaps")
    for name, values in whole.items():
        _require(values.tobytes() == resumed[name].tobytes(), f"{name} differs from the uninterrupted run")
    states: list[dict[str, Any]] = [
        torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["model"]
        for folder in (runs.whole, runs.resumed)
    ]
    for name, value in states[0].items():
        _require(torch.equal(value, states[1][name]), f"weights differ: {name}")
    return "2 + 1 epochs equal 3, rows and weights bit for bit"
