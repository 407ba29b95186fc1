"""The program starts without the libraries that training needs: help and records of runs come at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "scipy", "sklearn", "mne", "matplotlib", "torchmetrics", "lightning_fabric", "wfdb"}


def loaded(code: str, folder: Path) -> set[str]:
    """Return the heavy libraries that a fresh interpreter loads for `code`."""
    program = f"{code}\nimport sys\nprint('\\nloaded', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    return HEAVY & set(done.stdout.splitlines()[-1].split())


def test_the_program_itself_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded("import neuroprism.cli.app", tmp_path) == set()


@pytest.mark.parametrize("words", [["compare", "a", "b"], ["summary", "a"], ["diagnose", "a"]], ids=" ".join)
def test_reading_runs_loads_no_torch(words: list[str], tmp_path: Path) -> None:
    recorded = (
        "from neuroprism.monitor import Monitor\n"
        "for name in 'ab':\n"
        "    with Monitor(name, {'fit': 1.0}, name=name) as monitor:\n"
        "        for k in range(3):\n"
        "            monitor.step({'fit': 1.0 / (1 + k)}, lr=1e-3)\n"
        "        monitor.epoch(val={'fit': 0.5})\n"
    )
    asked = f"from neuroprism.cli.app import run\nassert run({words!r}) == 0"
    assert loaded(f"{recorded}{asked}", tmp_path) == set()


def test_simulating_loads_no_torch(tmp_path: Path) -> None:
    code = "from neuroprism.abr import SimulationConfig, simulate\nsimulate(SimulationConfig(n_patients=1))"
    assert loaded(code, tmp_path) == set()
