"""Traces from a CSV file, or one line that names the cell at fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroprism.abr.trace_table import read_traces
from neuroprism.core.errors import DataError

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "traces.csv"
        path.write_text(text)
        return path

    return to_file


def refusal(path: Path, **options: float) -> str:
    with pytest.raises(DataError) as caught:
        read_traces(path, **{"sample_rate_hz": 1000.0, **options})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_everything_that_a_table_may_say(write: Write) -> None:
    path = write(
        "patient_id,ear,level_db_nhl,rate_hz,age_years,sample_rate_hz,start_ms,1,2,3\n"
        "a,left,80,33.1,0.5,1000,-1,0.1,0.2,0.3\n"
        "a,R,60,33.1,,1000,-1,0.4,0.5,-6e-1\n\n"
    )
    found = read_traces(path)
    np.testing.assert_allclose(found.signal_uv, [[0.1, 0.2, 0.3], [0.4, 0.5, -0.6]], rtol=1e-6)
    assert (found.sample_rate_hz, found.start_ms) == (1000.0, -1.0)
    assert found.ear.tolist() == ["L", "R"]
    assert found.level_db_nhl.tolist() == [80, 60]
    assert np.isnan(found.age_years).tolist() == [False, True]
    assert np.isnan(found.fmp).all()


def test_least_that_a_table_must_say(write: Write) -> None:
    found = read_traces(write("0,1,2\n1,2,3\n"), sample_rate_hz=1000.0)
    assert found.signal_uv.tolist() == [[1, 2, 3]]
    assert (found.start_ms, found.ear.tolist(), found.patient_id.tolist()) == (0.0, ["unknown"], [""])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no recording"),
        ("1,2,3\n", "holds no recording"),
        ("a,1,2\n0,1,2\n", "unknown column 'a'"),
        ("age_yars,1,2\n0,1,2\n", "did you mean 'age_years'?"),
        ("age_years\n0\n", "has no samples"),
        ("1,2,4\n1,2,3\n", "the column of sample 3 is missing"),
        ("2,3\n1,2\n", "the column of sample 1 is missing"),
        ("1,1,2\n1,2,3\n", "the column '1' stands there twice"),
        ("1,2\n1\n", "row 2: 1 cells, but there are 2 columns"),
        ("1,2\n1,x\n", "row 2, column '2': 'x' is not a number"),
        ("ear,1\nleft,1\nup,1\n", "row 3, column 'ear': 'up' is not L, R or empty"),
        ("sample_rate_hz,1\n1000,1\n2000,1\n", "must be the same in every row"),
        ("sample_rate_hz,1\n2000,1\n", "says sample_rate_hz 2000, but 1000 was given"),
    ],
)
def test_one_line_for_each_fault(write: Write, text: str, said: str) -> None:
    assert said in refusal(write(text))


def test_files_that_are_no_text(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    assert "no CSV text" in refusal(tmp_path / "binary.csv")


def test_the_sampling_rate_is_asked_for(write: Write) -> None:
    with pytest.raises(DataError, match="sampling rate of the traces is missing"):
        read_traces(write("1,2\n1,2\n"))
