"""Trivial and classical methods, which stand beside a trained network in its evaluation.

Each is fitted on training recordings alone and answers in the form of `neuroprism.abr.answers`.
All are deterministic, and all leave out the tasks that training has no labels for.
"""

from __future__ import annotations

from neuroprism.abr.answers import Fit
from neuroprism.abr.evaluation.methods.conditions_only import fit_conditions_only
from neuroprism.abr.evaluation.methods.constant import fit_constant
from neuroprism.abr.evaluation.methods.feature_models import fit_feature_models
from neuroprism.abr.evaluation.methods.peak_picking import fit_peak_picking
from neuroprism.abr.evaluation.methods.template_matching import fit_template_matching
from neuroprism.abr.evaluation.methods.variance_ratio import fit_chosen_fmp, fit_critical_fmp

BASELINES: tuple[Fit, ...] = (
    fit_constant,
    fit_conditions_only,
    fit_critical_fmp,
    fit_chosen_fmp,
    fit_peak_picking,
    fit_template_matching,
    fit_feature_models,
)

__all__ = ["BASELINES"]
