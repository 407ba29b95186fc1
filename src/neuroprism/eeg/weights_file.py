"""Reading a file of weights, whoever wrote it, without running any code that it may hold."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neuroprism.core.errors import DataError
from neuroprism.eeg.released_weights import RELEASED_NAME, RELEASED_SHA256, RELEASED_WHERE
from neuroprism.train.checkpoint import UNREADABLE, load_checkpoint, load_plain

_WRAPPERS = ("module.", "_orig_mod.")


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsFile:
    """Tensors by name, and where they come from.

    Attributes
    ----------
    path, sha256
        The file and the hash of its content.
    origin
        In words: who wrote it, as far as the file tells.
    state
        Tensors by name, without the prefixes that wrappers put before all of them.
    notes
        What a reader should know, a sentence each.
    """

    path: Path
    sha256: str
    origin: str
    state: dict[str, Tensor]
    notes: tuple[str, ...]


def read_weights(path: Path) -> WeightsFile:
    """Read ``.safetensors``, a saved ``state_dict``, or a checkpoint of this project.

    Raises
    ------
    DataError
        If the file is missing, damaged, or holds anything but finite tensors by name.
    """
    path = Path(path)
    sha256 = _hash(path)
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickled(path)
    notes = []
    if sha256 == RELEASED_SHA256:
        origin = "released weights of EEGMamba"
    elif _is_checkpoint(content):
        checkpoint = load_checkpoint(path)
        content = checkpoint.weights()
        origin = f"checkpoint of a {checkpoint.task} run after epoch {checkpoint.epoch}"
    else:
        origin = "of unrecorded origin"
        if path.name == RELEASED_NAME:
            notes.append(
                f"warning: the file is named as the released one, but its SHA-256 is not {RELEASED_SHA256}"
            )
    state = _checked(path, content)
    while prefix := _common_prefix(state):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
        notes.append(f"prefix '{prefix}' removed from all {len(state)} names")
    return WeightsFile(path=path, sha256=sha256, origin=origin, state=state, notes=tuple(notes))


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise DataError(
            f"weights {path} do not exist; the released {RELEASED_NAME} is in the {RELEASED_WHERE}; "
            "without weights training starts from scratch"
        ) from None
    except IsADirectoryError:
        raise DataError(f"weights {path}: this is a folder; name the file") from None
    except OSError as error:
        raise DataError(f"cannot read weights {path}: {error.strerror or error}") from None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError:
        raise DataError(f"weights {path} are damaged or no safetensors file") from None
    return tensors


def _read_pickled(path: Path) -> Any:
    try:
        return load_plain(path)
    except pickle.UnpicklingError:
        raise DataError(
            f"weights {path} are damaged or hold objects other than tensors, which are refused unread; "
            "save model.state_dict() alone"
        ) from None
    except (OSError, *UNREADABLE):
        raise DataError(f"weights {path} are damaged or were not written by torch.save") from None


def _common_prefix(state: dict[str, Tensor]) -> str | None:
    """Return the prefix of a wrapper that stands before every name."""
    return next((prefix for prefix in _WRAPPERS if all(name.startswith(prefix) for name in state)), None)


def _is_checkpoint(content: Any) -> bool:
    return isinstance(content, dict) and content.get("format") == "neuroprism.checkpoint"


def _checked(path: Path, content: Any) -> dict[str, Tensor]:
    if not isinstance(content, dict) or not content:
        raise DataError(f"weights {path} hold {type(content).__name__}, not tensors by name")
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise DataError(
                f"weights {path} hold '{name}', which is {type(value).__name__} and no tensor; "
                "save model.state_dict() alone"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise DataError(f"weights {path}: '{name}' has values that are not finite")
    return {str(name): value for name, value in content.items()}
