"""Declarations to test with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from neuroprism.eeg.spec import DatasetSpec, Preprocessing, TaskKind
from neuroprism.eeg.split_rules import AsProvided

SpecMaker = Callable[..., DatasetSpec]


def _spec(
    name: str = "Test",
    *,
    task: TaskKind = "multiclass",
    n_channels: int = 2,
    n_patches: int = 1,
    n_classes: int = 3,
    sequence_length: int = 1,
) -> DatasetSpec:
    n_names = {"multiclass": n_classes, "binary": 2, "regression": 0}[task]
    return DatasetSpec(
        name=name,
        title="for tests",
        task=task,
        class_names=tuple(f"class {k}" for k in range(n_names)),
        channels=tuple(f"E{c}" for c in range(n_channels)),
        source_rates_hz=(200.0,),
        n_patches=n_patches,
        sequence_length=sequence_length,
        preprocessing=Preprocessing(),
        label_rule="none",
        split=AsProvided(),
        expected={},
        n_subjects=1,
        raw_layout="none",
        access="none",
        licence="none",
        citation="none",
        source="none",
    )


@pytest.fixture(scope="session")
def make_spec() -> SpecMaker:
    """Return a maker of declarations: name, task, n_channels, n_patches, n_classes, sequence_length."""
    return _spec
