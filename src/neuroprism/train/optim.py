"""Optimizers with parameter groups: no decay on vectors, own limits where a parameter asks for them.

A parameter may carry ``parameter._optim`` with any of ``lr`` (highest rate) and
``weight_decay``, which state-space layers use for their dynamics, and
``lr_factor`` and ``group`` (a factor on the rate, and the name under which the
resulting rate is recorded), which a model uses for the part that learns faster.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from neuroprism.core.errors import DataError
from neuroprism.monitor.window import RATE_PREFIX
from neuroprism.train.optimizer_config import AdamConfig, AdamWConfig, OptimizerConfig, SgdConfig

BASE_RATE = "base_lr"
_FUSED_DEVICES = {"cpu", "cuda", "mps"}


def parameter_groups(model: nn.Module, *, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """Sort the trainable parameters of `model` into groups that share rate and decay.

    Matrices and larger tensors get `weight_decay`; biases, norms and other
    vectors get none; a parameter's ``_optim`` overrides the decay, scales the
    rate and limits it. Every group keeps its highest rate under ``base_lr``,
    and its name, if it has one, under ``name``.
    """
    # Sorted by what a parameter wants, not by what comes out: the groups of a run
    # that is resumed with other rates must be those of its checkpoint.
    groups: dict[tuple[Any, ...], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        wish: dict[str, Any] = getattr(parameter, "_optim", {})
        unknown = set(wish) - {"lr", "weight_decay", "lr_factor", "group"}
        if unknown:
            raise ValueError(f"parameter attribute _optim has unknown keys {sorted(unknown)}")
        scale, name = wish.get("lr_factor", 1.0), wish.get("group", "")
        key = (wish.get("lr"), wish.get("weight_decay"), parameter.ndim > 1, scale, name)
        groups.setdefault(key, []).append(parameter)
    found = []
    for (limit, wanted_decay, is_matrix, scale, name), parameters in groups.items():
        rate = learning_rate * scale if limit is None else min(learning_rate * scale, limit)
        decay = wanted_decay if wanted_decay is not None else weight_decay if is_matrix else 0.0
        group = {"params": parameters, "lr": rate, BASE_RATE: rate, "weight_decay": decay}
        found.append(group | ({"name": name} if name else {}))
    return found


def named_rates(optimizer: Optimizer) -> dict[str, float]:
    """Return the present rate of every named group as ``lr_<name>``."""
    return {
        f"{RATE_PREFIX}{group['name']}": float(group["lr"])
        for group in optimizer.param_groups
        if group.get("name")
    }


def build_optimizer(model: nn.Module, config: OptimizerConfig, *, allow_fused: bool = True) -> Optimizer:
    """Return the configured optimizer over `model`, fused where its device supports that.

    Parameters
    ----------
    model
        Network on its final device.
    config
        Type and options.
    allow_fused
        False where a loss scaler must see the gradients between backward and step.
    """
    groups = parameter_groups(model, learning_rate=config.learning_rate, weight_decay=config.weight_decay)
    if not groups:
        raise ValueError("the model has no trainable parameter")
    fused = allow_fused and all(
        p.is_floating_point() and p.device.type in _FUSED_DEVICES for g in groups for p in g["params"]
    )
    # None lets PyTorch choose; True is never assumed by it.
    return _build(groups, config, fused=fused or None)


def _build(groups: Iterable[dict[str, Any]], config: OptimizerConfig, *, fused: bool | None) -> Optimizer:
    rate, decay = config.learning_rate, config.weight_decay
    match config:
        case SgdConfig():
            return SGD(
                groups,
                lr=rate,
                weight_decay=decay,
                momentum=config.momentum,
                nesterov=config.nesterov,
                fused=fused,
            )
        case AdamConfig() | AdamWConfig():
            kind = AdamW if isinstance(config, AdamWConfig) else Adam
            return kind(
                groups,
                lr=rate,
                weight_decay=decay,
                betas=config.betas,
                eps=config.eps,
                amsgrad=config.amsgrad,
                fused=fused,
            )


def load_optimizer_state(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Restore moments and counters; rates, decay and other options stay as configured now.

    Raises
    ------
    DataError
        If `state` belongs to another optimizer or model.
    """
    options = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    try:
        optimizer.load_state_dict(state)
    except (ValueError, KeyError) as error:
        raise DataError(f"the optimizer state of the checkpoint does not fit this model: {error}") from None
    for group, option in zip(optimizer.param_groups, options, strict=True):
        group.update(option)


@torch.no_grad()
def clip_gradients(parameters: list[nn.Parameter], limit: float | None) -> torch.Tensor:
    """Scale the gradients to a norm of at most `limit`; return the norm before, without waiting for it."""
    bound = float("inf") if limit is None else limit
    return torch.nn.utils.clip_grad_norm_(parameters, bound, error_if_nonfinite=False)
