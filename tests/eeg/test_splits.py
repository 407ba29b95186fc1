"""Which windows a run trains on: the declared split, or one of its own by subject."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroprism.core.errors import DataError
from neuroprism.eeg.config import EegDataConfig
from neuroprism.eeg.splits import split_store


def store(subjects: list[str], labels: list[int], splits: list[str], task: str = "binary") -> Any:
    of_window = np.array(splits)
    return SimpleNamespace(
        path=Path("store"),
        spec=SimpleNamespace(name="Made", task=task),
        card=SimpleNamespace(split_rule="as declared", is_published_split=True),
        subjects=np.array(subjects),
        labels=np.array(labels),
        fingerprint=lambda: "abc",
        indices=lambda name: np.flatnonzero(of_window == name),
    )


def own(**values: Any) -> EegDataConfig:
    return EegDataConfig.model_validate({"split": "by_subject", "subjects": values})


def test_the_declared_split_is_taken_as_it_is() -> None:
    made = store(list("aabbc"), [0, 1, 0, 1, 0], ["train", "train", "val", "val", "test"])
    split = split_store(made, EegDataConfig())
    assert split.train.tolist() == [0, 1]
    assert split.val.tolist() == [2, 3]
    assert split.test.tolist() == [4]
    assert split.published
    assert split.manifest(made) == {
        "dataset": "Made",
        "store": "abc",
        "rule": "as declared",
        "published": True,
        "subjects": {"train": ["a"], "val": ["b"], "test": ["c"]},
        "windows": {"train": 2, "val": 2, "test": 1},
    }


@pytest.mark.parametrize("missing", ["train", "val"])
def test_nothing_to_train_on_or_to_select_by_is_refused(missing: str) -> None:
    splits = ["test" if name == missing else name for name in ("train", "val", "test")]
    with pytest.raises(DataError, match=f"no window belongs to the split '{missing}'"):
        split_store(store(list("abc"), [0, 1, 0], splits), EegDataConfig())


def test_an_empty_test_split_is_allowed() -> None:
    split = split_store(store(list("ab"), [0, 1], ["train", "val"]), EegDataConfig())
    assert len(split.test) == 0


@given(n=st.integers(3, 30), seed=st.integers(0, 5), share=st.sampled_from([0.1, 0.2, 0.25]))
@settings(max_examples=40, deadline=None)
def test_an_own_split_parts_subjects_and_uses_every_window(n: int, seed: int, share: float) -> None:
    subjects = [f"s{k // 3:02d}" for k in range(3 * n)]
    made = store(subjects, [k % 2 for k in range(3 * n)], ["train"] * 3 * n)
    split = split_store(made, own(val_share=share, test_share=share, seed=seed))
    assert sorted([*split.train, *split.val, *split.test]) == list(range(3 * n))
    parts = [set(made.subjects[rows]) for rows in (split.train, split.val, split.test)]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))
    again = split_store(made, own(val_share=share, test_share=share, seed=seed))
    np.testing.assert_array_equal(split.test, again.test)
    assert not split.published


def test_where_a_subject_has_one_class_every_split_has_every_class() -> None:
    subjects = [f"{k:02d}" for k in range(20)]
    made = store(subjects, [int(k < 6) for k in range(20)], ["train"] * 20)
    split = split_store(made, own(seed=3))
    for rows in (split.train, split.val, split.test):
        assert set(made.labels[rows]) == {0, 1}


def test_too_few_subjects_for_a_split_of_ones_own() -> None:
    with pytest.raises(DataError, match="2 subjects are too few"):
        split_store(store(list("aabb"), [0, 1, 0, 1], ["train"] * 4), own())
