"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from neuroprism.core.config import load, parse_override
from neuroprism.core.errors import ConfigError
from neuroprism.core.section import Section

if TYPE_CHECKING:
    from neuroprism.abr.config import AbrConfig

ConfigT = TypeVar("ConfigT", bound=Section)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file with the configuration.", metavar="FILE")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set any configuration key; may be given several times.", metavar="KEY=VALUE"),
]


def load_abr(file: Path | None, flags: dict[str, Any], assignments: list[str] | None) -> AbrConfig:
    """Load the ABR configuration; see `load_config`."""
    from neuroprism.abr.config import AbrConfig

    return load_config(AbrConfig, file, flags, assignments)


def load_config(
    root: type[ConfigT], file: Path | None, flags: dict[str, Any], assignments: list[str] | None
) -> ConfigT:
    """Load a configuration: flag before environment before file before default.

    Parameters
    ----------
    root
        Class of the whole configuration.
    file
        YAML file, or None for the defaults.
    flags
        Values of named flags by dotted key; None means that the flag was not given.
    assignments
        ``KEY=VALUE`` texts of ``--set``; of two for one key the later one holds.

    Raises
    ------
    ConfigError
        If a key or value is refused, or a flag and a ``--set`` contradict each other.
    """
    overrides = [parse_override(text) for text in assignments or ()]
    assigned = {path: value for path, value, _ in overrides}
    for path, value in flags.items():
        if value is None:
            continue
        if path in assigned and assigned[path] != value:
            raise ConfigError(f"{path} is {value} by its own flag and {assigned[path]} by --set; give one")
        overrides.append((path, value, "command line"))
    return load(root, file=file, environment=os.environ, overrides=overrides)
