"""Simulated raw folders, made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from neuroprism.eeg.simulate import simulate_raw

RawFolder = Callable[[str], Path]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> RawFolder:
    """Return a maker of raw folders with three subjects, to be read only."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("raw") / name
            simulate_raw(name, made[name], n_subjects=3, seed=0)
        return made[name]

    return folder


@pytest.fixture
def own_copy(simulated: RawFolder, tmp_path: Path) -> RawFolder:
    """Return a maker of raw folders that the test may change."""

    def folder(name: str) -> Path:
        return Path(shutil.copytree(simulated(name), tmp_path / name))

    return folder
