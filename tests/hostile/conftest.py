"""Makes the table of readers importable, for these tests and for the processes that they start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:
    sys.path.append(str(TESTS))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that nothing may create, in a folder that a pickle can write to."""
    folder = tmp_path / "cage"
    folder.mkdir()
    return folder / "canary"
