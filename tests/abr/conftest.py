"""Simulated sets that several tests of recordings share."""

from __future__ import annotations

import pytest

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.simulate import SimulationConfig, simulate


@pytest.fixture(scope="session")
def clinical_set() -> AbrRecordings:
    """Some 15,000 recordings of 10 ms, classes as in a clinic."""
    return simulate(SimulationConfig(n_patients=900, preset="clinical", window_ms=10.0, seed=11))


@pytest.fixture(scope="session")
def balanced_set() -> AbrRecordings:
    """Some 4,500 recordings of 12.8 ms, equally many patients of each class."""
    return simulate(SimulationConfig(n_patients=250, preset="balanced", seed=12))


@pytest.fixture(scope="session")
def small_set() -> AbrRecordings:
    """Some 500 recordings of 12.8 ms."""
    return simulate(SimulationConfig(n_patients=30, preset="balanced", seed=13))
