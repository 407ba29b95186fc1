"""Checkpoints: plain tensors and numbers, replaced atomically, read without running code."""

from __future__ import annotations

import errno
import pickle
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from neuroprism.core.errors import DataError, RunError
from neuroprism.core.files import replace_with

SCHEMA_VERSION = 1
_LARGE = 1 << 28
_FORMAT = "neuroprism.checkpoint"
_PLAIN = {type(None), bool, int, float, str, Tensor, nn.Parameter}
UNREADABLE = (
    AssertionError,
    MemoryError,
    RuntimeError,
    struct.error,
    EOFError,
    pickle.UnpicklingError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
)
"""What `load_plain` raises for a damaged file, besides `OSError`."""


@dataclass(kw_only=True, slots=True)
class Checkpoint:
    """Everything that a run needs to go on, and a model needs to predict.

    Attributes
    ----------
    epoch
        Epochs that are complete and validated.
    batch
        Batches already used of the epoch that follows; 0 between two epochs.
    step
        Optimizer steps taken.
    task
        Name of the task.
    model
        State of the network as it is being trained.
    average
        Moving average of the parameters by name, None where it is off.
    task_state
        What `Task.checkpoint_state` returned: scaler, class names.
    config
        Resolved configuration of the run, empty where none was given.
    config_hash
        SHA-256 of it.
    monitor
        State of the monitor at this point.
    evaluation
        Validation series of the last validated epoch.
    training
        State of optimizer, schedule, stopping, selection, precision and random numbers.
    """

    epoch: int
    batch: int
    step: int
    task: str
    model: dict[str, Any]
    average: dict[str, Tensor] | None = None
    task_state: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    config_hash: str = ""
    monitor: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, float] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def weights(self) -> dict[str, Any]:
        """Return the state to predict with: the moving average where there is one."""
        return {**self.model, **(self.average or {})}


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace `path` by `checkpoint`; after a kill the old file or the new one is there.

    Raises
    ------
    TypeError
        If a value is neither tensor, number, text, list nor dict; the message names it.
    RunError
        If the file cannot be written.
    """
    content = {f.name: _plain(getattr(checkpoint, f.name), f.name) for f in fields(checkpoint)}
    content |= {"format": _FORMAT, "schema": SCHEMA_VERSION}

    def write(file: BinaryIO) -> None:
        torch.save(content, file)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_with(path, write)
    except (OSError, RuntimeError) as error:
        reason = _refusal(error)
        if reason is None:
            raise
        raise RunError(f"cannot write checkpoint {path}: {reason.strerror or reason}") from None


def _refusal(error: BaseException | None) -> OSError | None:
    """Return what the system said; torch puts an error of its own in its place, with a number of bytes."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error


def load_plain(path: Path) -> Any:
    """Read what `torch.save` wrote, if it is tensors and plain data; no code of the file is executed."""
    with warnings.catch_warnings():
        # A file of another program is refused in one line; torch would add what it thinks of its pickle.
        warnings.simplefilter("ignore", UserWarning)
        content = torch.load(path, map_location="cpu", weights_only=True)
    _refuse_swollen(content, set())
    return content


def _refuse_swollen(value: Any, seen: set[int]) -> None:
    """Refuse tensors that stand for far more numbers than the file holds, by repeating them."""
    if isinstance(value, Tensor):
        if value.layout != torch.strided:
            raise ValueError("a tensor of another layout")
        size = value.numel() * value.element_size()
        if size > _LARGE and size > value.untyped_storage().nbytes():
            raise ValueError("a tensor that repeats what the file holds")
    elif isinstance(value, dict | list | tuple) and id(value) not in seen:
        seen.add(id(value))
        for item in value.values() if isinstance(value, dict) else value:
            _refuse_swollen(item, seen)


def load_checkpoint(path: Path | str) -> Checkpoint:
    """Read a checkpoint into host memory.

    Parameters
    ----------
    path
        File, or a run folder, whose ``checkpoints/last.pt`` is then read.

    Raises
    ------
    DataError
        If the file is missing, damaged, no checkpoint of this project, or of another version.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "checkpoints" / "last.pt"
    try:
        content = load_plain(path)
    except FileNotFoundError:
        raise DataError(f"checkpoint {path} does not exist") from None
    except (OSError, *UNREADABLE) as error:
        # A file that was cut off makes torch seek to a place before its start.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise DataError(f"cannot read checkpoint {path}: {error.strerror or error}") from None
        raise DataError(f"checkpoint {path} is damaged or was not written by neuroprism") from None
    return _from_content(path, content)


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Put the weights to predict with into `model`.

    Raises
    ------
    DataError
        If they do not fit.
    """
    load_model_state(model, checkpoint.weights())


def load_model_state(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Put `state` into `model`; a misfit raises DataError that names the first parameter at fault."""
    own = model.state_dict()
    for name in own.keys() ^ state.keys():
        where = "checkpoint lacks" if name in own else "model has no"
        raise DataError(f"checkpoint does not fit this model: the {where} '{name}'")
    for name, value in own.items():
        if isinstance(value, Tensor) and value.shape != state[name].shape:
            raise DataError(
                f"checkpoint does not fit this model: '{name}' has shape {tuple(state[name].shape)} "
                f"instead of {tuple(value.shape)}"
            )
    model.load_state_dict(state)


def _from_content(path: Path, content: Any) -> Checkpoint:
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise DataError(f"{path} is no checkpoint of neuroprism")
    version = content.get("schema")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"checkpoint {path} has version {version}; this program reads version {SCHEMA_VERSION}"
        )
    names = [f.name for f in fields(Checkpoint)]
    missing = [name for name in names if name not in content]
    if missing:
        raise DataError(f"checkpoint {path} is damaged: it lacks '{missing[0]}'")
    return Checkpoint(**{name: content[name] for name in names})


def _plain(value: Any, name: str) -> Any:
    """Return `value` with plain containers; refuse everything that only pickle could hold."""
    if isinstance(value, Mapping):
        return {key: _plain(item, f"{name}.{key}") for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(item, f"{name}[{n}]") for n, item in enumerate(value))
    if type(value) not in _PLAIN:
        raise TypeError(
            f"checkpoint: {name} is {type(value).__name__}; use tensors, numbers, text, lists, dicts"
        )
    return value.detach() if isinstance(value, Tensor) else value
