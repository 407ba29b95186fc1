"""`neuroprism suggest-weights`: weights of the loss from what a run recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroprism.core.errors import printable_lines


def suggest_weights(
    run: Annotated[Path, typer.Argument(help="Run folder.", metavar="RUN", show_default=False)],
) -> None:
    """Propose `loss.weights` from the recorded gradients of the components, as a YAML fragment."""
    from neuroprism.abr.loss_config import WEIGHT_KEYS
    from neuroprism.runs import load_run
    from neuroprism.runs.weight_suggestion import suggest_for, suggestion_text

    typer.echo(printable_lines(suggestion_text(suggest_for(load_run(run), keys=WEIGHT_KEYS))))
