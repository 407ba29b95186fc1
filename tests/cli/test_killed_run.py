"""SIGKILL, SIGTERM and Ctrl-C at random moments and at every point of writing: runs go on unharmed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="forks, and finds the file of a descriptor in /proc"
)


def killed(repository: Path, out: Path, *words: str) -> dict[str, Any]:
    """Return what `benchmarks/kill_test.py` counted, by program."""
    command = [sys.executable, str(repository / "benchmarks/kill_test.py"), "--rounds", "0"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NEUROPRISM__")}
    done = subprocess.run(
        [*command, "--json", str(out), *words], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    return found


@pytest.mark.parametrize(("name", "n_files"), [("ABR", 11), ("EEG", 12)])
def test_a_run_may_die_at_every_point_of_writing(
    name: str, n_files: int, repository: Path, tmp_path: Path
) -> None:
    """Bit-equal at the end, every row once, replaced rows aside; `benchmarks/killing` says what is tested."""
    words = ("--kills", "0", "--signals", "1", "--programs", name, "--every-fault", name)
    tally = killed(repository, tmp_path / "tally.json", *words)[name]
    assert tally["broken"] == []
    assert [moment for moment in tally["missed"] if moment.startswith("Fault")] == []
    assert tally["deaths"] == {
        "half of an append": 3,
        # One more: the checkpoint behind which rows have to go aside.
        "half of a replacement": n_files + 1,
        "before the rename": n_files,
        "after the rename": n_files,
        "SIGTERM": 1,
        "SIGINT": 1,
    }
    assert tally["superseded"] >= 5
    assert tally["runs"] >= 6


@pytest.mark.slow
def test_both_programs_may_die_at_sixty_moments(repository: Path, tmp_path: Path) -> None:
    words = ("--kills", "60", "--signals", "20", "--seed", "1")
    for tally in killed(repository, tmp_path / "tally.json", *words).values():
        assert tally["broken"] == []
        assert tally["steps_lost"] <= sum(tally["deaths"].values())
