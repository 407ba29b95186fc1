"""Random states: set them, store them, bring them back."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuroprism.train.config import ReproducibilityConfig


def seed_everything(config: ReproducibilityConfig, *, rank: int = 0) -> None:
    """Seed Python, NumPy and PyTorch on every device, and choose the kind of algorithms.

    Parameters
    ----------
    config
        Seed and algorithms.
    rank
        Process whose noise is to differ from that of the others; the first one
        draws as a single process does.
    """
    _seed(_seed_of(config.seed, rank))
    if config.deterministic:
        # cuBLAS reads this when its first handle is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(config.deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = config.benchmark


def torch_states() -> dict[str, Any]:
    """Return the states of PyTorch's generators; cheap, and no device is waited for."""
    states: dict[str, Any] = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def random_states() -> dict[str, Any]:
    """Return all random states as plain values and tensors."""
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
        **torch_states(),
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Bring back what `random_states` returned; states of absent devices are left out."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(_on_cpu(states["torch"]))
    if torch.cuda.is_available() and len(states.get("cuda", [])) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([_on_cpu(state) for state in states["cuda"]])


def depart(rank: int) -> None:
    """Let process `rank` draw from a state of its own, where all hold that of the first one."""
    if rank:
        _seed(_seed_of(int(torch.randint(2**32, ())), rank))


def _seed_of(seed: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, rank]).generate_state(1)[0]) if rank else seed


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - data sets may draw from the global state
    torch.manual_seed(seed)


def _on_cpu(state: Tensor) -> Tensor:
    return state.to("cpu", torch.uint8)
