"""Each fault of a recording is one line that names it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.checks import amplitude_uv, check_rate, check_signal, pick
from neuroprism.eeg.spec import DatasetSpec

NAMES = ["C3", "Cz", "C4"]


@pytest.fixture
def signal() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 5000)) * 20


def message_of(act: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        act()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_plain_recording_passes(signal: np.ndarray) -> None:
    check_signal(signal, NAMES, "a.edf")
    check_signal(signal + 30_000, NAMES, "a.edf")  # an offset of the amplifier


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(signal: np.ndarray, value: float) -> None:
    signal[2, 77] = value
    text = message_of(lambda: check_signal(signal, NAMES, "a.edf"))
    assert text == "a.edf: channel C4 not finite (NaN or infinite)"


def test_flat_channels(signal: np.ndarray) -> None:
    signal[0], signal[2] = 5.0, 0.0
    assert message_of(lambda: check_signal(signal, NAMES, "a.edf")) == (
        "a.edf: channels C3, C4 flat: one value throughout"
    )


def test_volts(signal: np.ndarray) -> None:
    text = message_of(lambda: check_signal(signal * 1e-6, NAMES, "a.edf"))
    assert text.startswith("a.edf: amplitudes of at most")
    assert "look like volts" in text


def test_one_quiet_channel_is_no_volts(signal: np.ndarray) -> None:
    signal[1] *= 1e-6
    check_signal(signal, NAMES, "a.edf")


def test_absurdly_large_values_but_not_a_short_artefact(signal: np.ndarray) -> None:
    signal[1, :20] = 1e6
    check_signal(signal, NAMES, "a.edf")
    text = message_of(lambda: check_signal(signal * 1e6, NAMES, "a.edf"))
    assert text == "a.edf: channels C3, Cz, C4 above 100000 uV; the values are not microvolt"


def test_shape_and_emptiness(signal: np.ndarray) -> None:
    assert "shape (2, 5000) for 3 channels" in message_of(lambda: check_signal(signal[:2], NAMES, "x"))
    assert "x: the recording is empty" in message_of(lambda: check_signal(signal[:, :0], NAMES, "x"))


def test_amplitude_is_that_of_a_sine() -> None:
    sine = 100 * np.sin(2 * np.pi * np.arange(100_000) / 997)[None]
    # 5th and 95th percentile of a sine are sin(0.45 pi) of its amplitude.
    assert amplitude_uv(sine)[0] == pytest.approx(100 * np.sin(0.45 * np.pi), rel=1e-2)


def test_rate(make_spec: Callable[..., DatasetSpec]) -> None:
    spec = make_spec("Test")
    check_rate(200.0, spec, "a.edf")
    text = message_of(lambda: check_rate(128.0, spec, "a.edf"))
    assert text == "a.edf: sampled at 128 Hz; Test is recorded at 200 Hz"


def test_channels_are_picked_in_the_order_of_the_declaration() -> None:
    assert pick(["ECG", "CZ ", "c4", "C3", "C4"], NAMES, "x") == [3, 1, 2]


def test_missing_channels_are_named_with_what_there_is() -> None:
    text = message_of(lambda: pick(["Cz", "ECG"], NAMES, "a.edf"))
    assert text == "a.edf: missing channels C3, C4; the file has Cz, ECG"
    assert message_of(lambda: pick([], ["C3"], "x")) == "x: missing channel C3; the file has none"
