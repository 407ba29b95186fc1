from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuroprism.core.errors import RunError
from neuroprism.monitor import Monitor, ResumePoint, read_events, read_run, read_steps
from neuroprism.monitor.build import file_sinks


def run(folder: Path, **given: Any) -> Monitor:
    return Monitor(folder, {"mse": 1.0}, sinks=file_sinks(), **given)


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "run"
    with run(folder, config={"training": {"epochs": 2}}) as monitor:
        monitor.step({"mse": 1.0})
        monitor.epoch()
        (folder / "checkpoints").mkdir()
        for name in ("last.pt", "epoch_0001.pt", "mine.pt"):
            (folder / "checkpoints" / name).write_bytes(b"x")
        monitor.checkpoint(folder / "checkpoints" / "epoch_0001.pt", reason="periodic")
        monitor.checkpoint("../outside.pt", reason="periodic")
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "deep" / "outside.pt").write_bytes(b"x")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != ".writers")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_folder_with_a_run_is_left_alone(earlier: Path) -> None:
    before = content(earlier)
    with pytest.raises(RunError, match="already holds a run") as error:
        run(earlier)
    assert "--resume" in str(error.value)
    assert "--overwrite" in str(error.value)
    assert "\n" not in str(error.value)
    assert content(earlier) == before


def test_overwrite_removes_what_a_run_wrote_and_nothing_else(earlier: Path) -> None:
    identifier = read_run(earlier).id
    run(earlier, overwrite=True).close()
    assert read_run(earlier).id != identifier
    assert len(read_steps(earlier)["step"]) == 0
    assert [type(event).__name__ for event in read_events(earlier)] == ["Started", "Finished"]
    assert sorted(content(earlier)) == [
        "checkpoints/mine.pt",
        "events.jsonl",
        "notes.txt",
        "run.json",
        "steps.jsonl",
        "training_log.json",
    ]
    assert (earlier.parent / "outside.pt").exists()


def name_checkpoint(folder: Path, path: str) -> None:
    """Have the events of a run say that it wrote a checkpoint to `path`."""
    line = {"event": "checkpoint", "path": path, "step": 1, "epoch": 1, "reason": "periodic"}
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


@pytest.mark.parametrize(
    "path",
    [
        "../outside.pt",
        "checkpoints/../../outside.pt",
        "link/outside.pt",
        "link.pt",
        ".writers/1",
        ".",
        "..",
        "/",
        "",
        "a\0b",
        "x" * 5000,
        "circle.pt",
        "checkpoints/nowhere.pt",
    ],
)
def test_strange_events_remove_nothing_else(earlier: Path, path: str) -> None:
    (earlier / "link").symlink_to(earlier.parent)
    (earlier / "link.pt").symlink_to(earlier.parent / "outside.pt")
    (earlier / "circle.pt").symlink_to("circle.pt")
    name_checkpoint(earlier, path)
    run(earlier, overwrite=True).close()
    assert (earlier.parent / "outside.pt").read_bytes() == b"x"
    assert (earlier / "notes.txt").read_text() == "mine"
    assert (earlier / "checkpoints/mine.pt").exists()
    assert (earlier / ".writers/1").exists()


@pytest.mark.parametrize("place", ["checkpoints/named.pt", "checkpoints/best.pt", "training.log"])
def test_a_folder_in_place_of_a_file_is_one_line_and_nothing_is_removed(earlier: Path, place: str) -> None:
    (earlier / place).mkdir()
    name_checkpoint(earlier, place)
    before = content(earlier)
    with pytest.raises(RunError, match=rf"cannot replace the run in .*{place} is a folder") as error:
        run(earlier, overwrite=True)
    assert "\n" not in str(error.value)
    assert content(earlier) == before
    (earlier / place).rmdir()
    run(earlier, overwrite=True).close()


def test_resume_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot resume in .*run\.json is missing"):
        run(tmp_path / "new", resume=ResumePoint(step=1, epoch=1))
    assert not (tmp_path / "new").exists()


def test_resume_and_overwrite_exclude_each_other(earlier: Path) -> None:
    with pytest.raises(RunError, match="exclude each other"):
        run(earlier, resume=ResumePoint(step=1, epoch=1), overwrite=True)


@pytest.mark.parametrize("below", ["file/run", "file"])
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match=r"cannot write run folder .*: ") as error:
        run(tmp_path / below)
    assert "\n" not in str(error.value)
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="Permission denied"):
            run(tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


WRITER = """
import sys
from neuroprism.monitor import Monitor
from neuroprism.monitor.build import file_sinks
monitor = Monitor(sys.argv[1], {"mse": 1.0}, sinks=file_sinks())
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def written_by_another(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "busy"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield folder
        process.kill()


@pytest.mark.parametrize("given", [{"resume": ResumePoint(step=0, epoch=0)}, {"overwrite": True}])
def test_a_run_that_another_process_writes_is_not_touched(
    written_by_another: Path, given: dict[str, Any]
) -> None:
    before = content(written_by_another)
    with pytest.raises(RunError, match="is being written by process"):
        run(written_by_another, **given)
    assert content(written_by_another) == before


def test_a_run_left_open_in_this_process_can_be_replaced(tmp_path: Path) -> None:
    first = run(tmp_path)
    second = run(tmp_path, overwrite=True)
    second.close()
    first.close()
