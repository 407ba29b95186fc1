"""`neuroprism config`: show the resolved configuration or what its keys mean."""

from __future__ import annotations

from typing import Annotated

import typer

from neuroprism.cli.options import Assignments, ConfigFile, load_config
from neuroprism.core.config import to_yaml
from neuroprism.core.schema import keys
from neuroprism.core.section import Section


def show(
    config: ConfigFile = None,
    assignments: Assignments = None,
    *,
    describe: Annotated[bool, typer.Option("--describe", help="List every key with its meaning.")] = False,
    eeg: Annotated[bool, typer.Option("--eeg", help="That of `finetune`, not of `train`.")] = False,
) -> None:
    """Print the configuration as training would use it."""
    root = _eeg_root() if eeg else _abr_root()
    resolved = load_config(root, config, {}, assignments)
    typer.echo(describe_keys(root) if describe else to_yaml(resolved), nl=False)


def _eeg_root() -> type[Section]:
    from neuroprism.eeg.config import EegConfig

    return EegConfig


def _abr_root() -> type[Section]:
    from neuroprism.abr.config import AbrConfig

    return AbrConfig


def describe_keys(root: type[Section]) -> str:
    """Return one line for every key: name, default, meaning."""
    lines = {
        key.path: f"{key.path} = {key.field.get_default(call_default_factory=True)!s}\n"
        f"    {' '.join((key.field.description or '').split())}\n"
        for key in keys(root)
    }
    return "".join(lines.values())
