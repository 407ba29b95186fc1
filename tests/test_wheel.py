"""What is installed from the wheel is whole, and works where the repository is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent
BUILD = """
import sys
from hatchling.builders.wheel import WheelBuilder
print(*WheelBuilder(sys.argv[1]).build(directory=sys.argv[2]))
"""


def test_the_wheel_holds_every_file_of_the_package_and_no_other() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "src/neuroprism"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()
    expected = {name.removeprefix("src/") for name in listed if (ROOT / name).exists()}
    found = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert found == expected
    assert {"neuroprism/py.typed", "neuroprism/cli/app.py"} <= found


def test_the_wheel_has_the_program_and_the_extras_of_the_pages() -> None:
    metadata = WheelBuilder(str(ROOT)).metadata.core
    assert metadata.scripts == {"neuroprism": "neuroprism.cli:main"}
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    for extra in ("wandb", "trackio", "torchjd"):
        assert f"`{extra}`" in text or f"neuroprism[{extra}]" in text
        assert extra in metadata.optional_dependencies


@pytest.mark.slow
def test_the_installed_wheel_trains_from_an_empty_folder(tmp_path: Path) -> None:
    """With the dependencies of this environment; its own editable installation comes later on the path."""

    def do(*words: str) -> str:
        place, home = str(tmp_path / "site"), tmp_path / "empty"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, *words],
            cwd=home,
            env={"PYTHONPATH": place, "OMP_NUM_THREADS": "1", "HOME": str(home), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    wheel = do("-c", BUILD, str(ROOT), str(tmp_path))
    do(
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        str(tmp_path / "site"),
        wheel,
    )
    assert do("-c", "import neuroprism; print(neuroprism.__file__)").startswith(str(tmp_path / "site"))
    do(
        str(tmp_path / "site" / "bin" / "neuroprism"),
        "train",
        "--fast_dev_run",
        "--set",
        "data.simulation.n_patients=30",
    )
    assert (tmp_path / "empty" / "logs" / "abr" / "checkpoints" / "best.pt").exists()
