"""The report of an evaluation for people, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuroprism.abr.evaluation.calibration import IntervalResult, ReliabilityResult
from neuroprism.abr.evaluation.ceiling import CEILING, CeilingResult, on_all
from neuroprism.abr.evaluation.comparison import NETWORK, MethodCard, MetricRow, is_better
from neuroprism.abr.evaluation.evaluation import Confusion, Evaluation
from neuroprism.abr.evaluation.generation_report import generation_section
from neuroprism.abr.evaluation.groups import GroupResult
from neuroprism.abr.evaluation.markdown import ABSENT, bullets, cell, paragraphs, table
from neuroprism.abr.evaluation.metrics import HEADLINES, by_name
from neuroprism.abr.evaluation.signal_report import signal_section

_TITLES = {
    "presence": "Presence of wave V",
    "latency": "Latency of wave V",
    "amplitude": "Amplitude of wave V",
    "class": "Hearing class, from one recording",
    "ear class": "Hearing class, from all recordings of an ear",
    "threshold": "Threshold, from one recording",
    "ear threshold": "Threshold, from all recordings of an ear",
}


def report(evaluation: Evaluation, figures: Mapping[str, str]) -> str:
    """Return the report.

    Parameters
    ----------
    evaluation
        All numbers.
    figures
        Place of each figure relative to the report, by the text that stands for it.
    """
    return paragraphs(
        f"# Evaluation of {evaluation.model['checkpoint']}",
        evaluation.statement,
        _data(evaluation),
        "## At a glance",
        OVERVIEW_NOTE,
        table(OVERVIEW, overview(evaluation)),
        *_tasks(evaluation.metrics, evaluation.methods),
        _ceiling(evaluation.ceiling, evaluation.absent),
        *_classes(evaluation.confusion),
        _calibration(evaluation.intervals, evaluation.reliability),
        *_groups(evaluation.groups, evaluation.metrics),
        signal_section(evaluation.denoising, evaluation.absent),
        generation_section(evaluation.generation, evaluation.absent),
        *_figures(figures),
        _methods(evaluation.methods),
    )


def _data(evaluation: Evaluation) -> str:
    data = evaluation.data
    classes = ", ".join(f"{name} {n:,}" for name, n in data.classes.items())
    return bullets(
        [
            f"Measured on {data.n:,} recordings of {data.n_patients:,} patients: {data.origin} ({classes}).",
            f"The network, and every simple method, learned from {data.n_training:,} recordings of "
            f"{data.n_training_patients:,} other patients.",
            f"Thresholds: {data.threshold_provenance}.",
            "Brackets hold the 95 % interval over patients (2,000 resamples of them).",
            "MAE: mean absolute error; bias: mean of answer minus label.",
            *(f"{note}." for note in data.notes),
        ]
    )


OVERVIEW = ("task", "metric", "network", "best trivial", "best classical", "network is", "ceiling")


OVERVIEW_NOTE = (
    "`better`: beyond the 95 % interval of the difference, to the best trivial and to the best classical "
    "method; both are resampled with the same patients as the network. `ceiling`: the network's value minus "
    "its distance to the ideal observer (see below)."
)


def overview(evaluation: Evaluation) -> list[list[str]]:
    """Return one row a task: its headline metric, network and best simple methods."""
    rows = []
    for task, name in HEADLINES.items():
        row = next((row for row in evaluation.metrics if row.name == name), None)
        if row is None or NETWORK not in row.scores:
            continue
        best = [_best(row, evaluation.methods, kind) for kind in ("trivial", "classical")]
        named = [ABSENT if one is None else f"{one}: {_cell(row, one)}" for one in best]
        known = [one for one in best if one is not None]
        limit = _limit(evaluation.ceiling, row)
        rows.append([task, _metric(row), _cell(row, NETWORK), *named, _verdict(row, known), limit])
    return rows


def _limit(ceiling: CeilingResult | None, row: MetricRow) -> str:
    if ceiling is None:
        return ABSENT
    on_some = next((one for one in ceiling.metrics if one.name == row.name), None)
    return cell(None if on_some is None else on_all(on_some, row.scores[NETWORK]), by_name(row.name).digits)


def _best(row: MetricRow, methods: Sequence[MethodCard], kind: str) -> str | None:
    names = [method.name for method in methods if method.kind == kind and method.name in row.scores]
    sign = 1.0 if row.better == "higher" else -1.0
    return max(names, key=lambda name: sign * row.scores[name].value, default=None)


def _verdict(row: MetricRow, others: Sequence[str]) -> str:
    found = [is_better(row, other) for other in others]
    if not found:
        return ABSENT
    if all(found):
        return "better"
    return "worse than one" if False in found else "not clearly better"


def _metric(row: MetricRow) -> str:
    return f"{row.label}, {row.unit}" if row.unit else row.label


def _cell(row: MetricRow, method: str) -> str:
    return cell(row.scores.get(method), by_name(row.name).digits)


def _tasks(metrics: Sequence[MetricRow], methods: Sequence[MethodCard]) -> list[str]:
    parts = []
    for task, title in _TITLES.items():
        rows = [row for row in metrics if row.task == task]
        if rows:
            names = [method.name for method in methods if any(method.name in row.scores for row in rows)]
            body = [[name, *(_cell(row, name) for row in rows)] for name in names]
            counts = next(iter(rows[0].scores.values()))
            unit = "ears" if task.startswith("ear") else "recordings"
            parts += [
                f"## {title}",
                f"{counts.n:,} {unit} of {counts.n_patients:,} patients.",
                table(["method", *map(_metric, rows)], body),
            ]
    return parts


def _ceiling(ceiling: CeilingResult | None, absent: Mapping[str, str]) -> str:
    heading = "## Distance to the ceiling"
    if ceiling is None:
        return f"{heading}\n\nNot computed: {absent['ceiling']}."
    rows = []
    for row in ceiling.metrics:
        if CEILING in row.scores and NETWORK in row.scores:
            digits = by_name(row.name).digits
            away = cell(row.network_minus.get(CEILING), digits)
            rows.append([row.task, _metric(row), _cell(row, NETWORK), _cell(row, CEILING), away])
    return paragraphs(
        heading,
        "The ideal observer computes the probability of every possible ear that the simulator could have "
        "drawn, given the trace, age, level, rate and the noise of the recording. No method can be better on "
        f"average. Measured on {ceiling.n:,} recordings of {ceiling.n_patients:,} patients, taken by chance.",
        table(["task", "metric", "network", "ideal observer", "network minus ideal"], rows),
    ).rstrip()


def _classes(confusion: Confusion | None) -> list[str]:
    if confusion is None:
        return []
    parts = ["## Confusion of classes", "True classes are rows."]
    for title, counts in (("Recordings", confusion.recordings), ("Ears", confusion.ears)):
        if sum(map(sum, counts)):
            rows = [[name, *map(str, row)] for name, row in zip(confusion.class_names, counts, strict=True)]
            parts += [f"**{title}**", table(["true", *confusion.class_names], rows)]
    return parts


def _calibration(intervals: Sequence[IntervalResult], reliability: ReliabilityResult | None) -> str:
    parts = []
    if intervals:
        header = ["quantity", *(f"{100 * share:g} % interval holds" for share in intervals[0].nominal)]
        rows = []
        for one in intervals:
            digits = {"uV": 4, "dB": 2}.get(one.unit, 3)
            rows.append(
                [
                    f"{one.quantity}",
                    *(cell(score, 3) for score in one.observed),
                    f"{cell(one.mean_width, digits)} ({one.constant_width:.{digits}f})",
                    f"{cell(one.crps, digits)} ({cell(one.constant_crps, digits)})",
                ]
            )
        unit = "in ms, uV and dB; in parentheses: of the training labels' own distribution"
        parts += [table([*header, "width of 95 %", "CRPS"], rows), f"Width and CRPS {unit}."]
    if reliability is not None:
        parts.append(
            f"Probability of wave V: expected calibration error "
            f"{cell(reliability.expected_calibration_error, 3)}, Brier score {cell(reliability.brier, 4)}; a "
            f"constant probability has {cell(reliability.constant_calibration_error, 3)} and "
            f"{cell(reliability.constant_brier, 4)}."
        )
    return paragraphs("## Calibration", *parts).rstrip() if parts else ""


def _groups(groups: Sequence[GroupResult], metrics: Sequence[MetricRow]) -> list[str]:
    """Return a table for each grouping: the network, and the best other method over all recordings."""
    overall = {row.name: row for row in metrics}
    parts = []
    for by in ("level", "class", "age"):
        members = [group for group in groups if group.by == by]
        names = [row.name for row in overall.values() if any(_of(group, row.name) for group in members)]
        if len(members) > 1 and names:
            header = ["group", "recordings", "patients"]
            header += [f"{_short(overall[name])} / {_rival(overall[name])}" for name in names]
            body = [
                [
                    group.group,
                    f"{group.n:,}",
                    f"{group.n_patients:,}",
                    *(_beside(group, overall[name]) for name in names),
                ]
                for group in members
            ]
            parts += [f"## By {by}", table(header, body)]
    return [*parts, "After the slash: the best other method over all recordings."] if parts else []


def _of(group: GroupResult, name: str) -> MetricRow | None:
    return next((row for row in group.metrics if row.name == name), None)


def _short(row: MetricRow) -> str:
    return f"{row.task}: {_metric(row)}"


def _rival(row: MetricRow) -> str:
    sign = 1.0 if row.better == "higher" else -1.0
    others = {name: found.value for name, found in row.scores.items() if name != NETWORK}
    return max(others, key=lambda name: sign * others[name]) if others else ABSENT


def _beside(group: GroupResult, overall: MetricRow) -> str:
    row = _of(group, overall.name)
    if row is None or NETWORK not in row.scores:
        return ABSENT
    other = row.scores.get(_rival(overall))
    return f"{_cell(row, NETWORK)} / {cell(other, by_name(row.name).digits)}"


def _figures(figures: Mapping[str, str]) -> list[str]:
    return ["## Figures", *(f"![{text}]({place})" for text, place in figures.items())] if figures else []


def _methods(methods: Sequence[MethodCard]) -> str:
    kinds = {
        "trivial": "do not look at the trace",
        "classical": "look at the trace, without a network",
    }
    lines = []
    for kind, meaning in kinds.items():
        names = [method.name for method in methods if method.kind == kind]
        if names:
            lines.append(f"{kind} methods {meaning}: {', '.join(names)}")
    return paragraphs("## Methods", bullets(lines)).rstrip()
