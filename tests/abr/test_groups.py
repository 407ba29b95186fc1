from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroprism.abr.groups import by_age, by_class, by_level
from neuroprism.abr.recordings import AbrRecordings


@pytest.mark.parametrize("grouping", [by_level, by_class, by_age])
def test_every_recording_is_in_one_group(grouping, balanced_set: AbrRecordings) -> None:
    rows = np.stack(list(grouping(balanced_set).values()))
    assert (rows.sum(axis=0) == 1).all()
    assert rows.any(axis=1).all()


def test_ages_that_are_not_known_stand_apart(small_set: AbrRecordings) -> None:
    age = small_set.age_years.copy()
    age[:5] = [np.nan, 0.0, 0.5, 60.0, 120.0]
    groups = by_age(replace(small_set, age_years=age))
    found = [next(title for title, rows in groups.items() if rows[k]) for k in range(5)]
    assert found == [
        "age not known",
        "below 6 months",
        "6 months to below 2 years",
        "60 years and above",
        "60 years and above",
    ]


def test_recordings_without_a_class_are_in_no_class(small_set: AbrRecordings) -> None:
    unknown = replace(small_set, hearing_class=np.full(len(small_set), -1, dtype=np.int64))
    assert by_class(unknown) == {}
