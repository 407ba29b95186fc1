"""Generated recordings: units, labels, provenance, constraints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neuroprism.abr.conditions import Conditions, draw_conditions
from neuroprism.abr.generation import MAX_DRAWS, Constraints, generate
from neuroprism.abr.predictor import AbrPredictor
from neuroprism.abr.sampling import SamplerSettings
from neuroprism.abr.store import load_recordings, save_recordings
from neuroprism.abr.trained import TrainedAbr, load_trained
from neuroprism.core.errors import UserError

FEW = SamplerSettings(steps=3)


@pytest.fixture(scope="module")
def trained(trained_run: Any) -> TrainedAbr:
    return load_trained(trained_run.folder)


@pytest.fixture(scope="module")
def conditions(trained: TrainedAbr) -> Conditions:
    return draw_conditions(trained, 12, seed=1)


def test_recordings_have_units_conditions_and_predicted_labels(
    trained: TrainedAbr, conditions: Conditions, tmp_path: Any
) -> None:
    found = generate(trained, conditions, FEW, seed=1)
    made = found.recordings
    assert made.signal_uv.shape == (12, trained.n_times)
    low, high = trained.signal_range_uv
    assert low - 1e-5 <= made.signal_uv.min() < made.signal_uv.max() <= high + 1e-5
    np.testing.assert_allclose(made.level_db_nhl, conditions["level_db_nhl"], rtol=1e-6)
    assert (made.sample_rate_hz, made.window_ms) == (trained.sample_rate_hz, trained.window_ms)
    again = AbrPredictor(trained).predict(made)
    np.testing.assert_allclose(found.predictions.v_probability, again.v_probability, atol=1e-6)
    assert made.v_marked.all()
    np.testing.assert_array_equal(made.v_present, again.v_present)
    np.testing.assert_allclose(
        made.v_latency_ms[made.v_present], again.latency_ms.value[made.v_present], rtol=1e-5
    )
    assert np.isnan(made.v_latency_ms[~made.v_present]).all()
    assert [made.class_names[k] for k in made.hearing_class] == again.hearing_class.tolist()
    assert made.threshold_provenance == "predicted"
    assert made.n_patients == 12
    save_recordings(tmp_path / "made.npz", made)
    stored = load_recordings(tmp_path / "made.npz")
    np.testing.assert_array_equal(stored.signal_uv, made.signal_uv)
    assert stored.provenance["checkpoint"] == str(trained.path)
    assert {name: stored.provenance[name] for name in ("seed", "sampler", "steps", "eta", "guidance")} == {
        "seed": 1,
        "sampler": "ddim",
        "steps": 3,
        "eta": 0.0,
        "guidance": 1.0,
    }


def test_equal_seeds_give_equal_recordings(trained: TrainedAbr, conditions: Conditions) -> None:
    first = generate(trained, conditions, FEW, seed=1).recordings.signal_uv
    np.testing.assert_allclose(
        generate(trained, conditions, FEW, seed=1, batch_size=5).recordings.signal_uv, first, atol=1e-5
    )
    assert np.abs(generate(trained, conditions, FEW, seed=2).recordings.signal_uv - first).max() > 0.01


def test_ranges_of_wave_v_are_kept_by_drawing_again(trained: TrainedAbr, conditions: Conditions) -> None:
    # Wave V in everything, so that there is something to reject.
    trained = replace(trained, network=_AlwaysThere(trained.network))
    free = generate(trained, conditions, FEW, seed=1)
    latency = free.predictions.latency_ms.value
    limit = (0.0, float(np.quantile(latency, 0.8)))
    kept = generate(trained, conditions, FEW, seed=1, constraints=Constraints(latency_ms=limit))
    assert kept.redrawn > 0
    assert (kept.predictions.latency_ms.value <= limit[1]).all()
    untouched = latency <= limit[1]
    np.testing.assert_allclose(
        kept.recordings.signal_uv[untouched], free.recordings.signal_uv[untouched], atol=1e-4
    )
    assert kept.recordings.provenance["redrawn"] == kept.redrawn
    assert kept.recordings.provenance["constraint_latency_ms"] == f"0 to {limit[1]:g}"
    assert "redrawn" not in free.recordings.provenance


def test_constraints_that_nothing_meets(trained: TrainedAbr, conditions: Conditions) -> None:
    impossible = Constraints(amplitude_uv=(50.0, 60.0))
    few = {name: values[:2] for name, values in conditions.items()}
    sure = replace(trained, network=_AlwaysThere(trained.network))
    with pytest.raises(UserError, match=f"2 of 2 signals lie outside .* after {MAX_DRAWS} draws: widen them"):
        generate(sure, few, SamplerSettings(steps=1), seed=0, constraints=impossible)


class _AlwaysThere:
    """A network that finds wave V in everything."""

    def __init__(self, network: Any):
        self.predict_signal = network.predict_signal
        self._network = network

    def predict_tasks(self, *given: Any) -> Any:
        said = self._network.predict_tasks(*given)
        return said._replace(peak_logit=said.peak_logit * 0 + 5.0)


def test_smoothing_takes_the_fast_part_away_and_is_said(trained: TrainedAbr, conditions: Conditions) -> None:
    rough = generate(trained, conditions, FEW, seed=1).recordings
    smooth = generate(trained, conditions, FEW, seed=1, constraints=Constraints(smoothing_ms=0.3)).recordings
    fast = [np.diff(part.signal_uv, axis=1).std() for part in (rough, smooth)]
    assert fast[1] < 0.6 * fast[0]
    assert smooth.provenance["smoothing_ms"] == 0.3
    assert "smoothing_ms" not in rough.provenance


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"latency_ms": (9.0, 5.0)}, "the latency range must go from a lower to a higher value, not 9 to 5"),
        ({"amplitude_uv": (1.0, 1.0)}, "the amplitude range"),
        ({"smoothing_ms": 0.0}, "smoothing must be above 0 ms, not 0"),
    ],
)
def test_constraints_that_make_no_sense(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Constraints(**wrong)


def test_implausible_conditions_are_refused(trained: TrainedAbr, conditions: Conditions) -> None:
    with pytest.raises(UserError, match="level_db_nhl is 900 in recording 1"):
        generate(trained, conditions | {"level_db_nhl": np.full(12, 900.0)}, FEW, seed=0)
