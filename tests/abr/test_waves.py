"""Waves against published values: adults, infants, and the signs of each kind of hearing loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neuroprism.abr import waves as waves_module
from neuroprism.abr.columns import WAVE_V, WAVES
from neuroprism.abr.ears import CONDUCTIVE, NEUROPATHY, NORMAL, SENSORINEURAL, Ears, draw_ears
from neuroprism.abr.waves import Waves, draw_waves

LEVELS = np.arange(0.0, 101.0, 5.0)
FIRST, THIRD = WAVES.index("I"), WAVES.index("III")


def average_ear(label: int = NORMAL, threshold: float = 10.0, **changes: Any) -> Ears:
    """One ear without personal deviations, adult, tested at 10 stimuli per second."""
    two = draw_ears(1, "balanced", np.random.default_rng(0))
    found = np.ones((1, 7), dtype=bool)
    found[:, :WAVE_V] = label != NEUROPATHY
    one = Ears(**{name: getattr(two, name)[:1] for name in Ears.__dataclass_fields__})
    values: dict[str, Any] = {
        "hearing_class": label,
        "age_years": 25.0,
        "sex": 0,
        "rate_hz": 10.0,
        "threshold_db_nhl": threshold,
        "censored": False,
        "air_bone_gap_db": threshold - 10.0 if label == CONDUCTIVE else 0.0,
        "latency_shift_ms": 0.0,
        "high_frequency_delay_ms": 0.0,
        "amplitude_factor": 1.0,
        **changes,
    }
    return replace(
        one,
        wave_shift_ms=np.zeros((1, 7)),
        wave_found=found,
        **{name: np.array([value]) for name, value in values.items()},
    )


@pytest.fixture(autouse=True)
def _steady_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waves_module, "SESSION_SD_MS", 0.0)


def respond(ears: Ears, levels: Any = LEVELS) -> Waves:
    level = np.atleast_1d(np.asarray(levels, dtype=float))
    return draw_waves(ears, np.zeros(len(level), dtype=np.int64), level, np.random.default_rng(0))


# Quantity, its value in the simulator, published value, tolerance.
ADULT_80_DB = [
    # Monaural norms of 40 subjects, Hall's protocol.
    ("I latency", lambda w: w.latency_ms[0, FIRST], 1.66, 0.10),
    ("III latency", lambda w: w.latency_ms[0, THIRD], 3.665, 0.10),
    ("V latency", lambda w: w.latency_ms[0, WAVE_V], 5.615, 0.10),
    ("I-III", lambda w: w.latency_ms[0, THIRD] - w.latency_ms[0, FIRST], 2.03, 0.10),
    ("III-V", lambda w: w.latency_ms[0, WAVE_V] - w.latency_ms[0, THIRD], 2.00, 0.10),
    ("I-V", lambda w: w.latency_ms[0, WAVE_V] - w.latency_ms[0, FIRST], 3.975, 0.10),
    ("I amplitude", lambda w: w.height_uv[0, FIRST], 0.315, 0.05),
    ("V amplitude", lambda w: w.height_uv[0, WAVE_V], 0.385, 0.06),
    # Textbook places of the lesser waves.
    ("II latency", lambda w: w.latency_ms[0, 1], 2.8, 0.2),
    ("IV latency", lambda w: w.latency_ms[0, 3], 5.0, 0.2),
    ("VI latency", lambda w: w.latency_ms[0, 5], 7.3, 0.2),
    ("VII latency", lambda w: w.latency_ms[0, 6], 9.0, 0.2),
]


@pytest.mark.parametrize(("name", "quantity", "published", "tolerance"), ADULT_80_DB)
def test_adults_at_80_db(name: str, quantity: Any, published: float, tolerance: float) -> None:
    assert quantity(respond(average_ear(), 80.0)) == pytest.approx(published, abs=tolerance), name


@pytest.mark.parametrize(
    ("level", "latency_ms", "amplitude_uv"), [(20.0, 7.60, 0.256), (40.0, 6.59, 0.368), (60.0, 5.88, 0.407)]
)
def test_adults_below_80_db(level: float, latency_ms: float, amplitude_uv: float) -> None:
    # Elberling, Callo and Don 2010.
    found = respond(average_ear(), level)
    assert found.latency_ms[0, WAVE_V] == pytest.approx(latency_ms, abs=0.1)
    assert found.height_uv[0, WAVE_V] == pytest.approx(amplitude_uv, abs=0.01)


# Camarillo 2024: infants of 3 to 6 months, 60 to 90 dB, 45.1 per second; mean and SD.
INFANT = [
    ("I", lambda t: t[FIRST], 1.49, 0.15),
    ("III", lambda t: t[THIRD], 4.45, 0.32),
    ("V", lambda t: t[WAVE_V], 6.65, 0.26),
    ("I-III", lambda t: t[THIRD] - t[FIRST], 2.80, 0.22),
    ("III-V", lambda t: t[WAVE_V] - t[THIRD], 2.19, 0.21),
    ("I-V", lambda t: t[WAVE_V] - t[FIRST], 4.99, 0.29),
]


@pytest.mark.parametrize(("name", "quantity", "published", "sd"), INFANT)
def test_infants_lie_within_the_published_scatter(
    name: str, quantity: Any, published: float, sd: float
) -> None:
    found = respond(average_ear(age_years=4.5 / 12, rate_hz=45.1), 75.0)
    assert quantity(found.latency_ms[0]) == pytest.approx(published, abs=1.3 * sd), name


def test_newborns_lie_in_the_published_range() -> None:
    # Chhajed 2021, newborn to 6 months: I 1.45-1.56, III 4.14-4.37, V 6.36-6.81, I-V 4.91-5.22 ms.
    t = respond(average_ear(age_years=3 / 12, rate_hz=10.0), 80.0).latency_ms[0]
    assert 1.45 - 0.1 <= t[FIRST] <= 1.56 + 0.1
    assert 4.14 - 0.1 <= t[THIRD] <= 4.37 + 0.1
    assert 6.36 - 0.1 <= t[WAVE_V] <= 6.81 + 0.1
    assert 4.91 - 0.1 <= t[WAVE_V] - t[FIRST] <= 5.22 + 0.1


def test_maturation_rate_and_sex_act_on_the_way_from_wave_i_to_wave_v() -> None:
    adult = respond(average_ear(), 80.0)
    for changed in ({"age_years": 0.0}, {"rate_hz": 60.0}, {"sex": 2}):
        other = respond(average_ear(**changed), 80.0)
        late = (other.latency_ms - adult.latency_ms)[0]
        assert late[FIRST] == pytest.approx(0.0, abs=1e-9)
        assert late[THIRD] == pytest.approx(0.6 * late[WAVE_V])
        assert late[WAVE_V] > 0.05
    newborn = respond(average_ear(age_years=0.0), 80.0)
    assert newborn.height_uv[0, WAVE_V] == pytest.approx(0.5 * adult.height_uv[0, WAVE_V], rel=0.01)
    assert newborn.height_uv[0, FIRST] == pytest.approx(adult.height_uv[0, FIRST], rel=0.01)


@pytest.mark.parametrize(
    ("label", "threshold"), [(NORMAL, 10.0), (CONDUCTIVE, 50.0), (SENSORINEURAL, 50.0), (NEUROPATHY, 75.0)]
)
def test_latency_falls_and_amplitude_grows_with_level_in_every_class(label: int, threshold: float) -> None:
    found = respond(average_ear(label, threshold))
    for wave in (FIRST, THIRD, WAVE_V):
        seen = found.present[:, wave]
        assert (np.diff(seen.astype(int)) >= 0).all()
        assert (np.diff(found.latency_ms[seen, wave]) < 0).all()
        assert (np.diff(found.height_uv[seen, wave]) > 0).all()


def test_wave_v_is_there_from_the_threshold_up_and_wave_i_disappears_first() -> None:
    found = respond(average_ear(threshold=15.0))
    lowest = {wave: LEVELS[found.present[:, wave]].min() for wave in (FIRST, THIRD, WAVE_V)}
    assert lowest == {FIRST: 45.0, THIRD: 35.0, WAVE_V: 15.0}
    assert np.isnan(found.latency_ms[~found.present]).all()
    assert (found.height_uv[~found.present] == 0).all()
    assert not respond(average_ear(threshold=100.0, censored=True)).present.any()


@pytest.mark.parametrize("gap", [20.0, 40.0, 60.0])
def test_a_conductive_loss_shifts_everything_in_parallel(gap: float) -> None:
    normal = respond(average_ear(), LEVELS)
    shifted = respond(average_ear(CONDUCTIVE, 10.0 + gap), LEVELS + gap)
    np.testing.assert_allclose(shifted.latency_ms, normal.latency_ms, atol=1e-9)
    np.testing.assert_allclose(shifted.height_uv, normal.height_uv, atol=1e-9)
    np.testing.assert_array_equal(shifted.present, normal.present)
    # At one level all waves are delayed alike: interpeak intervals stay normal (McGee and Clemis 1982).
    heard = respond(average_ear(CONDUCTIVE, 10.0 + gap), gap + 40.0)
    delay = (heard.latency_ms - respond(average_ear(), gap + 40.0).latency_ms)[0]
    assert heard.present[0, [FIRST, THIRD, WAVE_V]].all()
    assert delay[FIRST] > 0.3
    np.testing.assert_allclose(delay[heard.present[0]], delay[FIRST], atol=1e-9)


def test_a_flat_sensorineural_loss_recruits() -> None:
    normal = respond(average_ear())
    loss = respond(average_ear(SENSORINEURAL, 50.0))
    level = {value: n for n, value in enumerate(LEVELS)}
    v_ms = loss.latency_ms[:, WAVE_V] - normal.latency_ms[:, WAVE_V]
    # Delayed at threshold, about normal 4 to 10 dB above (Rosenhall 1981)
    # and never later than a conductive loss.
    assert v_ms[level[50.0]] > 0.3
    assert abs(v_ms[level[60.0]]) < 0.1
    conductive = respond(average_ear(CONDUCTIVE, 50.0)).latency_ms[:, WAVE_V]
    assert (loss.latency_ms[level[50.0] :, WAVE_V] < conductive[level[50.0] :]).all()
    share = loss.height_uv[:, WAVE_V] / normal.height_uv[:, WAVE_V].clip(1e-9)
    assert share[level[50.0]] < 0.4
    assert 0.85 < share[level[80.0]] <= 1.0
    assert share.max() <= 1.0
    # Growth of latency and amplitude is steeper than in a normal ear at the same levels.
    steep = loss.latency_ms[level[50.0], WAVE_V] - loss.latency_ms[level[70.0], WAVE_V]
    usual = normal.latency_ms[level[50.0], WAVE_V] - normal.latency_ms[level[70.0], WAVE_V]
    assert steep > 2 * usual


def test_signs_agree_with_a_model_of_the_auditory_nerve() -> None:
    """Normal: -0.027 ms per dB from 40 to 80 dB; without outer hair cells: flat, and 6 times the growth.

    Peaks of the population response of 40 nerve fibres (model of Zilany, Bruce
    and Carney 2014, 100 us click): 2.66, 2.10 and 1.57 ms at 40, 60 and 80 dB
    peSPL with hair cells, 1.2 to 1.3 ms without; from 60 to 80 dB the driven
    rate grows 1.3 and 8.6 times.
    """
    normal = respond(average_ear(), [40.0, 60.0, 80.0]).latency_ms[:, WAVE_V]
    slope = (normal[-1] - normal[0]) / 40.0
    assert -0.027 * 1.5 < slope < -0.027 / 1.5
    loss = respond(average_ear(SENSORINEURAL, 60.0), [60.0, 70.0, 80.0, 90.0])
    sound = respond(average_ear(), [60.0, 70.0, 80.0, 90.0])
    v_ms = loss.latency_ms[:, WAVE_V]
    assert abs(v_ms[-1] - v_ms[-2]) < 0.2
    grown = loss.height_uv[2, WAVE_V] / loss.height_uv[0, WAVE_V]
    assert grown > 1.5 * sound.height_uv[2, WAVE_V] / sound.height_uv[0, WAVE_V]


def test_a_steep_high_frequency_loss_delays_all_waves() -> None:
    flat = respond(average_ear(SENSORINEURAL, 50.0), 90.0)
    steep = respond(average_ear(SENSORINEURAL, 50.0, high_frequency_delay_ms=0.3), 90.0)
    delay = (steep.latency_ms - flat.latency_ms)[0]
    np.testing.assert_allclose(delay[np.isfinite(delay)], 0.3)
    drawn = draw_ears(3000, "balanced", np.random.default_rng(2))
    steep_ears = drawn.high_frequency_delay_ms > 0
    assert (drawn.hearing_class[steep_ears] == SENSORINEURAL).all()
    # 0.1 ms per 10 dB of loss at 4 kHz above 50 dB; at most 110 dB there.
    assert drawn.high_frequency_delay_ms.max() <= 0.6 + 1e-9


def test_neuropathy_has_a_late_small_wave_v_alone() -> None:
    ears = draw_ears(2000, "balanced", np.random.default_rng(3))
    index = np.flatnonzero((ears.hearing_class == NEUROPATHY) & ~ears.censored)
    found = draw_waves(ears, index, np.full(len(index), 95.0), np.random.default_rng(0))
    assert found.present[:, WAVE_V].all()
    assert not found.present[:, :WAVE_V].any()
    normal = np.flatnonzero(ears.hearing_class == NORMAL)
    usual = draw_waves(ears, normal, np.full(len(normal), 95.0), np.random.default_rng(0))
    late = found.latency_ms[:, WAVE_V].mean() - usual.latency_ms[:, WAVE_V].mean()
    assert 0.5 <= late <= 1.5
    assert found.height_uv[:, WAVE_V].mean() < 0.6 * usual.height_uv[:, WAVE_V].mean()
