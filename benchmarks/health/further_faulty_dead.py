"""Further faulty runs in which a component is zero or constant where it should not be."""

from __future__ import annotations

from functools import partial

from case import Case
from entries import MakeHooks
from fitting import Hooks, Loop, Losses
from further_faulty_balance import THREE
from further_healthy import warm_cosine
from further_healthy_multi import EIGHT, TEN
from further_pictures import boxes, codes, restore
from further_tables import heat, parts, quantiles
from further_texts import text
from further_training import MEANS, NO_WEIGHTS, SILENT, SPARSE, Course, further_faulty
from mechanisms import changed, loss_from, replace_loss
from torch import Tensor


def gone(name: str) -> tuple[tuple[str, str | None], ...]:
    """Return what a component that is dead may be called as well."""
    return (("vanishing_gradient", name), ("task_stall", name), ("stall", name))


def _kept(name: str, first: int) -> MakeHooks:
    """Use the result of one step for all that follow."""

    def make(_: int) -> Hooks:
        kept: dict[str, Tensor] = {}

        def losses(loop: Loop, values: Losses) -> Losses:
            if loop.step >= first and name in values:
                kept.setdefault(name, values[name].detach())
                return values | {name: kept[name]}
            return values

        return Hooks(losses=losses)

    return make


def _zero_from(step: int, name: str) -> MakeHooks:
    return loss_from(step, name, lambda _, v: 0.0 * v)


CASES: list[Case] = [
    further_faulty(
        "parts-lost-mask",
        "dead_component",
        changed(partial(parts, spec=EIGHT, n=4000), replace_loss("lip", lambda _, __, v: 0.0 * v)),
        Course(epochs=8, batch=40, learning_rate=3e-3, reporting=SILENT),
        component="lip",
        also=gone("lip"),
    ),
    further_faulty(
        "restore-floor-too-high",
        "dead_component",
        changed(
            partial(restore, n=800, rough=0.05, spectral=0.01),
            replace_loss("rough", lambda _, __, v: v.clamp_min(4.0)),
        ),
        Course(epochs=9, batch=24, learning_rate=3e-3, reporting=MEANS),
        component="rough",
        also=gone("rough"),
    ),
    further_faulty(
        "boxes-kinds-filtered-out",
        "dead_component",
        partial(boxes, share=0.5),
        Course(epochs=14, batch=30, learning_rate=3e-3),
        component="kind",
        step=200,
        hooks=_zero_from(200, "kind"),
        also=gone("kind"),
    ),
    further_faulty(
        "codes-detached-twice",
        "dead_component",
        changed(codes, replace_loss("commitment", lambda _, __, v: v.detach() - v.detach())),
        Course(epochs=10, batch=32, learning_rate=3e-3, norms_every=60),
        component="commitment",
        also=(
            *gone("commitment"),
            *((kind, "table") for kind in ("explosion", "dominance", "ratio_drift", "task_stall")),
        ),
    ),
    further_faulty(
        "parts-every-third-kept",
        "dead_component",
        partial(THREE, every={"side": 3}),
        Course(epochs=14, batch=40, learning_rate=4e-3),
        component="side",
        step=201,
        hooks=_kept("side", 201),
        also=gone("side"),
    ),
    further_faulty(
        "heat-no-more-edges",
        "dead_component",
        heat,
        Course(epochs=50, batch=64, learning_rate=4e-3, reporting=NO_WEIGHTS, validate_every=5),
        component="edges",
        step=180,
        hooks=_zero_from(180, "edges"),
        also=gone("edges"),
    ),
    further_faulty(
        "parts-ten-sparse-lost-later",
        "dead_component",
        partial(parts, spec=TEN, width=64),
        Course(epochs=20, batch=50, learning_rate=4e-3, reporting=SPARSE),
        component="channel6",
        step=301,
        hooks=_zero_from(301, "channel6"),
        also=gone("channel6"),
    ),
    further_faulty(
        "text-penalty-of-first-batch",
        "dead_component",
        partial(text, penalty=1e-3),
        Course(epochs=1, batch=16, learning_rate=5e-3, curve=warm_cosine(0.1), reporting=NO_WEIGHTS),
        component="z",
        hooks=_kept("z", 1),
        also=gone("z"),
    ),
    further_faulty(
        "quantiles-rounded-away",
        "dead_component",
        changed(partial(quantiles, unit=1e-4), replace_loss("q50", lambda _, __, v: v.clamp_min(1e-3))),
        Course(epochs=16, batch=40, learning_rate=4e-3),
        component="q50",
        also=(*gone("q50"), ("dominance", "q50")),
    ),
]
