"""Raw recordings of every dataset, written in its true format, with rhythms that tell the classes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from neuroprism.core.errors import ConfigError, UnknownNameError

__all__ = ["simulate_raw", "simulators"]

FEWEST_SUBJECTS = 3
"""Below this, one of training, validation and test would be empty."""

simulators: dict[str, str] = {
    "FACED": "faced",
    "SEED-V": "seed_v",
    "PhysioNet-MI": "physionet_mi",
    "SHU-MI": "shu_mi",
    "ISRUC": "isruc",
    "CHB-MIT": "chb_mit",
    "BCIC2020-3": "bcic2020_3",
    "Mumtaz2016": "mumtaz2016",
    "SEED-VIG": "seed_vig",
    "MentalArithmetic": "mental_arithmetic",
    "TUEV": "tuev",
    "TUAB": "tuab",
    "BCIC-IV-2a": "bciciv_2a",
    "MODMA": "modma",
}
"""Dataset to the module of this package that writes it; loaded when asked for."""


class Simulator(Protocol):
    """What each module of this package offers."""

    def write(self, out: Path, n_subjects: int, seed: int) -> None:
        """Write a raw folder of `n_subjects` to `out`."""


def simulate_raw(name: str, out: Path, *, n_subjects: int, seed: int) -> None:
    """Write raw recordings of a dataset: true format, names, folders, channels, units and events.

    Parameters
    ----------
    name
        Dataset, e.g. ``"PhysioNet-MI"``.
    out
        Folder that is made; must be empty where it exists.
    n_subjects
        At least 3; their numbers are spread over the declared splits.
    seed
        Of everything that is drawn.

    Raises
    ------
    UnknownNameError
        If there is no such dataset.
    ConfigError
        For fewer than three subjects, or a folder that holds files.
    """
    if name not in simulators:
        raise UnknownNameError("dataset", name, simulators)
    if n_subjects < FEWEST_SUBJECTS:
        raise ConfigError(f"subjects: {n_subjects}; at least {FEWEST_SUBJECTS}, one for each split")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: not an empty folder")
    out.mkdir(parents=True, exist_ok=True)
    module = cast(Simulator, import_module(f"{__name__}.{simulators[name]}"))
    module.write(out, n_subjects, seed)
