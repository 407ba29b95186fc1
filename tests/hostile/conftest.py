"""What tests of hostile files share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that nothing may create, in a folder that a pickle can write to."""
    folder = tmp_path / "cage"
    folder.mkdir()
    return folder / "canary"
