"""`neuroprism config`: show the resolved configuration or what its keys mean."""

from __future__ import annotations

from typing import Annotated

import typer

from neuroprism.abr.config import AbrConfig
from neuroprism.cli.options import Assignments, ConfigFile, load_abr
from neuroprism.core.config import to_yaml
from neuroprism.core.schema import keys


def show(
    config: ConfigFile = None,
    assignments: Assignments = None,
    *,
    describe: Annotated[bool, typer.Option("--describe", help="List every key with its meaning.")] = False,
) -> None:
    """Print the configuration as training would use it."""
    resolved = load_abr(config, {}, assignments)
    typer.echo(describe_keys() if describe else to_yaml(resolved), nl=False)


def describe_keys() -> str:
    """Return one line for every key: name, default, meaning."""
    lines = {
        key.path: f"{key.path} = {key.field.get_default(call_default_factory=True)!s}\n"
        f"    {' '.join((key.field.description or '').split())}\n"
        for key in keys(AbrConfig)
    }
    return "".join(lines.values())
