"""A recording of another kind is told from the training recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuroprism.abr.recordings import AbrRecordings
from neuroprism.abr.signal_profile import FEATURES, LIMIT_SHARE, SignalProfile
from neuroprism.core.errors import DataError


@pytest.fixture(scope="module")
def signals(balanced_set: AbrRecordings) -> np.ndarray[Any, Any]:
    return balanced_set.signal_uv / balanced_set.signal_uv.std()


@pytest.fixture(scope="module")
def profile(signals: Any) -> SignalProfile:
    return SignalProfile.fit(signals[:3000], 20_000.0)


def share(words: list[str]) -> float:
    return sum(map(bool, words)) / len(words)


def test_one_training_recording_in_a_thousand_is_unlike_them(profile: SignalProfile, signals: Any) -> None:
    assert share(profile.unlike(signals[:3000])) == pytest.approx(1 - LIMIT_SHARE, abs=1e-3)


def test_new_recordings_of_the_same_kind_are_like_them(profile: SignalProfile, signals: Any) -> None:
    assert share(profile.unlike(signals[3000:])) < 0.01


def _spike(x: Any) -> Any:
    changed = x.copy()
    changed[:, 100] += 20 * x.std()
    return changed


STRANGE: dict[str, Callable[[Any], Any]] = {
    "a hundred times as large": lambda x: 100 * x,
    "a hundred times as small": lambda x: 0.01 * x,
    "offset": lambda x: x + 5.0,
    "one sample far away": _spike,
    "white noise": lambda x: np.random.default_rng(0).standard_normal(x.shape),
    "a straight line": lambda x: np.tile(np.linspace(-1.7, 1.7, x.shape[1]), (len(x), 1)),
    "constant": lambda x: np.zeros_like(x),
}


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE)
def test_other_recordings_are_unlike_them(profile: SignalProfile, signals: Any, change: Any) -> None:
    assert share(profile.unlike(change(signals[:200]))) > 0.8


def test_state_is_plain_and_restores_it(profile: SignalProfile, signals: Any) -> None:
    restored = SignalProfile.from_state_dict(profile.state_dict())
    assert restored == profile
    assert restored.unlike(signals[:9]) == profile.unlike(signals[:9])


def test_the_feature_is_named(profile: SignalProfile, signals: Any) -> None:
    assert "offset" in profile.unlike(signals[:1] + 30.0)[0]
    assert "size" in profile.unlike(signals[:1] * 100.0)[0]


def test_other_states_are_refused(profile: SignalProfile) -> None:
    with pytest.raises(DataError, match="not the state of a signal profile"):
        SignalProfile.from_state_dict({"mean": []})
    short = {**profile.state_dict(), "mean": [0.0]}
    with pytest.raises(DataError, match=f"{len(FEATURES)} features"):
        SignalProfile.from_state_dict(short)
