"""Published results and their sources, as the declarations cite them."""

from __future__ import annotations

from neuroprism.eeg.spec import Anchor

CBRAMOD = "Wang et al. 2025, CBraMod, ICLR (arXiv 2412.07236)"
REVE = "El Ouahidi et al. 2025, REVE, NeurIPS"
REPRODUCED = "woo0kim/eeg-analysis-methods-review, 5 seeds"

MULTICLASS = ("balanced_accuracy", "kappa", "f1")
BINARY = ("balanced_accuracy", "pr_auc_trapezoid", "roc_auc")
REGRESSION = ("corrcoef", "r2", "rmse")


def published(source: str, metrics: tuple[str, ...], **models: tuple[float, ...]) -> tuple[Anchor, ...]:
    """Return one anchor for each model.

    Parameters
    ----------
    source
        Citation.
    metrics
        Names in the order of the values.
    **models
        Values by model; an underscore in a name stands for a blank. A model
        with fewer values has only the first metrics.
    """
    return tuple(
        Anchor(model=name.replace("_", " "), values=dict(zip(metrics, values, strict=False)), source=source)
        for name, values in models.items()
    )
