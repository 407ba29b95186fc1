"""Filling in the identity card of a run, and keeping its configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from neuroprism.core.errors import ConfigError
from neuroprism.core.files import replace_bytes
from neuroprism.core.records import Component, RunRecord, now
from neuroprism.monitor import layout, run_identity
from neuroprism.monitor.reading import read_run

_N_CHANGES_SHOWN = 5


def run_card(
    folder: Path,
    components: tuple[Component, ...],
    *,
    name: str,
    task: str,
    n_epochs: int | None,
    steps_per_epoch: int | None,
    config: Mapping[str, Any] | None,
    seed: int | None,
    resumed: bool,
) -> RunRecord:
    """Return the card of the attempt that begins now.

    A resumed run keeps its identifier, its first start and its earlier
    attempts; everything else describes the new attempt.
    """
    started = now()
    run = RunRecord(
        id=run_identity.new_run_id(),
        name=name,
        task=task,
        components=components,
        started=started,
        attempts=[started],
        host=run_identity.host(),
        pid=os.getpid(),
        process_started=run_identity.process_started(os.getpid()),
        seed=seed,
        git_revision=run_identity.git_revision(),
        versions=run_identity.versions(),
        config_hash=_hash(config),
        n_epochs=n_epochs,
        steps_per_epoch=steps_per_epoch,
    )
    if not resumed:
        return run
    before = read_run(folder)
    return msgspec.structs.replace(
        run, id=before.id, started=before.started, attempts=[*before.attempts, started]
    )


def save_config(folder: Path, config: Mapping[str, Any] | None, *, attempt: int) -> str:
    """Write `config` as `config.yaml`; return in words what differs from the attempt before.

    The configuration of the attempt before is kept as `config.attempt<n>.yaml` where it differs.
    """
    if config is None:
        return ""
    from neuroprism.core import yaml_text

    path = folder / layout.CONFIG
    new = yaml_text.dump(dict(config)).encode()
    changes = ""
    if attempt > 1 and path.exists():
        old = path.read_bytes()
        changes = _differences(old, new)
        if changes:
            replace_bytes(folder / layout.OLD_CONFIG.replace("*", str(attempt - 1)), old)
    replace_bytes(path, new)
    return changes


def _hash(config: Mapping[str, Any] | None) -> str:
    if config is None:
        return ""
    from neuroprism.core.config import config_hash

    return config_hash(config)


def _differences(old: bytes, new: bytes) -> str:
    from neuroprism.core import yaml_text

    try:
        before = _leaves(yaml_text.parse(old.decode(), source=layout.CONFIG))
    except (ConfigError, UnicodeDecodeError):
        return f"{layout.CONFIG} was damaged"
    after = _leaves(yaml_text.parse(new.decode(), source=layout.CONFIG))
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    shown = [f"{key} {before.get(key)} -> {after.get(key)}" for key in changed[:_N_CHANGES_SHOWN]]
    more = len(changed) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix.rstrip("."): value}
    return {k: v for key, item in value.items() for k, v in _leaves(item, f"{prefix}{key}.").items()}
