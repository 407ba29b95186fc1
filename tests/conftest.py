"""What all tests share."""

from __future__ import annotations

import os
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
