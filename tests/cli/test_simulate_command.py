"""`neuroprism simulate abr` and `neuroprism plot abr`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroprism.abr import AbrRecordings, SimulationConfig, load_recordings, simulate
from neuroprism.abr.columns import COLUMNS
from neuroprism.cli.app import run


def equal(one: AbrRecordings, other: AbrRecordings) -> bool:
    return all(
        (a is None and b is None) or np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in ((getattr(one, c.name), getattr(other, c.name)) for c in COLUMNS)
    )


def test_file_holds_what_the_simulator_gave(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", "abr", "a.npz", "--patients", "4", "--seed", "7", "--preset", "clinical"]
    assert run([*words, "--window-ms", "10", "--polarity", "separate"]) == 0
    config = SimulationConfig(n_patients=4, seed=7, preset="clinical", window_ms=10.0, polarity="separate")
    stored = load_recordings(Path("a.npz"))
    assert equal(stored, simulate(config))
    assert stored.n_times == 200
    assert set(stored.polarity) == {"rarefaction", "condensation"}
    out = capsys.readouterr().out
    assert f"{len(stored):,} recordings of 4 patients: a.npz" in out
    assert "Schema with units: a.schema.json" in out
    assert "Classes: normal" in out
    assert "Masked or censored: " in out


def test_seed_decides(program: Any) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert run(["simulate", "abr", name, "--patients", "2", "--seed", seed]) == 0
    a, b, c = (load_recordings(Path(f"{name}.npz")) for name in "abc")
    assert equal(a, b)
    assert not np.array_equal(a.signal_uv[:5], c.signal_uv[:5])


def test_existing_file_is_kept_unless_told(refused: Any) -> None:
    words = ["simulate", "abr", "a.npz", "--patients", "2"]
    assert run(words) == 0
    before = Path("a.npz").read_bytes()
    assert "a.npz exists; replace it with --overwrite" in refused.command(*words, "--seed", "3")
    assert Path("a.npz").read_bytes() == before
    assert run([*words, "--seed", "3", "--overwrite"]) == 0
    assert equal(load_recordings(Path("a.npz")), simulate(SimulationConfig(n_patients=2, seed=3)))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a.npz", "--preset", "clincal"], "did you mean 'clinical'?"),
        (["a.npz", "--patients", "0"], "n_patients"),
        (["a.npz", "--patients", "2.5"], "--patients"),
        (["a.npz", "--window-ms", "11"], "10.0, 12.8, 15.0, not 11"),
        (["a.npz", "--polarity", "both"], "'alternating' or 'separate'"),
        (["a.npz", "--seed", "-1"], "seed"),
        (["."], "is a folder"),
        ([""], "is a folder"),
        (["a" * 300, "--patients", "1"], "cannot write"),
        ([], "OUT"),
    ],
)
def test_mistake_is_refused(words: list[str], expected: str, refused: Any) -> None:
    assert expected in refused.command("simulate", "abr", *words)


def test_file_in_place_of_the_folder(refused: Any) -> None:
    Path("way").write_text("in the way")
    assert "cannot write" in refused.command("simulate", "abr", "way/a.npz", "--patients", "1")


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.svg", b"<?xml")])
def test_plot_draws_in_the_format_of_the_name(
    name: str, magic: bytes, program: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plot", "abr", str(program.data), "--out", name]) == 0
    assert Path(name).read_bytes().startswith(magic)
    assert capsys.readouterr().out == f"Figure: {name}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["missing.npz"], "no recordings at missing.npz"),
        ([""], "is a folder"),
        (["."], "is a folder"),
        (["DATA", "--out", "a.gif"], "must end in .png, .pdf, .svg"),
        (["DATA", "--out", "way/a.png"], "cannot write"),
    ],
)
def test_plot_refuses(words: list[str], expected: str, program: Any, refused: Any) -> None:
    Path("way").write_text("in the way")
    filled = [str(program.data) if word == "DATA" else word for word in words]
    assert expected in refused.command("plot", "abr", *filled)
