"""Hostile files through the command line: exit code 2, one line, no traceback, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostile.corpus import HOSTILE
from hostile.reader import files_of
from hostile.table import READERS
from neuroprism.cli.app import run

COMMANDS = [name for name, reader in READERS.items() if reader.command]
KINDS = (
    "empty",
    "every byte",
    "JSON too deep",
    "YAML of a call",
    "YAML that multiplies",
    "zip of a way out",
    "zip of a lie",
    "npy of objects",
    "torch",
    "joblib",
    "pickle in a dict",
    "pickle of a high number",
    "pickle that multiplies",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_refuses_in_one_line(
    name: str,
    tmp_path: Path,
    canary: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, folder = READERS[name], tmp_path / "source"
    source = reader.source(folder)
    assert reader.command is not None
    main = source if source.is_file() else _first_that_matters(name, folder)
    monkeypatch.chdir(tmp_path)
    names = set(tmp_path.rglob("*"))
    for kind in KINDS:
        if kind in reader.takes:
            continue
        main.write_bytes(HOSTILE[kind](canary))
        capsys.readouterr()
        code = run(reader.command(source))
        shown = capsys.readouterr()
        assert (code, shown.out, shown.err.count("\n")) == (2, "", 1), f"{kind}: {shown.err}"
        assert shown.err.startswith("neuroprism: ")
        assert set(tmp_path.rglob("*")) == names, kind


def _first_that_matters(name: str, folder: Path) -> Path:
    files = {path.suffix: path for path in files_of(folder)}
    by_name = {path.name: path for path in files_of(folder)}
    for wanted in ("run.json", "steps.jsonl", ".zarray"):
        if wanted in by_name:
            return by_name[wanted]
    for suffix in (".hea", ".mdb", ".pkl"):
        if suffix in files:
            return files[suffix]
    raise AssertionError(f"{name}: which file matters?")
