"""The file that describes a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from neuroprism.core.section import Section

RESERVED = {
    "hardware.n_threads": "threads",
    "logging.log_dir": "out",
    "reproducibility.seed": "seeds",
}
"""Configuration keys that the sweep sets, and its own key for each."""


class SweepConfig(Section):
    """A sweep: what all runs share, and what is combined."""

    command: Literal["train", "finetune"]
    """The command that makes every run."""

    out: Path
    """Folder of the runs."""

    config: Path | None = None
    """Configuration file of all runs, as for `--config`."""

    settings: dict[str, Any] = Field(default_factory=dict)
    """Configuration keys that all runs share."""

    grid: dict[str, list[Any]] = Field(default_factory=dict)
    """Configuration keys, each with a list of values; every value meets every value of the other keys."""

    seeds: list[int] = Field(default_factory=list)
    """Seeds that repeat each combination; empty = once, with the seed of the configuration."""

    processes: int = Field(default=1, ge=1)
    """Runs at a time."""

    threads: int = Field(default=1, ge=1)
    """Threads of each run."""

    @field_validator("grid")
    @classmethod
    def _values_differ(cls, grid: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for key, values in grid.items():
            if not values:
                raise ValueError(f"{key} has no values")
            if any(value in values[:place] for place, value in enumerate(values)):
                raise ValueError(f"{key} has a value twice")
        return grid

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed stands twice")
        return seeds

    @model_validator(mode="after")
    def _fits_together(self) -> SweepConfig:
        if not self.grid and not self.seeds:
            raise ValueError("neither grid nor seeds: there is nothing to vary")
        fixed = [*dotted(self.settings)]
        for key in [*fixed, *self.grid]:
            if key in RESERVED:
                raise ValueError(f"{key} is set by the sweep; give '{RESERVED[key]}' instead")
        for key in self.grid:
            if any(
                other == key or other.startswith(f"{key}.") or key.startswith(f"{other}.") for other in fixed
            ):
                raise ValueError(f"{key} stands in settings and in grid")
        return self


def dotted(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested keys by dotted name."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            found |= dotted(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
