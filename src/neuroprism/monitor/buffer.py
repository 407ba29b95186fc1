"""Steps that wait to be flushed.

`PendingSteps.add` is all that a training step pays: it copies the numbers and
returns. Numbers in host memory are copied at once, so that the loop may reuse
its dict and its tensors. Tensors on a device are gathered into one small
tensor there, which copies and detaches them without waiting for the device;
`take` fetches all of them with one transfer per device.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from neuroprism.core.records import Component, check_names
from neuroprism.monitor.scalars import (
    check_one_element,
    is_on_device,
    is_tensor,
    snapshot,
    tensor_type,
    to_float,
)
from neuroprism.monitor.window import FloatArray, StepWindow

_NAN = float("nan")
_DEFAULT_COUNT = -1.0

_Slot = tuple[str, int, int]
_Row = tuple[
    tuple[float, ...],
    float | None,
    float | None,
    float,
    tuple[float, ...] | None,
    dict[str, float] | None,
    Any,
    bool,
    tuple[float, ...] | None,
]


class PendingSteps:
    """Collects steps and turns them into a `StepWindow`."""

    def __init__(self, components: tuple[Component, ...]) -> None:
        self._components = components
        self._names = tuple(c.name for c in components)
        self._n_components = len(components)
        self._pick = _picker(self._names)
        self._rows: list[_Row] = []
        self._on_device: list[tuple[Any, list[_Slot]]] = []
        self._staged: list[tuple[Any, _Slot]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        losses: Mapping[str, Any],
        *,
        lr: Any = None,
        grad_norm: Any = None,
        n_samples: Any = 1,
        counts: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        samples: Any = None,
        skipped: bool = False,
        weights: Mapping[str, Any] | None = None,
    ) -> None:
        """Copy the numbers of one step; see `Monitor.step`."""
        try:
            if len(losses) == self._n_components:
                values = self._pick(losses)
                if set(map(type, values)) != {float}:
                    values = self._numbers(values, "losses", self._names)
            else:
                values, counts = self._incomplete(losses, counts)
            row: _Row = (
                values,
                lr if lr is None or type(lr) is float else self._number(lr, ("lr", -1), "lr"),
                grad_norm
                if grad_norm is None or type(grad_norm) is float
                else self._number(grad_norm, ("grad_norm", -1), "grad_norm"),
                n_samples
                if type(n_samples) is int
                else self._number(n_samples, ("n_samples", -1), "n_samples"),
                None if counts is None else self._counts(counts),
                None if metrics is None else self._metrics(metrics),
                None if samples is None else snapshot(samples),
                skipped,
                None if weights is None else self._numbers(self._pick(weights), "weights", self._names),
            )
            if self._staged:
                self._gather()
        except KeyError:
            for given in (losses, weights or {}):
                check_names(self._components, given)
            raise
        finally:
            self._staged.clear()
        self._rows.append(row)

    def _incomplete(
        self, losses: Mapping[str, Any], counts: Mapping[str, Any] | None
    ) -> tuple[tuple[float, ...], dict[str, Any]]:
        """Fill in components that this step did not compute."""
        check_names(self._components, losses)
        if not losses:
            raise ValueError("losses is empty: a step needs at least one component")
        values = self._numbers([losses.get(name, _NAN) for name in self._names], "losses", self._names)
        missing = {name: 0 for name in self._names if name not in losses}
        return values, {**(counts or {}), **missing}

    def _numbers(self, values: Any, column: str, names: tuple[str, ...]) -> tuple[float, ...]:
        if set(map(type, values)) == {tensor_type()}:
            # Reading a number from host memory is the cheapest copy of a tensor.
            with contextlib.suppress(RuntimeError):
                numbers = [value.item() for value in values if value.is_cpu]
                if len(numbers) == len(values):
                    return tuple(numbers)
        return tuple([self._number(value, (column, k), names[k]) for k, value in enumerate(values)])

    def _number(self, value: Any, place: tuple[str, int], name: str) -> float:
        if type(value) is float:
            return value
        if is_tensor(value):
            check_one_element(value, name)
            if is_on_device(value):
                self._staged.append((value, (place[0], len(self._rows), place[1])))
                return _NAN
            return float(value.item())
        return to_float(value, name)

    def _counts(self, counts: Mapping[str, Any]) -> tuple[float, ...]:
        check_names(self._components, counts)
        values = [counts.get(name, _DEFAULT_COUNT) for name in self._names]
        return self._numbers(values, "counts", tuple(f"count of {name}" for name in self._names))

    def _metrics(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        return {
            name: self._number(value, (f"metric/{name}", -1), f"metric '{name}'")
            for name, value in metrics.items()
        }

    def _gather(self) -> None:
        """Copy the tensors of this step into one tensor per device and type, without waiting."""
        torch = sys.modules["torch"]
        groups: dict[Any, tuple[list[Any], list[_Slot]]] = {}
        for tensor, slot in self._staged:
            tensors, slots = groups.setdefault((tensor.device, tensor.dtype), ([], []))
            tensors.append(tensor if tensor.ndim == 0 else tensor.reshape(()))
            slots.append(slot)
        with torch.no_grad():
            for tensors, slots in groups.values():
                self._on_device.append((torch.stack(tensors), slots))

    def take(self, *, first_step: int, epoch: int) -> StepWindow:
        """Return everything added since the last call as one window, and forget it.

        Parameters
        ----------
        first_step
            Number of the first step that was added.
        epoch
            Epoch of all of them.
        """
        rows, self._rows = self._rows, []
        on_device, self._on_device = self._on_device, []
        n = len(rows)
        columns = list(zip(*rows, strict=True))
        losses = _matrix(columns[0], n, self._n_components)
        lr = np.array(columns[1], dtype=np.float64)
        grad_norm = np.array(columns[2], dtype=np.float64)
        n_samples = np.array(columns[3], dtype=np.float64)
        counts = _counts_given(columns[4], n, self._n_components)
        metrics, metrics_given = _by_name(columns[5])
        weights = _weights_given(columns[8], self._components) if any(columns[8]) else None
        arrays = {
            "losses": losses,
            "counts": counts,
            "lr": lr,
            "grad_norm": grad_norm,
            "n_samples": n_samples,
        }
        arrays |= {f"metric/{name}": values for name, values in metrics.items()}
        if weights is not None:
            arrays["weights"] = weights
        _fetch(on_device, arrays)
        np.copyto(counts, n_samples[:, None], where=counts == _DEFAULT_COUNT)
        computed = counts > 0
        losses[~computed] = np.nan
        return StepWindow(
            components=self._components,
            step=np.arange(first_step, first_step + n),
            epoch=np.full(n, epoch),
            losses=losses,
            counts=counts,
            total=_total(self._components, losses, computed, weights),
            weights=weights,
            lr=lr,
            grad_norm=grad_norm,
            grad_norm_given=np.array([value is not None for value in columns[2]], dtype=np.bool_),
            n_samples=n_samples,
            skipped=np.array(columns[7], dtype=np.bool_),
            metrics=metrics,
            metrics_given=metrics_given,
            samples=columns[6],
        )


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) == 1:
        only = names[0]
        return lambda losses: (losses[only],)
    return itemgetter(*names)


def _matrix(rows: Any, n: int, width: int) -> FloatArray:
    flat = np.fromiter(chain.from_iterable(rows), dtype=np.float64, count=n * width)
    return flat.reshape(n, width)


def _counts_given(rows: Any, n: int, width: int) -> FloatArray:
    """Return the counts as the loop gave them, with a mark where it gave none."""
    if not any(rows):
        return np.full((n, width), _DEFAULT_COUNT)
    default = (_DEFAULT_COUNT,) * width
    return _matrix([row or default for row in rows], n, width)


def _weights_given(rows: Any, components: tuple[Component, ...]) -> FloatArray:
    """Return the weights as the loop gave them, those of the components where it gave none."""
    own = tuple(component.weight for component in components)
    return _matrix([row or own for row in rows], len(rows), len(components))


def _by_name(rows: Any) -> tuple[dict[str, FloatArray], dict[str, Any]]:
    names = dict.fromkeys(name for row in rows if row for name in row)
    values = {
        name: np.array([row.get(name) if row else None for row in rows], dtype=np.float64) for name in names
    }
    given = {name: np.array([bool(row) and name in row for row in rows], dtype=np.bool_) for name in names}
    return values, given


def _total(
    components: tuple[Component, ...], losses: FloatArray, computed: Any, weights: FloatArray | None
) -> FloatArray:
    """Return `weighted_total` of every row; NaN where no component was computed."""
    if weights is None:
        weights = np.array([component.weight for component in components])
    with np.errstate(invalid="ignore", over="ignore"):
        parts = np.where(computed, weights * losses, 0.0)
        # Added in order, as `weighted_total` does; numpy's sum would group them.
        total: FloatArray = np.add.accumulate(parts, axis=1)[:, -1]
    total[~computed.any(axis=1)] = np.nan
    return total


def _fetch(on_device: list[tuple[Any, list[_Slot]]], arrays: dict[str, Any]) -> None:
    """Bring all gathered tensors to the host, with one transfer per device, and put them in place."""
    by_device: dict[Any, tuple[list[Any], list[_Slot]]] = {}
    for tensor, slots in on_device:
        tensors, all_slots = by_device.setdefault(tensor.device, ([], []))
        tensors.append(tensor)
        all_slots.extend(slots)
    for device, (tensors, slots) in by_device.items():
        torch = sys.modules["torch"]
        # Apple's GPUs have no float64.
        wide = torch.float32 if device.type == "mps" else torch.float64
        values = torch.cat([tensor.to(wide) for tensor in tensors]).cpu().tolist()
        for value, (column, row, k) in zip(values, slots, strict=True):
            if k < 0:
                arrays[column][row] = value
            else:
                arrays[column][row, k] = value
