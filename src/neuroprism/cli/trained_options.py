"""Options of commands that use a trained ABR network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from neuroprism.core.errors import UserError

if TYPE_CHECKING:
    from neuroprism.abr.trained import TrainedAbr, Weights

N_THREADS = 1
"""As in training: threads of a network this small wait for each other where another program has a core."""

CheckpointArgument = Annotated[
    Path, typer.Argument(help="Checkpoint file, or run folder.", metavar="CHECKPOINT", show_default=False)
]
WeightsOption = Annotated[str, typer.Option(help="Of a run folder: selected or last.", metavar="WHICH")]
DeviceOption = Annotated[
    str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1 or mps.", metavar="DEVICE")
]
ProgressOption = Annotated[bool, typer.Option("--progress/--no-progress", help="Show a bar on a terminal.")]


def read_network(checkpoint: Path, *, device: str, weights: str) -> TrainedAbr:
    """Read the network that the options name.

    Raises
    ------
    UserError
        With one line, if an option makes no sense or the checkpoint cannot be used.
    """
    import torch

    from neuroprism.abr.trained import load_trained

    if weights not in ("selected", "last"):
        raise UserError(f"--weights must be selected or last, not '{weights}'")
    torch.set_num_threads(N_THREADS)
    return load_trained(checkpoint, device=device, weights=cast("Weights", weights))
