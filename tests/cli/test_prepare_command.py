"""`neuroprism simulate eeg`, `prepare` and `import-lmdb` from the command line."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from neuroprism.cli.app import run
from neuroprism.eeg.store import EegStore

NAME = "MentalArithmetic"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four simulated subjects."""
    folder = tmp_path_factory.mktemp("simulated") / "raw"
    assert run(["simulate", "eeg", NAME, str(folder), "--subjects", "4", "--seed", "1"]) == 0
    return folder


@pytest.fixture
def command(refused: Callable[..., str]) -> Callable[..., str]:
    """Return a check that a command is refused in one line and writes nothing."""
    check: Callable[..., str] = refused.command  # type: ignore[attr-defined]
    return check


def subjects_of(raw: Path) -> list[str]:
    return sorted({path.stem[7:9] for path in raw.glob("*.edf")})


def test_simulated_recordings_become_a_store(
    raw: Path, program: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prepare", NAME, str(raw), "store", "--jobs", "2"]) == 0
    shown = capsys.readouterr()
    assert f"{NAME}: 8 recordings found in {raw}; 8 prepared, 0 unchanged" in shown.out
    assert "Part of the dataset: 4 of 36 subjects" in shown.out
    assert shown.err == ""
    store = EegStore.open(Path("store"), NAME)
    assert sorted(set(store.subjects)) == subjects_of(raw)
    assert store.card.preprocessing["resampling"] == "polyphase"
    assert f"train {len(store.indices('train'))} 2 36 24 " in " ".join(shown.out.split())
    assert run(["prepare", NAME, str(raw), "store"]) == 0
    assert "0 prepared, 8 unchanged" in capsys.readouterr().out


def test_several_subjects_are_given_as_words(
    raw: Path, program: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = subjects_of(raw)
    assert run(["prepare", NAME, str(raw), "store", "--subjects", first, second]) == 0
    assert sorted(set(EegStore.open(Path("store")).subjects)) == [first, second]


def test_seed_and_number_of_subjects_decide(raw: Path, program: Any) -> None:
    words = ["simulate", "eeg", NAME, "--subjects", "4", "--seed"]
    assert run([*words, "1", "same"]) == run([*words, "2", "other"]) == 0
    for path in raw.glob("*.edf"):
        assert (Path("same") / path.name).read_bytes() == path.read_bytes()
        assert (Path("other") / path.name).read_bytes() != path.read_bytes()


def test_simulation_leaves_other_files_alone(command: Callable[..., str]) -> None:
    Path("full").mkdir()
    Path("full/notes.txt").write_text("x")
    Path("way").write_text("in the way")
    assert "full: not an empty folder" in command("simulate", "eeg", NAME, "full")
    assert "way" in command("simulate", "eeg", NAME, "way")
    assert "cannot write way/raw" in command("simulate", "eeg", NAME, "way/raw")
    assert "at least 3" in command("simulate", "eeg", NAME, "raw", "--subjects", "2")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["RAW", "store", "--subjects", "99"], "no subject 99; there are "),
        (["RAW", "store", "--jobs", "0"], "jobs: 0; at least 1"),
        (["RAW", "RAW"], "the folder holds other files"),
        (["nowhere", "store"], "no raw folder at nowhere"),
        (["empty", "store"], "empty: no file *.edf; expected SubjectNN_1.edf"),
        (["RAW", "way/store"], "cannot write"),
        (["RAW"], "OUT"),
    ],
)
def test_mistake_is_refused(
    words: list[str], expected: str, raw: Path, program: Any, command: Callable[..., str]
) -> None:
    Path("way").write_text("in the way")
    Path("empty").mkdir()
    filled = [str(raw) if word == "RAW" else word for word in words]
    assert expected in command("prepare", NAME, *filled)


def test_bad_recording_ends_it_or_is_named(
    raw: Path, program: Any, command: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("raw").mkdir()
    for path in raw.glob("*.edf"):
        (Path("raw") / path.name).write_bytes(path.read_bytes())
    first = subjects_of(raw)[0]
    bad = Path("raw") / f"Subject{first}_1.edf"
    bad.write_bytes(bad.read_bytes()[:-1000])
    assert f"Subject{first}_1.edf" in command("prepare", NAME, "raw", "store")
    assert run(["prepare", NAME, "raw", "store", "--skip-bad"]) == 0
    assert f"Bad: Subject{first}_1: " in capsys.readouterr().out
    assert [b.what for b in EegStore.open(Path("store")).card.bad] == [f"Subject{first}_1"]


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch executed",)


def write_lmdb(path: str, samples: dict[str, Any]) -> None:
    keys = {"train": [*samples], "val": [], "test": []}
    with lmdb.open(path, map_size=2**24) as environment, environment.begin(write=True) as transaction:
        for key, value in {**samples, "__keys__": keys}.items():
            transaction.put(key.encode(), pickle.dumps(value))


def test_lmdb_of_earlier_code_is_converted(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.random.default_rng(0).normal(0, 0.2, (20, 5, 200))
    write_lmdb("old", {"Subject03_1-0": {"sample": values, "label": 1}})
    assert run(["import-lmdb", NAME, "old", "new", "--factor", "100"]) == 0
    assert "Converted from a store of earlier code" in capsys.readouterr().out
    store = EegStore.open(Path("new"), NAME)
    assert store.subjects.tolist() == ["03"]
    assert np.abs(store.read([0])[0] - 100 * values.reshape(20, 1000)).max() < 0.01


def test_malicious_lmdb_is_refused(program: Any, command: Callable[..., str]) -> None:
    write_lmdb("old", {"Subject03_1-0": Hostile()})
    assert "refused: it asks for posix.system" in command("import-lmdb", NAME, "old", "new")
    assert not Path("executed").exists()
