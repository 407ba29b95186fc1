"""`neuroprism datasets`: the table and the cards say what is declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from neuroprism.cli.app import run
from neuroprism.eeg.catalog import datasets


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["datasets", *words]) == 0
    return capsys.readouterr().out


def test_table_has_a_line_for_each_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys).splitlines()
    assert len(lines) == len(datasets) + 1
    assert max(map(len, lines)) <= 110
    rows = {line.split()[0]: line for line in lines[1:]}
    assert rows.keys() == datasets.keys()
    assert list(rows) == sorted(rows, key=str.casefold)
    row = rows["MentalArithmetic"]
    for part in ("binary", " 2 ", "20 x 5", "1,343/172/192", "open; Open Data Commons"):
        assert part in row
    assert "20 x 6 x 30" in rows["ISRUC"]


@pytest.mark.parametrize("name", sorted(datasets))
def test_card_has_everything(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = datasets[name].spec
    out = shown(capsys, name)
    assert max(map(len, out.splitlines())) <= 110
    text = " ".join(out.split())
    parts: list[Any] = [spec.name, spec.title, spec.task, spec.loss, *spec.metrics, spec.criterion]
    parts += [spec.label_rule, " ".join(spec.channels), spec.split.text, spec.access, spec.licence]
    parts += [spec.citation, spec.source, spec.raw_layout, *spec.notes, f"{spec.n_subjects}"]
    parts += [f"{k} {label}" for k, label in enumerate(spec.class_names)]
    parts += [f"{n:,}" for n in spec.expected.values()]
    parts += [f"{value:g}" for anchor in spec.anchors for value in anchor.values.values()]
    parts += [anchor.source for anchor in spec.anchors]
    for part in parts:
        assert " ".join(part.split()) in text, part


def test_card_describes_the_filters(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "PhysioNet-MI")
    assert "above 0.3 Hz, zero-phase FIR; notch 60 Hz; average reference; divided by 100 uV" in out
    assert "0.3-75 Hz" in shown(capsys, "Mumtaz2016")


def test_unknown_name_is_refused_with_the_nearest(refused: Callable[..., str]) -> None:
    command = refused.command  # type: ignore[attr-defined]
    assert command("datasets", "TUABB") == "unknown dataset 'TUABB'; did you mean 'TUAB'?"
    assert "did you mean 'MentalArithmetic'?" in command("prepare", "MentalArithmetics", "raw", "out")
    assert "did you mean 'ISRUC'?" in command("import-lmdb", "ISRUK", "old", "out")
    assert "did you mean 'FACED'?" in command("simulate", "eeg", "FACE", "out")
