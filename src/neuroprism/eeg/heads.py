"""The heads of fine-tuning: from the features of all patches to the outputs, sized by the declaration."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import get_args

from torch import Tensor, nn

from neuroprism.core.errors import ConfigError
from neuroprism.eeg.backbone import D_MODEL
from neuroprism.eeg.model_config import Classifier, EegModelConfig
from neuroprism.eeg.spec import DatasetSpec

CLASSIFIERS: tuple[Classifier, ...] = get_args(Classifier)
POOLED: Classifier = "avgpooling_patch_reps"

_FIRST_WIDTHS = {"SEED-V": 800, "MODMA": 2000}
"""First hidden width where the earlier code departs from 200 S; its checkpoints have these shapes."""

_EMOTIONS = frozenset({"FACED", "SEED-V"})
_MUCH_LARGER = 10


class PatchMean(nn.Module):
    """Mean over channels and patches, (B, C, S, D) to (B, D)."""

    def forward(self, features: Tensor) -> Tensor:
        """Return the mean."""
        return features.mean(dim=(1, 2))


def layer_widths(classifier: Classifier, spec: DatasetSpec) -> tuple[int, ...]:
    """Return the widths of a head from its input to its K outputs."""
    flat = spec.n_channels * spec.n_patches * D_MODEL
    first = _FIRST_WIDTHS.get(spec.name, D_MODEL * spec.n_patches)
    widths: dict[Classifier, tuple[int, ...]] = {
        "all_patch_reps": (flat, first, D_MODEL),
        "all_patch_reps_twolayer": (flat, D_MODEL),
        "all_patch_reps_onelayer": (flat,),
        "avgpooling_patch_reps": (D_MODEL,),
    }
    return (*widths[classifier], spec.n_outputs)


def head_size(classifier: Classifier, spec: DatasetSpec) -> int:
    """Return the number of parameters of a head."""
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(layer_widths(classifier, spec)))


def build_head(config: EegModelConfig, spec: DatasetSpec) -> nn.Sequential:
    """Return the configured head, (B, C, S, D) to (B, K), with the parameter names of the earlier code.

    Raises
    ------
    ConfigError
        If it has more than ``model.max_head_parameters``; the message names those that fit.
    """
    check_size(head_size(config.classifier, spec), config, spec)
    widths = layer_widths(config.classifier, spec)
    if config.classifier == POOLED:
        # The linear map is number 3, as in checkpoints of the earlier code.
        return nn.Sequential(OrderedDict({"0": PatchMean(), "3": nn.Linear(widths[0], widths[1])}))
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(widths[0], widths[1])]
    for n_in, n_out in pairwise(widths[1:]):
        layers += [nn.ELU(), nn.Dropout(config.dropout), nn.Linear(n_in, n_out)]
    return nn.Sequential(*layers)


def check_size(n_parameters: int, config: EegModelConfig, spec: DatasetSpec) -> None:
    """Refuse a head above the limit.

    Raises
    ------
    ConfigError
        With the size and the heads that fit.
    """
    limit = config.max_head_parameters
    if n_parameters <= limit:
        return
    is_sequence = spec.sequence_length > 1
    sizes = {} if is_sequence else {name: head_size(name, spec) for name in CLASSIFIERS}
    fitting = [f"{name} ({size:,})" for name, size in sizes.items() if size <= limit]
    what = "the sequence head" if is_sequence else f"model.classifier '{config.classifier}'"
    advice = f"choose {' or '.join(fitting)}, or raise" if fitting else "raise"
    raise ConfigError(
        f"{what} has {n_parameters:,} parameters for {spec.name}, more than model.max_head_parameters "
        f"= {limit:,}; {advice} the limit"
    )


def head_warnings(config: EegModelConfig, spec: DatasetSpec, *, n_head: int, n_backbone: int) -> list[str]:
    """Return what speaks against this head on these data, a sentence each.

    Parameters
    ----------
    config
        Which head.
    spec
        Which data.
    n_head, n_backbone
        Numbers of parameters.
    """
    found = []
    if config.classifier == POOLED and spec.name in _EMOTIONS:
        found.append(
            f"a pooled head on emotion data: on FACED the sister model CBraMod fell to balanced accuracy "
            f"0.237 with it and recovered with flattened patches; {_alternative(config, spec)} keeps them"
        )
    if n_head > _MUCH_LARGER * n_backbone:
        found.append(
            f"the head has {n_head / n_backbone:.0f} times the parameters of the backbone and can learn the "
            "training data by heart; compare with a smaller model.classifier"
        )
    if spec.n_channels < 4:
        found.append(
            f"only {spec.n_channels} channel{'s' if spec.n_channels > 1 else ''}: the backbone relates "
            "channels to each other and learns slowly from few; compare with a baseline"
        )
    return found


def _alternative(config: EegModelConfig, spec: DatasetSpec) -> str:
    """Return the largest head that keeps the patches apart and fits."""
    flat = [name for name in CLASSIFIERS if name != POOLED]
    fitting = [name for name in flat if head_size(name, spec) <= config.max_head_parameters]
    return max(fitting or flat[-1:], key=lambda name: head_size(name, spec))
