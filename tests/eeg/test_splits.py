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
from neuroprism.eeg.splits import divide, manifest


class MadeStore:
    """Subjects, labels and splits, with what `divide` asks of a store."""

    def __init__(
        self, subjects: list[str], labels: list[int], splits: list[str], rule: str = "as declared"
    ) -> None:
        self.path = Path("store")
        self.spec = SimpleNamespace(name="Made", task="binary")
        self.card = SimpleNamespace(split_rule=rule, is_published_split=rule == "as declared")
        self.subjects, self.labels = np.array(subjects), np.array(labels)
        self._splits = np.array(splits)

    def indices(self, name: str) -> Any:
        return np.flatnonzero(self._splits == name)

    def fingerprint(self) -> str:
        return "abc"

    def divided(self, rows: dict[str, Any], *, rule: str) -> MadeStore:
        splits = np.full(len(self.labels), "none", dtype="<U5")
        for name, numbers in rows.items():
            splits[numbers] = name
        return MadeStore(self.subjects.tolist(), self.labels.tolist(), splits.tolist(), rule)


def split(made: MadeStore, config: EegDataConfig) -> MadeStore:
    divided: Any = divide(made, config)  # type: ignore[arg-type]
    return divided


def own(**values: Any) -> EegDataConfig:
    return EegDataConfig.model_validate({"split": "by_subject", "subjects": values})


def test_the_declared_split_is_taken_as_it_is() -> None:
    made = MadeStore(list("aabbc"), [0, 1, 0, 1, 0], ["train", "train", "val", "val", "test"])
    assert split(made, EegDataConfig()) is made
    assert manifest(made) == {  # type: ignore[arg-type]
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
        split(MadeStore(list("abc"), [0, 1, 0], splits), EegDataConfig())


def test_an_empty_test_split_is_allowed() -> None:
    assert len(split(MadeStore(list("ab"), [0, 1], ["train", "val"]), EegDataConfig()).indices("test")) == 0


@given(n=st.integers(3, 30), seed=st.integers(0, 5), share=st.sampled_from([0.1, 0.2, 0.25]))
@settings(max_examples=40, deadline=None)
def test_an_own_split_parts_subjects_and_uses_every_window(n: int, seed: int, share: float) -> None:
    subjects = [f"s{k // 3:02d}" for k in range(3 * n)]
    made = MadeStore(subjects, [k % 2 for k in range(3 * n)], ["train"] * 3 * n)
    found = split(made, own(val_share=share, test_share=share, seed=seed))
    rows = [found.indices(name) for name in ("train", "val", "test")]
    assert sorted(np.concatenate(rows).tolist()) == list(range(3 * n))
    parts = [set(made.subjects[numbers]) for numbers in rows]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))
    again = split(made, own(val_share=share, test_share=share, seed=seed))
    np.testing.assert_array_equal(found.indices("test"), again.indices("test"))
    assert not found.card.is_published_split


def test_where_a_subject_has_one_class_every_split_has_every_class() -> None:
    subjects = [f"{k:02d}" for k in range(20)]
    made = MadeStore(subjects, [int(k < 6) for k in range(20)], ["train"] * 20)
    found = split(made, own(seed=3))
    for name in ("train", "val", "test"):
        assert set(made.labels[found.indices(name)]) == {0, 1}


def test_too_few_subjects_for_a_split_of_ones_own() -> None:
    with pytest.raises(DataError, match="2 subjects are too few"):
        split(MadeStore(list("aabb"), [0, 1, 0, 1], ["train"] * 4), own())
