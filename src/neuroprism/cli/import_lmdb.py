"""`neuroprism import-lmdb`: a store of earlier code into one of this project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def import_lmdb(
    name: Annotated[str, typer.Argument(help="Dataset; `neuroprism datasets` lists them.", metavar="NAME")],
    old: Annotated[
        Path, typer.Argument(help="LMDB, folders of .pkl files, or folders seq and labels.", metavar="OLD")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the new store.", metavar="OUT")],
    factor: Annotated[
        float, typer.Option(help="Stored values times this are microvolt.", metavar="FACTOR")
    ] = 1.0,
) -> None:
    """Convert windows that earlier code stored; no pickled object is executed."""
    from neuroprism.eeg.catalog import datasets
    from neuroprism.eeg.legacy_store import import_legacy

    typer.echo(import_legacy(datasets[name], old, out, factor=factor).text())
