"""Weights of the loss under which the components of a recorded run would count alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from neuroprism.core.errors import RunError
from neuroprism.core.records import Component, Gradients
from neuroprism.core.text_table import text_table
from neuroprism.runs.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """One component.

    Attributes
    ----------
    label
        Short name.
    key
        Key in ``loss.weights``.
    weight, proposed
        Present and proposed weight.
    size
        What the weight multiplies: a gradient norm or a loss; None where it was not recorded.
    share, expected
        Share of the weighted sizes, present and with the proposed weights.
    """

    label: str
    key: str
    weight: float
    proposed: float
    size: float | None
    share: float | None
    expected: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """Proposed weights, and how they were found.

    Attributes
    ----------
    rule
        Sentences for people.
    measure
        What `Proposal.size` is.
    """

    rule: str
    measure: str
    proposals: tuple[Proposal, ...]


def suggest_for(run: Run, *, keys: Mapping[str, str]) -> Suggestion:
    """Propose weights for a run: equal weighted gradient norms, their sum kept.

    The norm of a component is the median over the later half of the recorded looks.
    Without recorded gradients the losses of the best constant predictors take
    their place. A weight of 0 stays.

    Parameters
    ----------
    run
        Recorded run.
    keys
        Key in ``loss.weights`` by component; others are named like their component.

    Raises
    ------
    RunError
        If the run has one component only, or recorded nothing to go by.
    """
    if not run.components:
        raise RunError(f"{run.path} is no recorded run: weights are suggested from events.jsonl and run.json")
    weighted = [component for component in run.components if component.weight > 0]
    if len(weighted) < 2:
        raise RunError(f"the loss of {run.path} has one weighted component: there is nothing to weigh")
    looks = [event for event in run.events if isinstance(event, Gradients) and event.norms]
    used = looks[len(looks) // 2 :]
    sizes, measure = _norms(weighted, used), "gradient"
    if len(sizes) >= 2:
        rule = (
            "Rule: equal weighted gradient norms on the parameters that the components share; the sum of the "
            f"weights is kept.\nNorms: median over the later {len(used)} of {len(looks)} looks, "
            f"steps {used[0].step:,} to {used[-1].step:,}."
        )
    else:
        sizes, measure = {c.name: c.baseline for c in weighted if c.baseline and c.baseline > 0}, "baseline"
        rule = (
            "Rule: equal weighted losses of the best constant predictors (baselines), as no gradients by "
            "component were recorded; the sum of the weights is kept."
        )
    if len(sizes) < 2:
        raise RunError(
            f"{run.path} recorded neither gradients by component nor baselines: set "
            "monitoring.gradients.every_n_steps to a number below that of the steps and train again"
        )
    return Suggestion(rule=rule, measure=measure, proposals=_proposals(run.components, sizes, keys))


def suggestion_text(suggestion: Suggestion) -> str:
    """Return rule, table and YAML fragment."""
    header = ["component", "weight", suggestion.measure, "share", "proposed", "share then"]
    rows = [
        [
            p.label,
            f"{p.weight:g}",
            "-" if p.size is None else f"{p.size:.3g}",
            _percent(p.share),
            f"{p.proposed:g}",
            _percent(p.expected),
        ]
        for p in suggestion.proposals
    ]
    lines = [suggestion.rule, "", text_table(header, rows), ""]
    unseen = [p.label for p in suggestion.proposals if p.size is None and p.weight > 0]
    if unseen:
        lines += [f"Nothing was recorded of {', '.join(unseen)}: the weight is left as it is.", ""]
    return "\n".join(
        [*lines, "loss:", "  weights:", *(f"    {p.key}: {p.proposed:g}" for p in suggestion.proposals)]
    )


def _norms(components: Sequence[Component], looks: Sequence[Gradients]) -> dict[str, float]:
    """Return the median norm of every component that had a gradient."""
    found: dict[str, float] = {}
    for component in components:
        norms = [look.norms[component.name] for look in looks if component.name in look.norms]
        usable = [norm for norm in norms if math.isfinite(norm) and norm > 0]
        if usable:
            found[component.name] = median(usable)
    return found


def _proposals(
    components: Sequence[Component], sizes: Mapping[str, float], keys: Mapping[str, str]
) -> tuple[Proposal, ...]:
    total = sum(component.weight for component in components if component.name in sizes)
    inverse = sum(1 / size for size in sizes.values())
    proposed = {
        component.name: float(f"{total / sizes[component.name] / inverse:.3g}")
        if component.name in sizes
        else component.weight
        for component in components
    }
    present = _shares({c.name: c.weight * sizes[c.name] for c in components if c.name in sizes})
    expected = _shares({name: proposed[name] * size for name, size in sizes.items()})
    return tuple(
        Proposal(
            label=component.label,
            key=keys.get(component.name, component.name),
            weight=component.weight,
            proposed=proposed[component.name],
            size=sizes.get(component.name),
            share=present.get(component.name),
            expected=expected.get(component.name),
        )
        for component in components
    )


def _shares(parts: Mapping[str, float]) -> dict[str, float]:
    whole = sum(parts.values())
    return {name: part / whole for name, part in parts.items()}


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
