"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# One thread a worker: pytest runs one worker per core, and results must not depend on the machine.
os.environ["OMP_NUM_THREADS"] = "1"

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="run the longer proofs too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--runslow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="longer proof: run with --runslow"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Return a finder of folders with real recordings; a test that asks for an absent one is skipped."""
    root = Path(os.environ.get("NEUROPRISM_TEST_DATA", ROOT.parent / "shared" / "data"))

    def folder(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"no real recordings in {root / name}; NEUROPRISM_TEST_DATA names another folder")
        return root / name

    return folder
