"""What to change: configuration keys with a proposed value, from what the run declares and does."""

from __future__ import annotations

import numpy as np

from neuroprism.monitor.history import LR, History
from neuroprism.monitor.rules.subjects import spell

_USUAL_CLIP = 1.0


def lower_rate(history: History, *, by: float) -> str:
    """Propose a lower learning rate: the declared peak where it is known, else the rate of the last steps."""
    rate = history.facts.learning_rate or _latest_rate(history)
    if rate is None:
        return f"lower training.optimizer.learning_rate by a factor of {by:g}"
    return f"lower training.optimizer.learning_rate from {spell(rate)} to {spell(rate / by)}"


def raise_rate(history: History, *, by: float) -> str:
    """Propose a higher learning rate."""
    rate = history.facts.learning_rate or _latest_rate(history)
    if not rate:
        return f"raise training.optimizer.learning_rate by a factor of {by:g}"
    return f"raise training.optimizer.learning_rate from {spell(rate)} to {spell(rate * by)}"


def clip_gradients(history: History) -> str:
    """Propose a limit for the gradient norm, or a lower one."""
    clip = history.facts.gradient_clip
    if clip is None:
        return f"set training.gradient_clip to {_USUAL_CLIP:.1f}"
    return f"lower training.gradient_clip from {clip:g} to {clip / 2:g}"


def full_precision(history: History) -> list[str]:
    """Propose full precision, unless the run is known to use it already."""
    return [] if history.facts.mixed_precision is False else ["set hardware.mixed_precision to false"]


def larger_batches(history: History) -> str:
    """Propose batches of more samples."""
    size = history.facts.batch_size
    change = "" if size is None else f" from {size} to {2 * size}"
    return f"raise data.dataloader.batch_size{change}"


def weight(history: History, name: str, *, by: float) -> str:
    """Propose another weight of a component."""
    now = next(component.weight for component in history.components if component.name == name)
    word = "raise" if by > 1 else "lower"
    return f"{word} the weight of '{name}' in loss.weights from {now:g} to {now * by:.3g}"


def _latest_rate(history: History) -> float | None:
    window = history.window
    rates = window.lr if window is not None else history.stream.recent.latest[:, history.stream.index(LR)]
    known = rates[np.isfinite(rates)]
    return float(known[-1]) if len(known) else None
