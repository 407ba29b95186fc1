"""What a foreign log declares about its run: `meta.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuroprism.core.errors import DataError
from neuroprism.core.records import Component
from neuroprism.monitor.declared_schedule import DeclaredSchedule, declared_schedule
from neuroprism.monitor.facts import RunFacts

_LARGEST_BYTES = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What is known of a run beside its series; empty where nothing was declared.

    Attributes
    ----------
    components
        By name.
    name
        Of the run.
    n_epochs, steps_per_epoch, schedule, learning_rate, gradient_clip, batch_size, mixed_precision
        As in `RunFacts`.
    """

    components: Mapping[str, Component] = field(default_factory=dict)
    name: str | None = None
    n_epochs: int | None = None
    steps_per_epoch: int | None = None
    schedule: DeclaredSchedule | None = None
    learning_rate: float | None = None
    gradient_clip: float | None = None
    batch_size: int | None = None
    mixed_precision: bool | None = None

    def facts(self, components: tuple[Component, ...]) -> RunFacts:
        """Return the facts of the run with these components."""
        return RunFacts(
            components=components,
            n_epochs=self.n_epochs,
            steps_per_epoch=self.steps_per_epoch,
            schedule=self.schedule,
            learning_rate=self.learning_rate,
            gradient_clip=self.gradient_clip,
            batch_size=self.batch_size,
            mixed_precision=self.mixed_precision,
        )


def read_meta(path: Path) -> Declared:
    """Read a `meta.json`; a missing one declares nothing, unknown keys are passed over.

    Raises
    ------
    DataError
        If it is no JSON object, or a weight or baseline is no number.
    """
    if not path.is_file():
        return Declared()
    content = read_json_object(path)
    schedule = content.get("schedule", content.get("scheduler"))
    if isinstance(schedule, str):
        schedule = {"type": schedule}
    return Declared(
        components=_components(content, path),
        name=content["name"] if isinstance(content.get("name"), str) else None,
        n_epochs=_whole(content, "n_epochs", "epochs"),
        steps_per_epoch=_whole(content, "steps_per_epoch"),
        schedule=declared_schedule(schedule) if isinstance(schedule, Mapping) else None,
        learning_rate=_number(content, "learning_rate", "lr"),
        gradient_clip=_number(content, "gradient_clip", "grad_clip", "max_grad_norm"),
        batch_size=_whole(content, "batch_size"),
        mixed_precision=content["mixed_precision"]
        if isinstance(content.get("mixed_precision"), bool)
        else None,
    )


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object; bare NaN is taken as well.

    Raises
    ------
    DataError
        If it cannot be read or is none.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES * 16:
            raise DataError(f"{path} is larger than {_LARGEST_BYTES >> 16} MiB")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not JSON: not a text file") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is not JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path} is no JSON that can be read") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} is JSON, but not an object with names")
    return content


def _components(content: Mapping[str, Any], path: Path) -> dict[str, Component]:
    entries = _entries(content.get("components"), path)
    for key in ("weights", "baselines"):
        values = content.get(key)
        for name, value in values.items() if isinstance(values, Mapping) else ():
            entries.setdefault(name, {})[key[:-1]] = value
    return {name: _component(name, entry, path) for name, entry in entries.items() if name != "total"}


def _entries(listed: Any, path: Path) -> dict[str, dict[str, Any]]:
    """Return what is declared of each component by name, from a list or a mapping."""
    if isinstance(listed, Mapping):
        return {name: dict(v) if isinstance(v, Mapping) else {"weight": v} for name, v in listed.items()}
    entries: dict[str, dict[str, Any]] = {}
    for entry in listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ():
        if isinstance(entry, str):
            entries[entry] = {}
        elif isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            entries[entry["name"]] = dict(entry)
        else:
            raise DataError(f"{path}: components: an entry has no name")
    return entries


def _component(name: str, entry: Mapping[str, Any], path: Path) -> Component:
    numbers: dict[str, float] = {}
    for key in ("weight", "baseline", "lower_bound"):
        value = entry.get(key)
        if value is None:
            continue
        if not _is_number(value):
            raise DataError(f"{path}: {key} of component '{name}' is not a finite number")
        numbers[key] = float(value)
    label = entry.get("label")
    return Component(
        name=name,
        label=label if isinstance(label, str) else name,
        weight=numbers.get("weight", 1.0),
        baseline=numbers.get("baseline"),
        lower_bound=numbers.get("lower_bound"),
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _number(content: Mapping[str, Any], *keys: str) -> float | None:
    return next((float(content[key]) for key in keys if _is_number(content.get(key))), None)


def _whole(content: Mapping[str, Any], *keys: str) -> int | None:
    value = _number(content, *keys)
    return int(value) if value is not None and value >= 1 else None
