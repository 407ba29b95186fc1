"""Names that logs give their series, and what they are called here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from neuroprism.core.errors import UnknownNameError, UserError
from neuroprism.core.records import TOTAL, epoch_series, step_series

TOTAL_LOSS = step_series(TOTAL)
TOTAL_VALIDATION = epoch_series("val", TOTAL)
TOTAL_TRAINING = epoch_series("train", TOTAL)

PLACES = ("step", "epoch", "lr", "grad_norm", "step_seconds", "skipped", "seconds", "samples_per_second")
"""Series that are neither losses nor metrics."""

_ALIASES = {
    "step": ("global_step", "iteration", "iterations", "iter", "steps", "trainer/global_step", "_step"),
    "epoch": ("epochs", "train/epoch", "trainer/epoch"),
    "lr": ("learning_rate", "train/lr", "train/learning_rate", "step/lr", "lr/group0", "lr/backbone"),
    "grad_norm": (
        "gradient_norm",
        "train/grad_norm",
        "train/gradient_norm",
        "step/grad_norm",
        "gnorm",
        "total_grad_norm",
        "grad_norm/total",
    ),
    "step_seconds": (
        "step_time",
        "time_per_step",
        "seconds_per_step",
        "iter_time",
        "time_per_iteration",
        "metric/step_seconds",
        "step/metric/step_seconds",
    ),
    TOTAL_LOSS: (
        "loss",
        "train_loss",
        "train/loss",
        "training_loss",
        "loss/train",
        "train_loss_step",
        "train/loss_step",
        "total_loss",
        "loss_total",
        "train/total_loss",
        "train_total_loss",
        "step/total",
        "step/loss",
    ),
    TOTAL_TRAINING: ("train_loss_epoch", "train/loss_epoch"),
    TOTAL_VALIDATION: (
        "val_loss",
        "val/loss",
        "loss/val",
        "loss/validation",
        "loss/eval",
        "loss/valid",
        "valid_loss",
        "valid/loss",
        "validation_loss",
        "validation/loss",
        "eval_loss",
        "eval/loss",
        "dev_loss",
        "val_total_loss",
        "val/total_loss",
        "val_loss_epoch",
        "val/loss_epoch",
    ),
}
_CANONICAL = {alias: name for name, aliases in _ALIASES.items() for alias in (name, *aliases)} | {
    name: name for name in PLACES
}
_VALIDATION = r"(?:val|valid|validation|eval|dev)"
_PATTERNS = (
    (re.compile(r"(?:loss|grad_norm|train|val|metric|weight)/.+"), r"\g<0>"),
    (re.compile(r"step/metric/(.+)"), r"metric/\1"),
    (re.compile(r"step/(.+)"), r"loss/\1"),
    (re.compile(rf"{_VALIDATION}[/_](?:loss[/_](.+)|(.+?)[/_]loss)(?:_epoch)?"), r"val/\1\2"),
    (re.compile(rf"{_VALIDATION}[/_](.+?)(?:_epoch)?"), r"val/\1"),
    (re.compile(r"(?:train(?:ing)?[/_])?(?:loss[_.](.+?)|(.+?)[/_.]loss)_epoch"), r"train/\1\2"),
    (re.compile(r"(?:train(?:ing)?[/_])?(?:loss[_.](.+?)|(.+?)[/_.]loss)(?:_step)?"), r"loss/\1\2"),
    (re.compile(r"lr-[^/]+"), "lr"),
)
_NO_COMPONENTS = re.compile(
    r"(?:best|min|max|avg|mean|ema|smooth(?:ed)?|running|test|final|last|scaled)([/_-]|$)"
)

_REDUNDANT = re.compile(r"^((?:train|val|loss)/)(?:loss[/_](.+)|(.+)[/_]loss)$")
_METRIC = re.compile(
    r"(^|[/_])(acc|accuracy|f1|auc|auroc|kappa|r2|corrcoef|correlation|precision|recall|score|lr|learning_rate"
    r"|grad_norm|samples|samples_per_second|steps_per_second|runtime|time|seconds|epoch|step)([/_]|$)"
)

_TARGETS = re.compile(r"(?:loss|train|val|grad_norm)/[^/].*")


def canonical(name: str) -> str | None:
    """Return what a series is called here; None for one that is not known."""
    key = name.strip()
    if key.lower() in _CANONICAL:
        return _CANONICAL[key.lower()]
    if _NO_COMPONENTS.match(key):
        return None
    for pattern, replacement in _PATTERNS:
        match = pattern.fullmatch(key)
        if match is not None:
            return match.expand(replacement)
    return None


def is_metric(name: str) -> bool:
    """Tell whether a name without its split stands for something other than a loss."""
    return bool(_METRIC.search(name.lower()))


def as_loss(name: str) -> str:
    """Return the step series in the place of a training series; metrics stay what they are."""
    if not name.startswith("train/") or is_metric(name.removeprefix("train/")):
        return name
    return step_series(name.removeprefix("train/"))


def renaming(names: Iterable[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the series that are known, with their names here; those of `mapping` come first.

    Parameters
    ----------
    names
        As in the log.
    mapping
        Names here by names in the log.

    Raises
    ------
    UnknownNameError
        If the log has no series of a name in `mapping`.
    UserError
        If a name here is none.
    """
    names = list(names)
    found: dict[str, str] = {}
    for theirs, ours in mapping.items():
        if theirs not in names:
            raise UnknownNameError("series", theirs, names)
        if ours not in PLACES and not _TARGETS.fullmatch(ours):
            raise UserError(
                f"--map {theirs}={ours}: the name after = must be loss/NAME, train/NAME, val/NAME, "
                f"grad_norm/NAME or one of {', '.join(PLACES[:5])}"
            )
        found[theirs] = ours
    guesses = {name: guess for name in names if name not in found and (guess := canonical(name)) is not None}
    if not any(name.startswith("loss/") for name in names):
        # Without the prefix of losses it is the ending that says what is one.
        guesses = {name: _REDUNDANT.sub(r"\1\2\3", guess) for name, guess in guesses.items()}
    # A series that was named, or is called here as there, needs no other one to stand for it.
    taken = {*found.values(), *(name for name, guess in guesses.items() if guess == name)}
    found |= {name: guess for name, guess in guesses.items() if guess == name or guess not in taken}
    return {name: found[name] for name in sorted(found, key=lambda name: found[name] != name)}
