"""`neuroprism baseline` from raw recordings to the table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from neuroprism.cli.app import run

DATASET = "MentalArithmetic"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a store named like its dataset."""
    folder = tmp_path_factory.mktemp("baseline")
    assert run(["simulate", "eeg", DATASET, str(folder / "raw"), "--subjects", "4", "--seed", "2"]) == 0
    assert run(["prepare", DATASET, str(folder / "raw"), str(folder / "stores" / DATASET)]) == 0
    return folder / "stores"


@pytest.fixture
def stores(prepared: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(prepared, tmp_path / "stores"))


def test_tables_and_file(stores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["baseline", DATASET, str(stores), "--seed", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0]
        == f"{DATASET}: by subject number: 0-27 train, 28-31 val, 32-35 test (not the published split)"
    )
    assert lines[1].startswith("Validation, ")
    assert lines[2].split() == ["balanced", "accuracy", "PR-AUC", "ROC-AUC"]
    assert any(line.startswith("Test, ") for line in lines)
    for title in ("log band power + logistic regression", "tangent space + logistic regression", "chance"):
        assert sum(line.startswith(f"  {title}") for line in lines) == 2
    assert any(line.startswith("log band power + logistic regression: C = ") for line in lines)
    path = stores / DATASET / "baseline.json"
    assert lines[-1] == f"Written: {path}"
    content = json.loads(path.read_text())
    assert [result["method"] for result in content["results"]] == ["band_power", "chance", "riemann"]
    assert content["seed"] == 1


def test_the_store_itself_may_be_named_and_one_method(
    stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["baseline", DATASET, str(stores / DATASET), "--method", "riemann_aligned"]) == 0
    out = capsys.readouterr().out
    assert "subjects aligned (transductive)" in out
    assert "log band power" not in out


def test_an_empty_test_split_is_said(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, out = prepared.parent / "raw", tmp_path / "store"
    subjects = sorted({path.name[7:9] for path in raw.glob("*.edf")})
    kept = [word for subject in subjects if int(subject) < 32 for word in ("--subjects", subject)]
    assert run(["prepare", DATASET, str(raw), str(out), *kept]) == 0
    assert run(["baseline", DATASET, str(out), "--method", "band_power", "--method", "chance"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Test: no window belongs to the test split" in lines
    assert sum(line.startswith("  chance") for line in lines) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["baseline", "MentalArithmetik", "{stores}"], "unknown dataset 'MentalArithmetik'; did you mean"),
        (["baseline", "FACED", "{stores}/" + DATASET], f"holds {DATASET}, not FACED"),
        (["baseline", DATASET, "{stores}/nowhere"], "is no"),
        (["baseline", DATASET, "{stores}", "--method", "riemannn"], "did you mean 'riemann'"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    words: list[str], message: str, stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([word.format(stores=stores) for word in words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(stores.rglob("baseline.json"))
