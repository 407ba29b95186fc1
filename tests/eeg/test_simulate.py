"""What all simulators share: names, folders, subjects spread over the splits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroprism.core.errors import ConfigError, UnknownNameError
from neuroprism.eeg.simulate import simulate_raw, simulators
from neuroprism.eeg.simulate.subjects import spread

RANGES = (range(1, 71), range(71, 90), range(90, 110))


@given(st.integers(3, 109))
def test_subjects_are_spread_over_the_splits(n: int) -> None:
    numbers = spread(n, *RANGES)
    assert len(set(numbers)) == len(numbers) == n
    counts = [sum(number in part for number in numbers) for part in RANGES]
    assert sum(counts) == n
    assert min(counts) >= 1
    assert counts[0] >= max(counts[1:]) or counts[0] == 70


@pytest.mark.parametrize("n", [2, 110])
def test_too_few_and_too_many_subjects(n: int) -> None:
    with pytest.raises(ConfigError, match=f"subjects: {n}; the protocol has 3 to 109"):
        spread(n, *RANGES)


def test_there_are_fourteen() -> None:
    assert len(simulators) == len(set(simulators.values())) == 14


def test_wrong_requests(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'TUAB'"):
        simulate_raw("TUABB", tmp_path / "a", n_subjects=3, seed=0)
    with pytest.raises(ConfigError, match="at least 3"):
        simulate_raw("TUAB", tmp_path / "a", n_subjects=2, seed=0)
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ConfigError, match="not an empty folder"):
        simulate_raw("TUAB", tmp_path, n_subjects=3, seed=0)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate_raw("TUEV", tmp_path / folder, n_subjects=3, seed=seed)
    files = {f: sorted(p for p in (tmp_path / f).rglob("*") if p.is_file()) for f in "abc"}
    names = {f: [str(p.relative_to(tmp_path / f)) for p in paths] for f, paths in files.items()}
    assert names["a"] == names["b"] == names["c"]
    content = {f: [p.read_bytes() for p in paths] for f, paths in files.items()}
    assert content["a"] == content["b"]
    assert content["a"] != content["c"]
