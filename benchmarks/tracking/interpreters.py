"""Which interpreter runs which tracker: the one of the project, or one of an environment apart.

Some trackers ask for other versions of a package than the project pins. They are installed in an environment
of their own, which `benchmarks/peers-requirements.txt` describes; `--peers-python` or the variable
`NEUROPRISM_PEERS_PYTHON` names its interpreter. A tracker that the project's environment has runs there.

    python benchmarks/tracking/interpreters.py PACKAGE ...

prints the versions of packages as the interpreter that runs it sees them.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

VARIABLE = "NEUROPRISM_PEERS_PYTHON"


@dataclass(frozen=True)
class Home:
    """Where a tracker is installed.

    Attributes
    ----------
    python
        The interpreter that runs it.
    version
        Of its package, as this interpreter says.
    """

    python: str
    version: str


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let the command line name the interpreter of the environment apart."""
    parser.add_argument(
        "--peers-python",
        default=os.environ.get(VARIABLE),
        metavar="PATH",
        help=f"interpreter with the trackers of benchmarks/peers-requirements.txt; {VARIABLE} names it too",
    )


def homes(packages: Iterable[str], peers_python: str | None) -> dict[str, Home]:
    """Return where the packages are installed; one that is nowhere is left out.

    Parameters
    ----------
    packages
        Names by which they are imported.
    peers_python
        Interpreter of the environment apart; None where there is none.
    """
    wanted = sorted(set(packages))
    found: dict[str, Home] = {}
    for python in filter(None, (sys.executable, peers_python)):
        for package, version in _ask(python, wanted).items():
            found.setdefault(package, Home(python, version))
    return found


def absent_line(names: list[str]) -> str:
    """Say which trackers are missing and how to get them."""
    return (
        f"Not installed here: {'; '.join(names)}. `benchmarks/peers-requirements.txt` says how to make the "
        f"environment that has them; `{VARIABLE}` names its interpreter."
    )


def _ask(python: str, packages: list[str]) -> dict[str, str]:
    try:
        done = subprocess.run(
            [python, __file__, *packages], capture_output=True, text=True, timeout=120, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        sys.exit(f"{python} cannot say what is installed: {said.strip().splitlines()[-1]}")
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def versions_here(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of the packages that this interpreter can import."""
    found = {}
    for package in packages:
        if importlib.util.find_spec(package) is None:
            continue
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
            continue
        # A distribution may have another name than what it installs: mlflow-skinny installs mlflow.
        names = metadata.packages_distributions().get(package, [])
        found[package] = metadata.version(names[0]) if names else "unknown"
    return found


if __name__ == "__main__":
    print(json.dumps(versions_here(sys.argv[1:])))
