"""EEGMamba for sequences of windows, as in sleep staging: each window is judged among its neighbours.

Letters: B batch, L windows of a sequence, C channel, S patch (one second), D width, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from neuroprism.eeg.backbone import D_MODEL, EegMamba
from neuroprism.eeg.classifier import BackboneModel
from neuroprism.eeg.heads import check_size
from neuroprism.eeg.model_config import EegModelConfig
from neuroprism.eeg.spec import DatasetSpec

_WIDTH = 512
_N_HEADS = 4
_FEED_FORWARD = 2048


class SequenceClassifier(BackboneModel):
    """Features of every window, reduced to 512; one Transformer layer over the windows; one linear map.

    The names of the parameters are those of the earlier code. `model.classifier` has no effect here.

    Raises
    ------
    ConfigError
        If head and Transformer have more than ``model.max_head_parameters``.
    """

    def __init__(self, config: EegModelConfig, spec: DatasetSpec) -> None:
        flat = spec.n_channels * spec.n_patches * D_MODEL
        check_size(_size(flat, spec.n_outputs), config, spec)
        super().__init__(
            spec,
            config,
            backbone=EegMamba(projection=False, initialisation=config.initialisation),
            classifier=nn.Linear(_WIDTH, spec.n_outputs),
        )
        self.head = nn.Sequential(nn.Linear(flat, _WIDTH), nn.GELU())
        self.sequence_encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(
                _WIDTH, _N_HEADS, _FEED_FORWARD, activation="gelu", norm_first=True, batch_first=True
            ),
            num_layers=1,
            enable_nested_tensor=False,
        )
        self.mark_head()
        if config.classifier != EegModelConfig.model_fields["classifier"].default:
            self.warnings.append(
                f"classifier '{config.classifier}' has no effect: {spec.name} is judged in sequences of "
                f"{spec.sequence_length} windows by a head of its own"
            )

    def outputs(self, x: Tensor) -> Tensor:
        """Map (B, L, C, S, 200) to (B, L, K)."""
        features = self.backbone(x.flatten(0, 1))
        windows = self.head(features.flatten(1)).view(*x.shape[:2], _WIDTH)
        y: Tensor = self.classifier(self.sequence_encoder(windows))
        return y

    def head_text(self) -> str:
        """Return the head in words."""
        return f"Transformer over {self.spec.sequence_length} windows"


def _size(flat: int, n_outputs: int) -> int:
    """Return the number of parameters outside the backbone, known before any is allocated."""
    attention = 4 * _WIDTH * (_WIDTH + 1)
    feed_forward = 2 * _WIDTH * _FEED_FORWARD + _FEED_FORWARD + _WIDTH
    norms = 2 * 2 * _WIDTH
    return (flat + 1) * _WIDTH + attention + feed_forward + norms + (_WIDTH + 1) * n_outputs
