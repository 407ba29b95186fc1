"""What is there of a planned run already, and what is to be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from neuroprism.core.errors import RunError
from neuroprism.monitor import layout
from neuroprism.monitor.reading import read_run, run_status
from neuroprism.runs.context import read_config
from neuroprism.runs.sweep.config import dotted

Standing = Literal["finished", "new", "resumable", "unusable"]
"""`resumable` has a checkpoint to go on from; `unusable` ended before the first one and begins anew."""

FLAGS: dict[Standing, tuple[str, ...]] = {
    "new": (),
    "resumable": ("--resume",),
    "unusable": ("--overwrite",),
}
"""What the command of a run that is to be made needs besides its settings."""

_DEFINING = ("data", "model", "diffusion", "loss", "training", "reproducibility")


def standing(folder: Path) -> Standing:
    """Return what is to be done with the run of a folder.

    Raises
    ------
    RunError
        If a process still writes there.
    """
    if not (folder / layout.RUN).exists():
        return "new"
    status = run_status(folder)
    if status == "running":
        raise RunError(f"{folder} is being written by process {read_run(folder).pid}; stop it first")
    if status == "finished":
        return "finished"
    return "resumable" if (folder / "checkpoints" / "last.pt").exists() else "unusable"


def check_same_settings(folder: Path, resolved: Mapping[str, Any]) -> None:
    """Refuse a run that was made with other settings than the sweep has now.

    Only sections that define what is learnt count, not those about hardware, display and alerts.

    Raises
    ------
    RunError
        With the first key that differs.
    """
    before, now = (
        dotted({name: content for name, content in config.items() if name in _DEFINING})
        for config in (read_config(folder), resolved)
    )
    for key in {**now, **before}:
        if before.get(key) != now.get(key):
            raise RunError(
                f"{folder} was made with {key}={before.get(key)}, now it is {now.get(key)}; "
                "give the sweep another 'out', or remove that folder"
            )
