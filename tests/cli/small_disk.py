"""Runs command lines, each in a folder on a disk of its own that is too small; started by `test_full_disk`.

Everything happens in a name space of mounts that ends with this process.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from neuroprism.cli.app import run
from neuroprism.train import Trainer


def train(words: list[str], place: Path, kib: int, out: Path) -> None:
    """Train on a disk of `kib` KiB at `place`; copy to `out` what it holds, what was said and the weights."""
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(place)], check=True)
    tasks: list[Any] = []
    plain = Trainer.fit

    def fit(trainer: Trainer, task: Any, *given: Any, **named: Any) -> Any:
        tasks.append(task)
        return plain(trainer, task, *given, **named)

    said = io.StringIO()
    Trainer.fit = fit  # type: ignore[method-assign]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = run(words)
    finally:
        Trainer.fit = plain  # type: ignore[method-assign]
    shutil.copytree(place, out / "disk")
    (out / "result.json").write_text(json.dumps({"code": code, "said": said.getvalue()}))
    if tasks:
        torch.save(tasks[0].model.state_dict(), out / "weights.pt")


if __name__ == "__main__":
    for case in json.loads(sys.argv[1]):
        train(case["words"], Path(case["place"]), case["kib"], Path(case["out"]))
