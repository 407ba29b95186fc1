"""Configuration of an EEG network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from neuroprism.core.section import Section

Classifier = Literal[
    "all_patch_reps", "all_patch_reps_twolayer", "all_patch_reps_onelayer", "avgpooling_patch_reps"
]
"""Names of the heads."""


class EegModelConfig(Section):
    """Backbone, head and where the weights come from."""

    backbone: str = Field(default="eegmamba", min_length=1)
    """`eegmamba`, `eegnet`, or `package.module:Class`, called with n_chans, n_outputs, n_times and sfreq."""

    classifier: Classifier = "all_patch_reps"
    """Head of `eegmamba`: flattened patches with three, two or one linear layers, or their average."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout of the head, and of EEGNet."""

    initialisation: Literal["eegmamba", "mamba2"] = "eegmamba"
    """Start of training from scratch: as the earlier EEGMamba code, or as the Mamba-2 library."""

    pretrained: Path | None = None
    """Weights of the backbone (.pth or .safetensors); null = from scratch."""

    frozen: bool = False
    """Train the head only; the backbone stays as it is, in evaluation mode."""

    head_lr_factor: float = Field(default=5.0, gt=0)
    """Learning rate of the head over that of the backbone; 1 = one rate."""

    max_head_parameters: int = Field(default=100_000_000, ge=1)
    """A head above this is refused, with advice; MODMA's default head has 768 million."""

    @model_validator(mode="after")
    def _fits_together(self) -> EegModelConfig:
        if self.frozen and self.pretrained is None:
            raise ValueError("frozen needs model.pretrained: an untrained backbone would stay random")
        if self.backbone != "eegmamba":
            for name in ("pretrained", "frozen", "classifier", "initialisation", "head_lr_factor"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} applies to backbone 'eegmamba' only, not to '{self.backbone}'")
        return self
