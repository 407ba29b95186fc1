"""Numbers as loops hand them over: floats, numpy scalars and tensors of any device.

torch is never imported here: where no tensor exists, it has not been imported
by anybody, and its type is found in `sys.modules` otherwise.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any


def tensor_type() -> type[Any] | None:
    """Return ``torch.Tensor``, or None where torch has not been imported."""
    torch = sys.modules.get("torch")
    return getattr(torch, "Tensor", None)


def is_tensor(value: Any) -> bool:
    """Tell whether `value` is a torch tensor."""
    kind = tensor_type()
    return kind is not None and isinstance(value, kind)


def is_on_device(tensor: Any) -> bool:
    """Tell whether reading `tensor` would wait for a device."""
    return not tensor.is_cpu


def to_float(value: Any, name: str) -> float:
    """Return the one number that `value` holds.

    Waits for the device where `value` is a tensor that does not lie in host memory.

    Parameters
    ----------
    value
        Number, numpy scalar, or array or tensor with one element.
    name
        Subject of the error message.

    Raises
    ------
    ValueError
        If there is more than one element, or none.
    TypeError
        If `value` is no number.
    """
    if isinstance(value, int | float):
        return float(value)
    if hasattr(value, "item"):
        check_one_element(value, name)
        value = value.item()
    if isinstance(value, str | bytes | complex) or not hasattr(value, "__float__"):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    return float(value)


def check_one_element(value: Any, name: str) -> None:
    """Raise ValueError unless the array or tensor `value` has exactly one element."""
    shape = value.shape
    if shape and math.prod(shape) != 1:
        raise ValueError(
            f"{name}: expected one number, got shape {tuple(shape)}; reduce it first, e.g. .mean()"
        )


def floats(values: Mapping[str, Any] | None, kind: str) -> dict[str, float]:
    """Return a mapping of numbers as floats; `kind` says in messages what they are."""
    return {name: to_float(value, f"{kind} '{name}'") for name, value in (values or {}).items()}


def snapshot(value: Any) -> Any:
    """Return a copy that later changes in place of `value` do not reach; no device is waited for."""
    if is_tensor(value):
        return value.detach().clone()
    if isinstance(value, list | tuple):
        return [snapshot(item) for item in value]
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    return value.copy() if hasattr(value, "__array__") else value


def plain(value: Any) -> Any:
    """Return `value` as numbers, text, lists and dicts, so that JSON can hold it."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if is_tensor(value):
        return value.detach().tolist()
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset | range):
        return [plain(item) for item in value]
    return str(value)
