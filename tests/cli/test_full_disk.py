"""Training into a real disk that fills up: a tmpfs of some kilobytes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from neuroprism.monitor import read_events, read_steps, run_status
from neuroprism.train import load_checkpoint

SETTINGS = {"training__log_frequency": 1, "logging__use_tensorboard": True}
FULL = "No space left on device"


@pytest.fixture(scope="module")
def mounting(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the words before a command that may mount."""
    words = ["unshare", "--user", "--map-root-user", "--mount"]
    place = str(tmp_path_factory.mktemp("disk"))
    try:
        done = subprocess.run(
            [*words, "mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("no name spaces of mounts here")
    if done.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    return words


def size(folder: Path, pattern: str) -> int:
    """Return KiB as a tmpfs counts them: whole pages."""
    return sum(-(-path.stat().st_size // 4096) * 4 for path in folder.glob(pattern) if path.is_file())


class Disks:
    """One program, once undisturbed and once on each of several disks."""

    def __init__(self, training: Any, folder: Path) -> None:
        self._kind = type(training)
        self.data = training.data
        self.folder = folder
        self.program = self._kind(folder, self.data)
        assert self.program.train("--epochs", "3", experiment="whole", **SETTINGS) == 0
        self.whole = self.program.run_folder("whole")
        record, weights = size(self.whole, "*"), size(self.whole, "checkpoints/last.pt")
        self.rooms = {
            "for nothing": 4,
            "for a part of the record": record - 4,
            "for the record": record + weights // 2,
            "for the first weights": record + 2 * weights + weights // 2,
        }

    def run_folder(self, name: str) -> Path:
        """Return the folder of the run on the disk."""
        return self._kind(self.folder / name, self.data).run_folder()

    def case(self, name: str) -> dict[str, Any]:
        """Return what `small_disk.py` needs to know."""
        words = self._kind(self.folder / name, self.data).arguments("--epochs", "3", **SETTINGS)
        place, out = self.run_folder(name).parent, self.folder / name / "out"
        return {"words": words, "place": str(place), "kib": self.rooms[name], "out": str(out)}

    def left(self, name: str) -> Path:
        """Return the copy of the run folder."""
        return self.folder / name / "out/disk/x"

    def result(self, name: str) -> tuple[int, str]:
        """Return exit code and what was said."""
        found = json.loads((self.folder / name / "out/result.json").read_text())
        return found["code"], found["said"]

    def weights(self, name: str) -> dict[str, Any]:
        """Return the weights that training ended with."""
        found: dict[str, Any] = torch.load(self.folder / name / "out/weights.pt")
        return found


def test_a_disk_that_fills_up_costs_what_does_not_fit(
    program: Any, finetuning: Any, mounting: list[str], repository: Path
) -> None:
    both = [Disks(program, program.folder / "abr"), Disks(finetuning, program.folder / "eeg")]
    cases = [disks.case(name) for disks in both for name in disks.rooms]
    script = str(repository / "tests/cli/small_disk.py")
    subprocess.run([*mounting, sys.executable, script, json.dumps(cases)], check=True)
    for disks in both:
        said = f"neuroprism: cannot write run folder {disks.run_folder('for nothing')}: {FULL}\n"
        assert disks.result("for nothing") == (2, said)
        for name in list(disks.rooms)[1:]:
            check_left(disks, name)
        assert "sink_failed" in disks.result("for a part of the record")[1]
        for name in ("for the record", "for the first weights"):
            check_record(disks.left(name), disks.whole)
        assert not list(disks.left("for the record").rglob("*.pt"))
        check_resumed(disks)


def check_left(disks: Disks, name: str) -> None:
    """Equal weights, everything that is there is readable, and people were told."""
    code, said = disks.result(name)
    assert code == 1
    assert "Traceback" not in said
    assert FULL in said
    assert "Alert checkpoint_failed at step " in said
    assert said.splitlines()[-1].startswith("neuroprism: training reached its end, but the ")
    assert equal(disks.weights(name), load_checkpoint(disks.whole).model)
    folder = disks.left(name)
    steps = read_steps(folder)["step"].tolist()
    assert steps == list(range(1, len(steps) + 1))
    read_events(folder)
    for path in folder.glob("*.json"):
        json.loads(path.read_bytes())
    assert not list(folder.rglob("*.tmp"))


def check_record(folder: Path, whole: Path) -> None:
    """Without the weights the record is whole."""
    assert (folder / "steps.jsonl").read_bytes() == (whole / "steps.jsonl").read_bytes()
    assert run_status(folder) == "failed"
    logs = [json.loads((path / "training_log.json").read_text()) for path in (folder, whole)]
    assert logs[0]["train_loss"] == logs[1]["train_loss"]


def check_resumed(disks: Disks) -> None:
    """On a larger disk the run goes on from its first checkpoint."""
    left = disks.left("for the first weights")
    assert load_checkpoint(left).step == 3
    shutil.copytree(left, disks.program.run_folder("later"))
    assert disks.program.train("--epochs", "3", "--resume", experiment="later", **SETTINGS) == 0
    later = disks.program.run_folder("later")
    assert equal(load_checkpoint(later).model, load_checkpoint(disks.whole).model)
    assert disks.program.rows("later") == disks.program.rows("whole")


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
