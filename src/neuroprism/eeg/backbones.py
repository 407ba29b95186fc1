"""Networks by name, built for a declared dataset."""

from __future__ import annotations

from collections.abc import Callable

from neuroprism.core.registry import Registry
from neuroprism.eeg.classifier import EegModel, PatchClassifier, WindowClassifier
from neuroprism.eeg.eegnet import EEGNet
from neuroprism.eeg.imported_network import import_network
from neuroprism.eeg.model_config import EegModelConfig
from neuroprism.eeg.sequence_model import SequenceClassifier
from neuroprism.eeg.spec import SAMPLE_RATE_HZ, DatasetSpec
from neuroprism.eeg.weights import load_backbone

backbones: Registry[Callable[[EegModelConfig, DatasetSpec], EegModel]] = Registry("backbone")


def build_model(config: EegModelConfig, spec: DatasetSpec, *, pretrained: bool = True) -> EegModel:
    """Build the network named by ``model.backbone`` for the dataset `spec`.

    Parameters
    ----------
    config
        Which network; ``package.module:Class`` is imported.
    spec
        Which dataset.
    pretrained
        Load the weights that ``model.pretrained`` names; False where all weights come from a checkpoint.

    Raises
    ------
    UnknownNameError
        If there is no such backbone.
    ConfigError
        If the network cannot be built for these data.
    DataError
        If the pretrained weights do not fit.
    """
    if ":" in config.backbone:
        network = import_network(config.backbone, spec)
        start = "with the weights that its class gives it"
        return WindowClassifier(spec, network, name=config.backbone, start=start)
    model = backbones[config.backbone](config, spec)
    if pretrained and config.pretrained is not None:
        load_backbone(model, config.pretrained)
    return model


@backbones.register("eegmamba")
def _eegmamba(config: EegModelConfig, spec: DatasetSpec) -> EegModel:
    return (PatchClassifier if spec.sequence_length == 1 else SequenceClassifier)(config, spec)


@backbones.register("eegnet")
def _eegnet(config: EegModelConfig, spec: DatasetSpec) -> EegModel:
    network = EEGNet(spec.n_channels, spec.n_outputs, spec.n_times, SAMPLE_RATE_HZ, dropout=config.dropout)
    return WindowClassifier(spec, network, name="EEGNet")
