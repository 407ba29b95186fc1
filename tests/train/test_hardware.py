"""The device, and whether there is one for every process."""

from __future__ import annotations

import pytest
import torch

from neuroprism.core.errors import ConfigError
from neuroprism.train import HardwareConfig
from neuroprism.train.hardware import build_fabric, choose_device


def launch(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, str(n))
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("MASTER_PORT", "29500")


def gpus(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n)


def test_auto_takes_the_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    assert choose_device("auto") == "cuda"
    assert choose_device("cuda:1") == "cuda:1"
    gpus(monkeypatch, 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == "mps"
    launch(monkeypatch, 2)
    assert choose_device("auto") == "cpu"


@pytest.mark.parametrize(("n_gpus", "wanted"), [(0, "cuda"), (0, "cuda:0"), (1, "cuda:1"), (0, "mps")])
def test_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch, n_gpus: int, wanted: str) -> None:
    gpus(monkeypatch, n_gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(
        ConfigError, match=f"hardware.device={wanted}: there is no such device here; available: "
    ):
        choose_device(wanted)


def test_fewer_gpus_than_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 1)
    launch(monkeypatch, 2)
    line = (
        "2 processes on this machine, but only 1 CUDA device; start torchrun with --nproc_per_node 1, or set "
        "hardware.device=cpu"
    )
    for wanted in ("auto", "cuda"):
        with pytest.raises(ConfigError) as caught:
            build_fabric(HardwareConfig(device=wanted))
        assert str(caught.value) == line
    gpus(monkeypatch, 2)
    assert choose_device("auto") == "cuda"


def test_one_device_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    launch(monkeypatch, 2)
    with pytest.raises(ConfigError, match="device=cuda:1 names one device for 2 processes"):
        choose_device("cuda:1")


def test_half_a_launch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="start them with torchrun"):
        build_fabric(HardwareConfig(device="cpu"))


def test_a_job_of_several_tasks_is_no_request_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes train together where RANK and WORLD_SIZE say so, not in every job with two tasks."""
    job = {"NTASKS": "2", "JOB_ID": "1", "PROCID": "1", "LOCALID": "1", "NODEID": "0", "JOB_NAME": "first"}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    fabric = build_fabric(HardwareConfig(device="cpu"))
    assert (fabric.world_size, fabric.global_rank) == (1, 0)
