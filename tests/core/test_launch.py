"""What torchrun tells a process."""

from __future__ import annotations

import pytest

from neuroprism.core.errors import ConfigError
from neuroprism.core.launch import Launch, is_first_process, read_launch

WHOLE = {
    "WORLD_SIZE": "4",
    "RANK": "3",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_PORT": "29500",
}


@pytest.mark.parametrize(
    "environment", [{}, {"WORLD_SIZE": "1", "RANK": "0"}, {"WORLD_SIZE": "", "RANK": "7"}]
)
def test_without_torchrun_a_process_is_alone(environment: dict[str, str]) -> None:
    assert read_launch(environment) == Launch()
    assert read_launch(environment).alone


def test_place_among_the_others() -> None:
    launch = read_launch(WHOLE)
    assert launch == Launch(rank=3, n_processes=4, local_rank=1, n_local=2)
    assert (launch.alone, launch.n_machines) == (False, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"RANK": ""},
            "WORLD_SIZE=4 announces several processes, but RANK is not set; start them with torchrun",
        ),
        ({"MASTER_PORT": ""}, "MASTER_PORT is not set"),
        ({"RANK": "4"}, "RANK=4 and LOCAL_RANK=1 do not fit WORLD_SIZE=4"),
        ({"RANK": "first"}, "RANK=first in the environment is no number"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE=0 in the environment is too small"),
        ({"RANK": "-1"}, "RANK=-1 in the environment is too small"),
        ({"WORLD_SIZE": "5", "LOCAL_WORLD_SIZE": "2"}, "every machine must start the same number"),
    ],
)
def test_half_a_launch_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_launch(WHOLE | change)


def test_first_process_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert is_first_process()
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)
    assert not is_first_process()
