from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neuroprism.monitor import run_identity


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_identifiers_differ() -> None:
    identifiers = {run_identity.new_run_id() for _ in range(100)}
    assert len(identifiers) == 100
    assert all(len(identifier) == 12 and int(identifier, 16) >= 0 for identifier in identifiers)


def test_the_revision_says_whether_files_were_changed(tmp_path: Path) -> None:
    assert run_identity.git_revision(tmp_path) is None
    git(tmp_path, "init", "--quiet")
    assert run_identity.git_revision(tmp_path) is None
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert run_identity.git_revision(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert run_identity.git_revision(tmp_path) == f"{head}-dirty"


def test_without_git_there_is_no_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_identity.git_revision() is None


def test_versions_are_read_without_importing() -> None:
    code = "import sys; from neuroprism.monitor.run_identity import versions; v = versions(); "
    code += "assert 'torch' not in sys.modules; print(v['torch'], v['python'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_is_known_by_its_start() -> None:
    own = run_identity.process_started(os.getpid())
    assert own is not None
    assert own == run_identity.process_started(os.getpid())
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        later = run_identity.process_started(child.pid)
        assert later is not None
        assert later > own
        child.kill()
        # Dead, and not yet waited for.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert run_identity.process_started(child.pid) is None
    assert run_identity.process_started(child.pid) is None


def test_what_ps_prints_is_understood() -> None:
    first = run_identity._parse_lstart("Mon Nov 23 05:17:03 2026\n")
    second = run_identity._parse_lstart("Mon Nov 23 05:17:04 2026    \n")
    assert first is not None
    assert second == first + 1
    assert run_identity._parse_lstart("") is None
