"""A damaged file is read or refused in one line, whatever the damage; `benchmarks/fuzz.py` looks longer."""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile.mutation import mutated
from hostile.reader import files_of
from hostile.table import READERS
from neuroprism.core.errors import UserError

EXAMPLES = 6
"""Damaged files of each reader; the seeds are the same in every run."""


@cache
def valid(name: str) -> tuple[Path, dict[Path, bytes]]:
    folder = Path(mkdtemp()) / "source"
    source = READERS[name].source(folder)
    return source, {path: path.read_bytes() for path in files_of(folder)}


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32))
def test_damage_is_read_or_refused(name: str, seed: int) -> None:
    source, whole = valid(name)
    file = list(whole)[seed % len(whole)]
    file.write_bytes(mutated(whole[file], seed))
    try:
        with warnings.catch_warnings(), suppress(UserError):
            warnings.simplefilter("error")
            READERS[name].read(source)
    finally:
        file.write_bytes(whole[file])


def test_the_same_seed_makes_the_same_damage() -> None:
    content = bytes(range(256)) * 4
    assert mutated(content, 7) == mutated(content, 7)
    assert len({mutated(content, seed) for seed in range(50)}) > 40
