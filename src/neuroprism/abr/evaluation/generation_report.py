"""The part of the report on generated recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuroprism.abr.evaluation.generation import GenerationQuality
from neuroprism.abr.evaluation.generation.distributions import Distribution
from neuroprism.abr.evaluation.generation.memorisation import Memorisation
from neuroprism.abr.evaluation.generation.transfer import Outcome, Transfer
from neuroprism.abr.evaluation.markdown import ABSENT, bullets, cell, paragraphs, table

_WORDS = {"wave_v_presence": "presence of wave V", "hearing_class": "hearing class"}
ALL = "all"


def generation_section(quality: GenerationQuality | None, absent: Mapping[str, str]) -> str:
    """Return what generated recordings teach, how they are distributed, and whether they are copies."""
    heading = "## Generated recordings"
    if quality is None:
        return f"{heading}\n\nNot judged: {absent['generation']}."
    names = ("sampler", "steps", "guidance", "seed")
    how = ", ".join(f"{name} {quality.sampling[name]}" for name in names if name in quality.sampling)
    return paragraphs(
        heading,
        f"{quality.n_generated:,} recordings under conditions of the test recordings ({how}).",
        *_transfer(quality.transfer),
        *_distributions(quality.distributions),
        *_memorisation(quality.memorisation),
        bullets([f"{note}." if not note.endswith(".") else note for note in quality.notes]),
    ).rstrip()


def _transfer(tasks: Sequence[Transfer]) -> list[str]:
    if not tasks:
        return []
    rows = []
    for task in tasks:
        word, trivial = _WORDS[task.task], task.trivial_to_real
        fitted = {
            f"{task.n_generated:,} generated recordings": task.generated_to_real,
            f"{task.n_recorded:,} recorded ones": task.recorded_to_real,
            "recorded ones, labels read by the network": task.read_to_real,
            "conditions of recorded ones, no trace": task.conditions_to_real,
        }
        rows += [[word, name, *_outcome(found)] for name, found in fitted.items()]
        area = ABSENT if trivial.roc_auc is None else f"{trivial.roc_auc:.3f}"
        rows.append(
            [
                word,
                f"always {trivial.answer}",
                area,
                f"{trivial.balanced_accuracy:.3f}",
                f"{trivial.macro_f1:.3f}",
            ]
        )
        rows.append([word, "generated minus recorded", *_outcome(task.generated_minus_recorded)])
    return [
        "**Train on generated, test on recorded.** A logistic regression on components of the trace and the "
        "conditions is fitted on each set and tested on the test recordings.",
        table(["task", "fitted on", "AUROC", "balanced accuracy", "macro-F1"], rows),
    ]


def _outcome(found: Outcome | None) -> list[str]:
    if found is None:
        return [ABSENT] * 3
    return [cell(score, 3) for score in (found.roc_auc, found.balanced_accuracy, found.macro_f1)]


def _distributions(found: Sequence[Distribution]) -> list[str]:
    rows = [
        [
            one.quantity,
            f"{one.generated_mean:.4g}",
            f"{one.test_mean:.4g} ({one.test_sd:.4g})",
            cell(one.distance, 4),
            cell(one.training_distance, 4),
            cell(one.excess, 4),
        ]
        for one in found
        if one.group == ALL
    ]
    if not rows:
        return []
    header = [
        "quantity",
        "generated mean",
        "recorded mean (SD)",
        "distance",
        "of training recordings",
        "excess",
    ]
    return [
        "**Distributions.** Wasserstein-1 distance of generated and of training recordings to the test "
        "recordings, measured on the traces by one peak picker, in the unit of the quantity. A perfect "
        "generator has an excess of 0. By level: `evaluation.json`.",
        table(header, rows),
    ]


def _memorisation(found: Memorisation) -> list[str]:
    verdict = "Copies of training recordings were found." if found.copying else "No sign of copying."
    rows = [
        [
            "median distance to the nearest training recording, SD",
            cell(found.generated_median_distance_sd, 3),
            cell(found.test_median_distance_sd, 3),
        ],
        [
            "median of nearest over second nearest distance",
            cell(found.generated_median_singleness, 3),
            cell(found.test_median_singleness, 3),
        ],
        ["share nearer than all but 1 % of test recordings", cell(found.share_in_distance_tail, 3), "0.010"],
        [
            "share more single than all but 1 % of test recordings",
            cell(found.share_in_singleness_tail, 3),
            "0.010",
        ],
        ["distance: AUROC of generated against test", cell(found.distance_roc_auc, 3), "0.500"],
        ["exact copies", f"{found.exact_copies:,}", "0"],
    ]
    return [
        f"**Memorisation.** {verdict} A copy lies near one training recording, far from the second nearest.",
        table(["", "generated", "test recordings"], rows),
    ]
