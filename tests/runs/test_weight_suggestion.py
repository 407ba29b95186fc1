from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from neuroprism.core.errors import RunError
from neuroprism.core.records import Component, Event, Gradients, RunRecord
from neuroprism.runs import Run
from neuroprism.runs.weight_suggestion import Suggestion, suggest_for, suggestion_text

COMPONENTS = (
    Component(name="signal", label="Signal", weight=1.0, baseline=2.0),
    Component(name="peak", label="Peak", weight=3.0, baseline=0.5),
)


def recorded(*events: Event, components: tuple[Component, ...] = COMPONENTS) -> Run:
    card = RunRecord(id="x", name="x", task="t", components=components)
    known: Any = events
    return Run(path=Path("logs/x"), name="x", run=card, events=known)


def look(step: int, **norms: float) -> Gradients:
    return Gradients(step=step, epoch=1, norms=norms)


def suggest(*events: Event, **more: Any) -> Suggestion:
    return suggest_for(recorded(*events, **more), keys={"signal": "diffusion"})


def test_weighted_norms_become_equal_and_the_sum_of_weights_stays() -> None:
    found = suggest(
        look(1, signal=99.0, peak=99.0), look(200, signal=4.0, peak=1.0), look(400, signal=6.0, peak=1.0)
    )
    signal, peak = found.proposals
    # The later half: norms 5 and 1, whose inverses share a sum of 4.
    assert (signal.size, peak.size) == (5.0, 1.0)
    assert (signal.share, peak.share) == (5 / 8, 3 / 8)
    assert (signal.proposed, peak.proposed) == (
        pytest.approx(4 / 6, abs=1e-3),
        pytest.approx(20 / 6, abs=1e-2),
    )
    assert signal.expected == pytest.approx(0.5, abs=1e-3)
    assert "later 2 of 3 looks, steps 200 to 400" in found.rule
    assert "equal weighted gradient norms" in found.rule


def test_text_has_a_table_and_a_fragment_with_the_keys_of_the_configuration() -> None:
    text = suggestion_text(suggest(look(1, signal=5.0, peak=1.0)))
    table, _, fragment = text.partition("loss:\n")
    assert "component  weight  gradient  share  proposed  share then" in table
    weights = yaml.safe_load("loss:\n" + fragment)["loss"]["weights"]
    assert weights == {"diffusion": 0.667, "peak": 3.33}


@pytest.mark.parametrize("events", [(), (look(1, signal=0.0, peak=0.0),), (Gradients(step=1, epoch=1),)])
def test_without_gradients_the_baselines_decide(events: tuple[Event, ...]) -> None:
    found = suggest(*events)
    assert found.measure == "baseline"
    assert "no gradients by component were recorded" in found.rule
    assert [p.proposed for p in found.proposals] == [0.8, 3.2]
    assert [p.expected for p in found.proposals] == [0.5, 0.5]


def test_a_weight_of_0_stays_and_takes_no_part() -> None:
    silent = Component(name="off", label="Off", weight=0.0)
    found = suggest(look(1, signal=2.0, peak=2.0, off=9.0), components=(*COMPONENTS, silent))
    assert [p.proposed for p in found.proposals] == [2.0, 2.0, 0.0]
    assert found.proposals[2].share is None


def test_what_was_never_seen_keeps_its_weight_and_is_named() -> None:
    unseen = Component(name="rare", label="Rare", weight=7.0)
    found = suggest(look(1, signal=2.0, peak=2.0), components=(*COMPONENTS, unseen))
    assert [p.proposed for p in found.proposals] == [2.0, 2.0, 7.0]
    assert "Nothing was recorded of Rare: the weight is left as it is." in suggestion_text(found)


def test_non_finite_norms_do_not_count() -> None:
    nan, inf = float("nan"), float("inf")
    found = suggest(
        look(1, signal=1.0, peak=1.0), look(2, signal=2.0, peak=nan), look(3, signal=inf, peak=2.0)
    )
    assert [p.size for p in found.proposals] == [2.0, 2.0]


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (recorded(components=COMPONENTS[:1]), "has one weighted component: there is nothing to weigh"),
        (Run(path=Path("old"), name="old"), "old is no recorded run"),
        (
            recorded(components=(Component(name="a", label="A"), Component(name="b", label="B"))),
            "recorded neither gradients by component nor baselines",
        ),
    ],
    ids=["one", "log_only", "nothing"],
)
def test_what_cannot_be_suggested_is_one_line(run: Run, line: str) -> None:
    with pytest.raises(RunError, match=line):
        suggest_for(run, keys={})
