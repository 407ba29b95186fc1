"""Looking up what a run was configured with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuroprism.core.errors import RunError, UnknownNameError
from neuroprism.runs.run import Run


def configured(runs: Sequence[Run], key: str) -> list[str]:
    """Return the value of a configuration key in each run, as text.

    Parameters
    ----------
    runs
        Runs with a stored configuration.
    key
        Dotted key such as ``model.backbone``, or its end where that is clear: ``backbone``.

    Raises
    ------
    UnknownNameError
        If no run has such a key; names the nearest one.
    RunError
        If the end of a key stands for several, or a run has no configuration or not this key.
    """
    tables = [_leaves(run.config) for run in runs]
    for run, table in zip(runs, tables, strict=True):
        if not table:
            raise RunError(f"{run.path} has no config.yaml: it cannot be grouped by '{key}'")
    known = dict.fromkeys(name for table in tables for name in table)
    matches = [name for name in known if name == key] or [name for name in known if name.endswith(f".{key}")]
    if not matches:
        raise UnknownNameError("configuration key", key, {*known, *(n.rpartition(".")[2] for n in known)})
    if len(matches) > 1:
        raise RunError(f"'{key}' is the end of several keys: {', '.join(matches)}; give one of them")
    for run, table in zip(runs, tables, strict=True):
        if matches[0] not in table:
            raise RunError(f"{run.path} has no configuration key '{matches[0]}'")
    return [str(table[matches[0]]) for table in tables]


def _leaves(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            found |= _leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
