from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroprism.core.records import Component
from neuroprism.monitor.history import GRAD_NORM, LR, STEP_SECONDS, Stream
from neuroprism.monitor.window import StepWindow

Pair = tuple[Component, ...]
MakeLosses = Callable[..., StepWindow]
Cut = Callable[..., list[StepWindow]]


def losses(n: int, seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    values = np.column_stack([np.linspace(3, 1, n), np.ones(n)]) * (1 + 0.1 * random.standard_normal((n, 2)))
    values[random.random(n) < 0.02] *= 20
    values[random.random(n) < 0.01, 0] = np.nan
    values[random.random(n) < 0.01, 1] = np.inf
    return values


def absorbed(stream: Stream, windows: list[StepWindow]) -> Stream:
    for window in windows:
        for piece in stream.pieces(window):
            stream.push(piece)
    return stream


def state(stream: Stream) -> str:
    return json.dumps(stream.state_dict())


@given(n=st.integers(1, 700), places=st.lists(st.integers(1, 700), max_size=8), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_windows_may_end_anywhere(
    n: int, places: list[int], seed: int, pair: Pair, two_losses: MakeLosses, cut: Cut
) -> None:
    random = np.random.default_rng(seed)
    window = two_losses(
        losses(n, seed), absent=random.random((n, 2)) < 0.1, grad_norm=random.random(n), seconds=0.1
    )
    whole = absorbed(Stream(pair), [window])
    pieces = absorbed(Stream(pair), cut(window, places))
    assert state(whole) == state(pieces)
    whole.close()
    pieces.close()
    assert state(whole) == state(pieces)
    assert whole.excursions == pieces.excursions


def test_moments_do_not_depend_on_windows(pair: Pair, two_losses: MakeLosses, cut: Cut) -> None:
    n = 5000
    window = two_losses(losses(n))
    moments = []
    for places in ([], range(0, n, 7), [1, 2, 3, n - 1]):
        stream, seen = Stream(pair), []
        for part in cut(window, places):
            for piece in stream.pieces(part):
                if stream.push(piece):
                    seen.append((stream.n_rows, stream.is_course, stream.excursions))
        moments.append(seen)
    assert moments[0] == moments[1] == moments[2]
    rows = [row for row, _, _ in moments[0]]
    assert rows[0] == 8
    assert max(np.diff(rows)) == 256
    assert any(is_course for _, is_course, _ in moments[0])


@given(n=st.integers(0, 600), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_saved_stream_goes_on_to_the_last_bit(
    n: int, seed: int, pair: Pair, two_losses: MakeLosses, cut: Cut
) -> None:
    window = two_losses(losses(700, seed), grad_norm=1.0, lr=np.linspace(1e-3, 0, 700))
    first, rest = cut(window, [n]) if n else ([], window)
    stream, other = (Stream(pair, gradient_clip=0.5) for _ in range(2))
    absorbed(stream, [first] if n else [])
    other.load_state_dict(json.loads(state(stream)))
    assert state(other) == state(stream)
    for each in (stream, other):
        absorbed(each, [rest])
        each.close()
    assert state(other) == state(stream)
    assert other.excursions == stream.excursions
    assert other.course is not None
    assert stream.course is not None
    np.testing.assert_array_equal(other.course.now, stream.course.now)


@given(n=st.integers(1, 400), places=st.lists(st.integers(1, 400), max_size=5))
@settings(max_examples=20, deadline=None)
def test_pieces_are_the_window_and_end_where_blocks_do(
    n: int, places: list[int], pair: Pair, two_losses: MakeLosses, cut: Cut
) -> None:
    stream = Stream(pair)
    steps, ends = [], []
    for part in cut(two_losses(losses(n)), places):
        for piece in stream.pieces(part):
            steps += piece.step.tolist()
            if stream.push(piece):
                ends.append(stream.n_rows)
                assert stream.step == stream.n_rows == piece.step[-1]
    assert steps == list(range(1, n + 1))
    assert ends == [row for row in range(8, n + 1, 8) if row <= 256 or row % 16 == 0]


def test_series_have_names_and_columns(pair: Pair, two_losses: MakeLosses) -> None:
    stream = absorbed(Stream(pair), [two_losses(losses(64), seconds=0.25)])
    assert stream.names == ("a", "b", "total", GRAD_NORM, LR, STEP_SECONDS)
    assert [stream.index(name) for name in ("a", "total", STEP_SECONDS)] == [0, 2, 5]
    assert [stream.has(name) for name in ("b", LR, STEP_SECONDS, GRAD_NORM)] == [True, True, True, False]


def test_values_are_those_of_the_windows(pair: Pair, two_losses: MakeLosses) -> None:
    values = 1 + 0.01 * np.random.default_rng(0).standard_normal((128, 2))
    stream = absorbed(Stream(pair), [two_losses(values, grad_norm=2.0, epoch=3)])
    assert (stream.n_rows, stream.step, stream.epoch) == (128, 128, 3)
    np.testing.assert_array_equal(stream.first[:, :2], values[:8])
    means = stream.curve.means()
    np.testing.assert_allclose(means[:, :2], values)
    np.testing.assert_allclose(means[:, 2], values @ (1.0, 0.5))
    np.testing.assert_array_equal(stream.recent.latest[:, stream.index(GRAD_NORM)], [2.0] * 8)


def test_absent_components_and_non_finite_values_enter_nothing(pair: Pair, two_losses: MakeLosses) -> None:
    values = np.ones((256, 2))
    values[::2, 0] = np.nan
    values[1::2, 1] = np.inf
    absent = np.zeros((256, 2))
    absent[::2, 0] = 1
    stream = absorbed(Stream(pair), [two_losses(values, absent=absent)])
    assert stream.curve.counts(complete=False)[:, :2].sum(axis=0).tolist() == [128, 128]
    assert set(stream.curve.highs()[:, :2].max(axis=0)) == {1.0}


def test_first_values_of_every_series_are_those_that_are_known(
    pair: Pair, two_losses: MakeLosses, cut: Cut
) -> None:
    values = np.arange(1.0, 201.0).reshape(100, 2)
    absent = np.zeros((100, 2))
    absent[:, 0] = np.arange(100) % 3 != 2
    absent[:, 1] = np.arange(100) < 60
    for places in ([], range(100), [7, 8, 9, 61]):
        stream = absorbed(Stream(pair), cut(two_losses(values, absent=absent), places))
        assert stream.first.shape == (8, 6)
        np.testing.assert_array_equal(stream.first[:, 0], values[2:26:3, 0])
        np.testing.assert_array_equal(stream.first[:, 1], values[60:68, 1])
        assert np.isnan(stream.first[:, stream.index(GRAD_NORM)]).all()


def test_fewer_first_values_leave_nan(pair: Pair, two_losses: MakeLosses) -> None:
    absent = np.zeros((16, 2))
    absent[:, 1] = np.arange(16) % 3 != 0
    stream = absorbed(Stream(pair), [two_losses(np.ones((16, 2)), absent=absent)])
    assert stream.first[:, 1].tolist()[:6] == [1.0] * 6
    assert np.isnan(stream.first[6:, 1]).all()


def test_rows_that_complete_no_block_wait_until_the_end(pair: Pair, two_losses: MakeLosses) -> None:
    stream = absorbed(Stream(pair), [two_losses(losses(13))])
    assert (stream.n_rows, stream.step) == (8, 8)
    stream.close()
    assert (stream.n_rows, stream.step, stream.is_course) == (13, 13, True)
    stream.close()
    assert stream.n_rows == 13


def test_a_restart_of_the_rate_is_noticed_and_a_warm_up_is_not(pair: Pair, two_losses: MakeLosses) -> None:
    up = np.linspace(1e-4, 1e-3, 200)
    down = np.linspace(1e-3, 1e-5, 200)
    warming = absorbed(Stream(pair), [two_losses(losses(200), lr=up)])
    assert warming.rate_rose_row == -1
    restarting = absorbed(Stream(pair), [two_losses(losses(400), lr=np.r_[down, down])])
    assert restarting.rate_rose_row == 200


def test_clipped_steps_and_steps_without_rate_are_counted(pair: Pair, two_losses: MakeLosses) -> None:
    norms, rates = np.where(np.arange(64) % 4 == 0, 3.0, 0.5), np.where(np.arange(64) < 16, 0.0, 1e-3)
    stream = absorbed(Stream(pair, gradient_clip=1.0), [two_losses(losses(64), grad_norm=norms, lr=rates)])
    assert (stream.n_clipped, stream.n_zero_rate) == (16, 16)


def test_the_state_of_other_components_is_not_taken_over(pair: Pair, two_losses: MakeLosses) -> None:
    stream = absorbed(Stream(pair), [two_losses(losses(64))])
    other = Stream(pair[:1])
    other.load_state_dict(stream.state_dict())
    assert other.n_rows == 0


def test_an_empty_stream_has_no_course(pair: Pair) -> None:
    stream = Stream(pair)
    assert stream.course is None
    assert not any(stream.has(name) for name in stream.names)
    stream.close()
    assert stream.n_rows == 0
