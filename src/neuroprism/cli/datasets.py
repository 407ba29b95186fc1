"""`neuroprism datasets`: what is declared, as a table or one card."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from neuroprism.core.text_table import text_table

if TYPE_CHECKING:
    from neuroprism.eeg.spec import DatasetSpec

WIDTH = 110


def show(
    name: Annotated[str | None, typer.Argument(help="Show everything about one.", metavar="[NAME]")] = None,
) -> None:
    """List the EEG datasets, or show the declaration of one."""
    from neuroprism.eeg.catalog import datasets

    if name is None:
        typer.echo(table([datasets[found].spec for found in datasets]))
    else:
        typer.echo(card(datasets[name].spec))


def table(specs: Iterable[DatasetSpec]) -> str:
    """Return one line a dataset, at most 110 columns wide."""
    ordered = sorted(specs, key=lambda spec: spec.name.casefold())
    rows = [
        [spec.name, spec.task, _targets(spec), _shape(spec), _sizes(spec).replace(" / ", "/")]
        for spec in ordered
    ]
    lines = text_table(["name", "task", "classes", "C x S", "train/val/test"], rows).splitlines()
    width = max(map(len, lines))
    room = WIDTH - width - 2
    # The address after the colon is on the card.
    terms = ["access; licence", *(f"{spec.access.split(':')[0]}; {spec.licence}" for spec in ordered)]
    return "\n".join(
        f"{line:<{width}}  {textwrap.shorten(text, room, placeholder=' ...')}"
        for line, text in zip(lines, terms, strict=True)
    )


def card(spec: DatasetSpec) -> str:
    """Return everything that is declared about a dataset."""
    blocks = [
        f"{spec.name}: {spec.title}",
        _field("task", f"{spec.task}; loss {spec.loss}; metrics {', '.join(spec.metrics)}"),
        _field("selected by", f"validation {spec.criterion}"),
        *([_field("labels", _labels(spec))] if spec.class_names else []),
        _field("label rule", spec.label_rule),
        _field("sample", f"{_shape(spec)} at 200 Hz, {spec.n_patches} s"),
        _field(f"{spec.n_channels} channels", " ".join(spec.channels)),
        _field("recorded at", ", ".join(f"{rate:g}" for rate in spec.source_rates_hz) + " Hz"),
        _field("preprocessing", _preprocessing(spec)),
        _field("split", spec.split.text + ("; every subject is in all three" if spec.within_subject else "")),
        _field("samples", _sizes(spec) + (" (train / val / test)" if spec.expected else "")),
        _field("subjects", f"{spec.n_subjects}"),
        _field("raw files", spec.raw_layout),
        _field("access", spec.access),
        _field("licence", spec.licence),
        _field("citation", spec.citation),
        _field("source", spec.source),
        *(
            _field("published", f"{anchor.model}: {_values(anchor.values)} ({anchor.source})")
            for anchor in spec.anchors
        ),
        *(_field("note", note) for note in spec.notes),
    ]
    return "\n".join(blocks)


def _field(name: str, text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=f"  {name:<14}  ",
        subsequent_indent=" " * 18,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _targets(spec: DatasetSpec) -> str:
    return f"{len(spec.class_names)}" if spec.class_names else "a number"


def _labels(spec: DatasetSpec) -> str:
    return ", ".join(f"{label} {name}" for label, name in enumerate(spec.class_names))


def _shape(spec: DatasetSpec) -> str:
    window = f"{spec.n_channels} x {spec.n_patches}"
    return window if spec.sequence_length == 1 else f"{spec.sequence_length} x {window}"


def _sizes(spec: DatasetSpec) -> str:
    if not spec.expected:
        return "not published"
    return " / ".join(f"{n:,}" for n in spec.expected.values())


def _preprocessing(spec: DatasetSpec) -> str:
    steps = spec.preprocessing
    low, high = steps.high_pass_hz, steps.low_pass_hz
    parts = []
    if low is not None or high is not None:
        band = f"{low:g}-{high:g}" if low and high else f"above {low:g}" if low else f"below {high:g}"
        kind = "FIR" if steps.butterworth_order is None else f"Butterworth of order {steps.butterworth_order}"
        parts.append(f"{band} Hz, zero-phase {kind}")
    if steps.notch_hz is not None:
        parts.append(f"notch {steps.notch_hz:g} Hz")
    parts.append(f"{steps.reference} reference")
    parts.append(f"divided by {steps.scale_uv:g} uV")
    return "; ".join(parts)


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())
