"""Loading weights into a network: strictly, or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from neuroprism.core.errors import DataError
from neuroprism.eeg.classifier import EegModel
from neuroprism.eeg.load_report import LoadReport
from neuroprism.eeg.weights_file import WeightsFile, read_weights

_BACKBONE = "backbone."
_PROJECTION = "proj_out."
_HEADS = {
    frozenset({"classifier.1", "classifier.4", "classifier.7"}): "all_patch_reps",
    frozenset({"classifier.1", "classifier.4"}): "all_patch_reps_twolayer",
    frozenset({"classifier.1"}): "all_patch_reps_onelayer",
    frozenset({"classifier.3"}): "avgpooling_patch_reps",
}


def load_backbone(model: nn.Module, path: Path) -> LoadReport:
    """Load pretrained weights into the backbone; a head in the file is left out.

    Parameters
    ----------
    model
        An `EegModel` with a backbone, or a backbone.
    path
        Weights of a backbone (with or without the projection of pretraining), or of a whole
        fine-tuned network, from this project or from the earlier code.

    Raises
    ------
    DataError
        If the file cannot be read or a name or shape does not fit; nothing is loaded then.
    """
    target = model.backbone if isinstance(model, EegModel) else model
    if target is None:
        raise DataError(f"weights {path}: this network has no backbone that weights could be loaded into")
    file = read_weights(path)
    state, left_out = _of_backbone(file.state)
    report = _load(target, file, state, left_out, what="backbone")
    if isinstance(model, EegModel):
        model.loaded = report
    return report


def load_finetuned(model: EegModel, path: Path) -> LoadReport:
    """Load all weights of a fine-tuned network, backbone and head.

    Raises
    ------
    DataError
        If the file cannot be read or a name or shape does not fit; nothing is loaded then.
    """
    file = read_weights(path)
    own = model.state_dict()
    if not any(name in file.state for name in own if not name.startswith(_BACKBONE)):
        raise DataError(
            f"weights {path} have no head that this network knows; load them as pretrained weights instead"
        )
    _check_head(model, file, own)
    report = _load(model, file, file.state, (), what="network")
    model.loaded = report
    return report


def _of_backbone(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the part that belongs to a backbone, and the names of the rest."""
    if not any(name.startswith(_BACKBONE) for name in state):
        return dict(state), ()
    inside = {
        name.removeprefix(_BACKBONE): value for name, value in state.items() if name.startswith(_BACKBONE)
    }
    return inside, tuple(name for name in state if not name.startswith(_BACKBONE))


def _load(
    target: nn.Module,
    file: WeightsFile,
    state: Mapping[str, Tensor],
    left_out: tuple[str, ...],
    *,
    what: str,
) -> LoadReport:
    own = target.state_dict()
    projection = tuple(name for name in state if name.startswith(_PROJECTION) and name not in own)
    used = {name: value for name, value in state.items() if name not in projection}
    _check(own, used, file, what)
    target.load_state_dict(used)
    return LoadReport(
        path=file.path,
        sha256=file.sha256,
        origin=file.origin,
        matched=len(used),
        left_out=left_out + projection,
        notes=file.notes,
    )


def _check(own: Mapping[str, Tensor], state: Mapping[str, Tensor], file: WeightsFile, what: str) -> None:
    """Raise DataError unless names and shapes are the same."""
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    reshaped = [name for name in own if name in state and state[name].shape != own[name].shape]
    if not missing and not unexpected and not reshaped:
        return
    if missing:
        first = f"the file lacks '{missing[0]}'"
    elif unexpected:
        first = f"the {what} has no '{unexpected[0]}'"
    else:
        name = reshaped[0]
        first = f"'{name}' has shape {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
    n_matched = len(own) - len(missing) - len(reshaped)
    raise DataError(
        f"weights {file.path} do not fit this {what}: {first}{_layers(own, state)} ({n_matched} "
        f"of {len(own)} tensors match, {len(missing)} missing, {len(unexpected)} unexpected, "
        f"{len(reshaped)} of another shape)"
    )


def _layers(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """Say so where the numbers of layers differ."""
    n_own, n_file = _n_layers(own), _n_layers(state)
    return f"; it has {n_file} layers instead of {n_own}" if n_file and n_own != n_file else ""


def _n_layers(state: Mapping[str, Tensor]) -> int:
    return len({found[1] for name in state if (found := re.search(r"encoder\.layers\.(\d+)\.norm", name))})


def _check_head(model: EegModel, file: WeightsFile, own: Mapping[str, Tensor]) -> None:
    """Raise DataError, in terms of sizes and labels, where the heads differ."""
    ours, theirs = _head(own), _head(file.state)
    if ours != theirs and ours in _HEADS and theirs in _HEADS:
        raise DataError(
            f"weights {file.path} have the head '{_HEADS[theirs]}', not '{_HEADS[ours]}'; "
            "set model.classifier"
        )
    for name, value in own.items():
        if name.startswith(_BACKBONE) or name not in file.state or file.state[name].ndim != value.ndim:
            continue
        found = file.state[name].shape
        if found != value.shape:
            at = f"weights {file.path} have another head: '{name}' has shape {tuple(found)}"
            spec = model.spec
            raise DataError(
                f"{at} instead of {tuple(value.shape)}; {spec.name} has {spec.n_channels} channels, "
                f"{spec.n_patches} seconds and {spec.n_outputs} output{'s' if spec.n_outputs > 1 else ''}"
            )


def _head(state: Mapping[str, Tensor]) -> frozenset[str]:
    return frozenset(
        name.rpartition(".")[0] for name in state if name.startswith("classifier.") and name.count(".") == 2
    )
