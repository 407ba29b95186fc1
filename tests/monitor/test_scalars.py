from __future__ import annotations

import numpy as np
import pytest
import torch

from neuroprism.monitor.scalars import floats, plain, snapshot, to_float


@pytest.mark.parametrize(
    "value",
    [
        2,
        2.0,
        np.float32(2),
        np.float16(2),
        np.int64(2),
        np.array(2.0),
        np.array([2]),
        torch.tensor(2.0, requires_grad=True),
        torch.tensor(2, dtype=torch.int64),
        torch.tensor(2.0, dtype=torch.bfloat16),
        torch.tensor([[2.0]], dtype=torch.float16),
    ],
)
def test_one_number_of_any_kind(value: object) -> None:
    result = to_float(value, "loss")
    assert type(result) is float
    assert result == 2.0


@pytest.mark.parametrize("value", [np.zeros(2), torch.zeros(3, 1), np.zeros(0), torch.zeros(1, 0)])
def test_anything_but_one_element_is_refused_by_name(value: object) -> None:
    with pytest.raises(ValueError, match=r"signal: expected one number, got shape \("):
        to_float(value, "signal")


@pytest.mark.parametrize("value", [None, "1.0", b"1", 1j, torch.tensor(1j), [1.0], {}, object()])
def test_what_is_no_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(TypeError, match="signal: expected a number"):
        to_float(value, "signal")


def test_names_of_a_mapping_reach_the_message() -> None:
    assert floats(None, "metric") == {}
    assert floats({"f1": np.float32(0.5)}, "metric") == {"f1": 0.5}
    with pytest.raises(ValueError, match="metric 'f1'"):
        floats({"f1": np.zeros(2)}, "metric")


def test_snapshot_is_not_reached_by_later_changes() -> None:
    tensor, array, names = torch.zeros(2), np.zeros(2), ["a"]
    copy = snapshot({"tensor": tensor, "array": array, "names": names})
    tensor += 1
    array += 1
    names.append("b")
    assert copy["tensor"].tolist() == [0.0, 0.0]
    assert copy["array"].tolist() == [0.0, 0.0]
    assert copy["names"] == ["a"]


def test_plain_values_are_fit_for_json() -> None:
    value = {
        1: (np.float64(1.5), np.int32(2), np.bool_(True)),
        "t": torch.tensor([1, 2]),
        "a": np.array(["s1", "s2"]),
        "s": {3},
        "n": None,
        "o": object,
    }
    assert plain(value) == {
        "1": [1.5, 2, True],
        "t": [1, 2],
        "a": ["s1", "s2"],
        "s": [3],
        "n": None,
        "o": "<class 'object'>",
    }
    assert type(plain(np.float64(1.5))) is float
