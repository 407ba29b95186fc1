"""How good a trained ABR network is, beside simple methods and the limit that the noise sets."""

from __future__ import annotations

from neuroprism.abr.evaluation.evaluation import Evaluated, Evaluation, EvaluationSettings, evaluate
from neuroprism.abr.evaluation.generation import GenerationSettings
from neuroprism.abr.evaluation.material import Material, gather

__all__ = [
    "Evaluated",
    "Evaluation",
    "EvaluationSettings",
    "GenerationSettings",
    "Material",
    "evaluate",
    "gather",
]
