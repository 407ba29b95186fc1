"""How many processes train together, as torchrun tells each of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from neuroprism.core.errors import ConfigError

_NEEDED = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """The place of this process among those that train together.

    Attributes
    ----------
    rank
        Number of the process from 0; the first one keeps the record.
    n_processes
        Processes in all; 1 where none else was started.
    local_rank
        Number of the process on its machine; chooses the device.
    n_local
        Processes on each machine.
    """

    rank: int = 0
    n_processes: int = 1
    local_rank: int = 0
    n_local: int = 1

    @property
    def alone(self) -> bool:
        """Whether there is only this process."""
        return self.n_processes == 1

    @property
    def n_machines(self) -> int:
        """Machines that take part."""
        return self.n_processes // self.n_local


def read_launch(environment: Mapping[str, str] | None = None) -> Launch:
    """Return what torchrun wrote into the environment; without it the process is alone.

    Raises
    ------
    ConfigError
        If the environment announces several processes and does not say which one this is.
    """
    environment = os.environ if environment is None else environment
    n_processes = _number(environment, "WORLD_SIZE") if environment.get("WORLD_SIZE") else 1
    if n_processes == 1:
        return Launch()
    missing = [name for name in _NEEDED if not environment.get(name)]
    if missing:
        raise ConfigError(
            f"WORLD_SIZE={n_processes} announces several processes, but {missing[0]} is not set; start them "
            "with torchrun, or unset WORLD_SIZE for a single process"
        )
    launch = Launch(
        rank=_number(environment, "RANK"),
        n_processes=n_processes,
        local_rank=_number(environment, "LOCAL_RANK"),
        n_local=_number(environment, "LOCAL_WORLD_SIZE"),
    )
    if not (0 <= launch.rank < n_processes and 0 <= launch.local_rank < launch.n_local):
        raise ConfigError(
            f"RANK={launch.rank} and LOCAL_RANK={launch.local_rank} do not fit WORLD_SIZE={n_processes} and "
            f"LOCAL_WORLD_SIZE={launch.n_local}"
        )
    if n_processes % launch.n_local:
        raise ConfigError(
            f"{n_processes} processes with {launch.n_local} on this machine: "
            "every machine must start the same number"
        )
    return launch


def is_first_process() -> bool:
    """Tell whether this process is the one that speaks to the user and keeps the record."""
    return read_launch().rank == 0


def _number(environment: Mapping[str, str], name: str) -> int:
    try:
        number = int(environment[name])
    except ValueError:
        raise ConfigError(f"{name}={environment[name]} in the environment is no number") from None
    if number < (name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")):
        raise ConfigError(f"{name}={number} in the environment is too small")
    return number
