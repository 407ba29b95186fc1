"""Names that a run or log brings along are shown as text: no terminal, page or picture obeys them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hostile.run_readers import write_run
from neuroprism.cli.app import run

NAMES = {
    "terminal": "a\x1b[2J\x1b]0;owned\x07b",
    "lines": "a\nneuroprism: done\r\u202eb",
    "markup": "[red]a[/red] <script>alert(1)</script> | **b**",
    "formula": r"$\frac{a$ _b^ \undefined{",
    "path": "../../way_out",
    "long": "x" * 500,
}


def named(folder: Path, name: str) -> Path:
    """Write a run that bears a name, and whose components and metrics do."""
    source = write_run(folder)
    card = json.loads((source / "run.json").read_text())
    card["name"] = name
    for component in card["components"]:
        component["label"] = name
    (source / "run.json").write_text(json.dumps(card))
    # In a series a line break would be shown as one.
    for file in ("events.jsonl", "training_log.json") if "\n" not in name else ():
        text = (source / file).read_text()
        (source / file).write_text(text.replace('"kappa"', json.dumps(name)))
    return source


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("command", ["summary", "diagnose", "compare", "suggest-weights", "export", "plot"])
def test_a_command_shows_a_name_and_obeys_none(
    command: str,
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = named(tmp_path, NAMES[kind])
    monkeypatch.chdir(tmp_path)
    before = {path for path in tmp_path.parent.rglob("*") if source not in path.parents}
    words = [command, str(source)]
    if command == "compare":
        words.append(str(source))
    code = run(words)
    shown = capsys.readouterr()
    assert code in (0, 1, 2)
    text = shown.out + shown.err
    assert "Traceback" not in text
    assert all(letter == "\n" or letter.isprintable() for letter in text), text
    assert not any(line.startswith("neuroprism: done") for line in text.splitlines())
    after = {path for path in tmp_path.parent.rglob("*") if source not in path.parents}
    assert after == before
