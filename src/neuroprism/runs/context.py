"""What is known about a run besides its curves: name, data set, network, components."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuroprism.core import yaml_text
from neuroprism.core.errors import ConfigError, DataError, RunError
from neuroprism.core.records import AnyEvent, Component, EpochRecord, RunRecord, Status
from neuroprism.monitor import layout
from neuroprism.monitor.reading import read_events, read_run, run_status


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """The record that lies beside a training log; empty for a log that stands alone.

    Attributes
    ----------
    card
        Identity card, None without one.
    status
        As of now: a run whose process is gone is ``lost``.
    config
        Resolved configuration, empty without one.
    selected_epoch
        Last epoch in which the selection criterion improved.
    notes
        What could not be read.
    """

    card: RunRecord | None = None
    status: Status | None = None
    config: dict[str, Any] = field(default_factory=dict)
    selected_epoch: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def components(self) -> tuple[Component, ...]:
        """Components of the loss; none where they were not recorded."""
        return self.card.components if self.card else ()

    @property
    def dataset(self) -> str | None:
        """Name of the data set in the configuration."""
        return _text(self.config, "data", "dataset")

    @property
    def backbone(self) -> str | None:
        """Name of the network in the configuration."""
        return _text(self.config, "model", "backbone")


def read_context(folder: Path) -> RunContext:
    """Return what the folder of a training log tells about its run; damaged parts become notes."""
    notes: list[str] = []
    card, status, selected = None, None, None
    config: dict[str, Any] = {}
    if (folder / layout.RUN).exists():
        try:
            card, status = read_run(folder), run_status(folder)
            selected = selected_epoch(read_events(folder))
        except (RunError, DataError) as error:
            notes.append(str(error))
    try:
        config = read_config(folder)
    except ConfigError as error:
        notes.append(str(error))
    return RunContext(card=card, status=status, config=config, selected_epoch=selected, notes=tuple(notes))


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration that a run stored; empty without one.

    Raises
    ------
    ConfigError
        If the file is damaged.
    """
    path = folder / layout.CONFIG
    if not path.is_file():
        return {}
    try:
        config = yaml_text.parse(path.read_text(encoding="utf-8"), source=str(path))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    return config if isinstance(config, dict) else {}


def selected_epoch(events: list[AnyEvent]) -> int | None:
    """Return the last epoch in which the selection criterion improved; None where none did."""
    chosen = (event.epoch for event in reversed(events) if isinstance(event, EpochRecord) and event.best)
    return next(chosen, None)


def _text(config: dict[str, Any], section: str, key: str) -> str | None:
    values = config.get(section)
    value = values.get(key) if isinstance(values, dict) else None
    return value if isinstance(value, str) and value else None
