"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from neuroprism.abr.config import AbrConfig
from neuroprism.core.config import load, parse_override

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file with the configuration.", metavar="FILE")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set any configuration key; may be given several times.", metavar="KEY=VALUE"),
]


def load_abr(file: Path | None, flags: dict[str, Any], assignments: list[str] | None) -> AbrConfig:
    """Load the ABR configuration: flag before environment before file before default.

    Parameters
    ----------
    file
        YAML file, or None for the defaults.
    flags
        Values of named flags by dotted key; None means that the flag was not given.
    assignments
        ``KEY=VALUE`` texts of ``--set``.
    """
    overrides = [(path, value, "command line") for path, value in flags.items() if value is not None]
    overrides += [parse_override(text) for text in assignments or ()]
    return load(AbrConfig, file=file, environment=os.environ, overrides=overrides)
