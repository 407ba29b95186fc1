"""The script for SLURM in the documentation, with stand-ins for the commands of the batch system."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neuroprism.train import load_checkpoint

ROOT = Path(__file__).parents[2]
SRUN = """
import os, signal, subprocess, sys

started = []
signal.signal(signal.SIGTERM, lambda number, frame: [process.send_signal(number) for process in started])
for task in map(str, range(int(os.environ["SLURM_NTASKS"]))):
    place = {"SLURM_PROCID": task, "SLURM_LOCALID": task}
    started.append(subprocess.Popen(sys.argv[1:], env={**os.environ, **place}))
open("srun.pid", "w").write(str(os.getpid()))
sys.exit(max(process.wait() for process in started))
"""
SCONTROL = """
import os, sys

open("scontrol.txt", "a").write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "show":
    print("127.0.0.1")
"""
JOB = {
    "SLURM_JOB_ID": str(os.getpid()),
    "SLURM_JOB_NODELIST": "here",
    "SLURM_JOB_NUM_NODES": "1",
    "SLURM_NTASKS": "2",
}


@pytest.fixture
def job(tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command of the job and its environment, in a folder with the shipped configurations."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```slurm\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "job.sh").write_text(script)
    (tmp_path / "bin").mkdir()
    python = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
    srun, scontrol = (f"#!{sys.executable}\n{code}" for code in (SRUN, SCONTROL))
    for name, text in (("python", python), ("srun", srun), ("scontrol", scontrol)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copy(ROOT / "train.py", tmp_path)
    return ["bash", "job.sh"], {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "OMP_NUM_THREADS": "1", **JOB}


def settings(program: Any, **more: Any) -> dict[str, str]:
    """Return the small network and data of the tests as variables, which the script leaves room for."""
    words = program.arguments(**more)
    pairs = [words[place + 1].partition("=") for place, word in enumerate(words) if word == "--set"]
    return {
        f"NEUROPRISM__{key.upper().replace('.', '__')}": value
        for key, _, value in pairs
        if key != "logging.log_dir"
    }


@pytest.mark.slow
def test_the_job_saves_on_sigterm_is_queued_again_and_goes_on(
    program: Any, job: tuple[list[str], dict[str, str]]
) -> None:
    command, environment = job
    endless = settings(program, training__epochs=100000, training__log_frequency=1)
    with subprocess.Popen(
        command, env=environment | endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any(line.startswith("Step 4 ") for line in process.stdout), process.communicate()[1]
        os.kill(int(Path("srun.pid").read_text()), signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    told = [line for line in errors.splitlines() if line.startswith("neuroprism:")]
    assert len(told) == 1
    assert told[0].startswith("neuroprism: ended by SIGTERM after step ")
    assert Path("scontrol.txt").read_text().splitlines()[-1] == f"requeue {JOB['SLURM_JOB_ID']}"
    saved = load_checkpoint(Path("logs/first"))
    assert len(saved.training["random_of_others"]) == 1

    finite = settings(program, training__epochs=saved.epoch + 2, training__log_frequency=1)
    again = subprocess.run(
        command, env=environment | finite, capture_output=True, text=True, timeout=120, check=False
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(Path("logs/first/run.json").read_text())["status"] == "finished"
    rows = Path("logs/first/steps.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == list(range(1, 3 * (saved.epoch + 2) + 1))
    asked = [line.split()[0] for line in Path("scontrol.txt").read_text().splitlines()]
    assert asked == ["show", "requeue", "show"]
