"""`benchmarks/run.py` makes one page of whatever benchmarks there are."""

from __future__ import annotations

import re
import runpy
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    """A folder with the runner and three benchmarks, one of which fails."""
    shutil.copy(repository / "benchmarks" / "run.py", tmp_path)
    (tmp_path / "plain.py").write_text('"""Speed of light."""\nprint("  1 c")\n')
    (tmp_path / "whole.py").write_text('print("## A section\\n\\n| a |\\n|---|\\n| 1 |")\n')
    (tmp_path / "broken.py").write_text('"""Breaks."""\nraise OSError("no disk")\n')
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_page_has_every_benchmark_and_says_what_failed(folder: Path) -> None:
    assert run(folder).returncode == 1
    page = (folder / "RESULTS.md").read_text(encoding="utf-8")
    assert "## Speed of light\n\n```text\n  1 c\n```\n" in page
    assert "## A section\n\n| a |" in page
    assert "## Breaks\n\n`broken.py`. FAILED with exit code 1: `OSError: no disk`" in page
    assert "cores" in page
    assert re.search(r"`plain\.py`\. Took \d+ s on [\d-]+\. Other programs used \d+\.\d of \d+ cores", page)
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", page)


def test_some_can_be_chosen_and_wrong_names_are_refused(folder: Path) -> None:
    assert run(folder, "plain", "--out", str(folder / "some.md")).returncode == 0
    assert "A section" not in (folder / "some.md").read_text(encoding="utf-8")
    refused = run(folder, "fantasy")
    assert refused.returncode == 1
    assert "there are: broken, plain, whole" in refused.stderr


def test_one_that_runs_alone_replaces_its_own_section(folder: Path) -> None:
    run(folder)
    (folder / "plain.py").write_text('"""Speed of light."""\nprint("  2 c")\n')
    assert run(folder, "plain").returncode == 0
    page = (folder / "RESULTS.md").read_text(encoding="utf-8")
    assert "  2 c" in page
    assert "  1 c" not in page
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## Breaks",
        "## Speed of light",
        "## A section",
    ]


def test_sections_of_another_machine_do_not_stay(folder: Path) -> None:
    run(folder)
    page = folder / "RESULTS.md"
    page.write_text(page.read_text(encoding="utf-8").replace("- Machine: ", "- Machine: Other "))
    run(folder, "plain")
    assert "A section" not in page.read_text(encoding="utf-8")


def test_a_benchmark_may_have_headings_of_its_own(folder: Path) -> None:
    (folder / "whole.py").write_text('print("## First\\n\\n1\\n\\n## Second\\n\\n2")\n')
    run(folder)
    run(folder, "plain")
    page = (folder / "RESULTS.md").read_text(encoding="utf-8")
    assert page.count("## First\n\n1\n\n## Second\n\n2\n") == 1


def test_a_busy_machine_is_said_to_be_busy(repository: Path) -> None:
    say = runpy.run_path(str(repository / "benchmarks" / "run.py"))["load_line"]
    assert "idle" in say(0.0)
    assert "busy" in say(1000.0)


def test_a_benchmark_may_state_its_own_time_limit(repository: Path, tmp_path: Path) -> None:
    limit = runpy.run_path(str(repository / "benchmarks" / "run.py"))["time_limit"]
    (tmp_path / "long.py").write_text("TIME_LIMIT_SECONDS = 3_600\n")
    (tmp_path / "usual.py").write_text("print(1)\n")
    assert limit(tmp_path / "long.py") == 3600
    assert limit(tmp_path / "usual.py") == 600
