"""From a sweep to its runs: names, folders and the words of their commands."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from neuroprism.core import yaml_text
from neuroprism.core.errors import ConfigError
from neuroprism.runs.sweep.config import SweepConfig, dotted

LONGEST_NAME = 120
"""Letters of a folder name, beyond which it is cut and ends with a digest."""

_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of a sweep.

    Attributes
    ----------
    name
        Folder below that of the sweep.
    folder
        The folder.
    combination
        Value of each key of the grid.
    seed
        Seed of the run, None for that of the configuration.
    settings
        Configuration keys that distinguish it from the defaults.
    """

    name: str
    folder: Path
    combination: Mapping[str, Any]
    seed: int | None
    settings: Mapping[str, Any]


def plan(sweep: SweepConfig) -> list[PlannedRun]:
    """Return the runs of a sweep: combinations in the order of the file, the last key varying fastest.

    A combination is named by the ends of its keys, and its repeats lie in
    ``seed_N`` inside, as `neuroprism compare` takes them.

    Examples
    --------
    >>> sweep = SweepConfig(
    ...     command="train", out=Path("s"), grid={"training.optimizer.learning_rate": [0.1, 0.01]}, seeds=[7]
    ... )
    >>> [run.name for run in plan(sweep)]
    ['learning_rate=0.1/seed_7', 'learning_rate=0.01/seed_7']

    Raises
    ------
    ConfigError
        If two combinations have the same name.
    """
    ends = key_ends(sweep.grid)
    runs = []
    for values in product(*sweep.grid.values()):
        combination = dict(zip(sweep.grid, values, strict=True))
        name = folder_name({ends[key]: value for key, value in combination.items()})
        seeds: list[int | None] = [*sweep.seeds] or [None]
        for seed in seeds:
            parts = [*([name] if name else []), *([] if seed is None else [f"seed_{seed}"])]
            settings = {**dotted(sweep.settings), **combination, "hardware.n_threads": sweep.threads}
            if seed is not None:
                settings["reproducibility.seed"] = seed
            # The options of another optimizer or schedule would not survive its choice.
            settings = dict(sorted(settings.items(), key=lambda item: not item[0].endswith(".type")))
            runs.append(
                PlannedRun(
                    name="/".join(parts),
                    folder=sweep.out.joinpath(*parts),
                    combination=combination,
                    seed=seed,
                    settings=settings,
                )
            )
    names = [run.name for run in runs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"two combinations of the grid would lie in {sweep.out / twice}")
    return runs


def key_ends(keys: Mapping[str, Any]) -> dict[str, str]:
    """Return for each dotted key the shortest end that no other key has."""
    found = {}
    for key in keys:
        parts = key.split(".")
        ends = [".".join(parts[-n:]) for n in range(1, len(parts) + 1)]
        others = [other for other in keys if other != key]
        found[key] = next(
            (end for end in ends if not any(f".{other}".endswith(f".{end}") for other in others)), key
        )
    return found


def folder_name(combination: Mapping[str, Any]) -> str:
    """Return a combination as the name of a folder."""
    values = {key: spelled(value) for key, value in combination.items()}
    plain = ",".join(
        f"{key}={_NOT_IN_NAMES.sub(' ', v).strip().replace(' ', '-')}" for key, v in values.items()
    )
    if len(plain) > LONGEST_NAME:
        digest = hashlib.sha256(str(values).encode()).hexdigest()[:8]
        plain = f"{plain[:LONGEST_NAME]}-{digest}"
    return plain


def spelled(value: Any) -> str:
    """Return a value as `--set` takes it: a text as it is where it reads as itself, else as JSON."""
    if isinstance(value, str) and _reads_as_itself(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _reads_as_itself(text: str) -> bool:
    try:
        return bool(yaml_text.parse(text, source="") == text)
    except ConfigError:
        return False


def command_words(sweep: SweepConfig, run: PlannedRun) -> list[str]:
    """Return the command that makes a run, without the name of the program."""
    words: list[str] = [sweep.command]
    if sweep.config is not None:
        words += ["--config", str(sweep.config)]
    settings = dict(run.settings)
    if sweep.command == "train":
        words += ["--experiment", run.folder.name]
        settings["logging.log_dir"] = str(run.folder.parent)
    else:
        words += ["--model_dir", str(run.folder)]
    for key, value in settings.items():
        words += ["--set", f"{key}={spelled(value)}"]
    return words
