"""Networks for a declared dataset: windows in, one output for each class or one value out.

Letters: B batch, L windows of a sequence, C channel, S patch (one second), T = 200 S, K outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

from torch import Tensor, nn

from neuroprism.core.errors import DataError
from neuroprism.eeg.backbone import EegMamba
from neuroprism.eeg.heads import build_head, head_warnings
from neuroprism.eeg.load_report import LoadReport
from neuroprism.eeg.model_config import EegModelConfig
from neuroprism.eeg.spec import PATCH_SAMPLES, DatasetSpec


class EegModel(nn.Module, ABC):
    """What training and evaluation ask of a network.

    Parameters
    ----------
    spec
        The dataset; its shapes are checked at every pass.
    backbone
        The part that pretrained weights belong to; None in a network without such a part.
    classifier
        The rest, or a part of the rest.
    frozen
        Keep the backbone as it is: no gradients, always in evaluation mode.

    Attributes
    ----------
    loaded
        Report on pretrained weights; None after training from scratch.
    warnings
        What speaks against this network on these data, a sentence each.
    """

    backbone: nn.Module | None
    classifier: nn.Module

    def __init__(
        self,
        spec: DatasetSpec,
        *,
        backbone: nn.Module | None,
        classifier: nn.Module,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = backbone
        self.classifier = classifier
        self.frozen = frozen
        self.loaded: LoadReport | None = None
        self.warnings: list[str] = []
        if frozen and backbone is not None:
            backbone.requires_grad_(requires_grad=False).eval()

    @abstractmethod
    def outputs(self, x: Tensor) -> Tensor:
        """Map windows (B, C, S, 200), or sequences (B, L, C, S, 200), to (B, K) or (B, L, K)."""

    @abstractmethod
    def description(self) -> list[str]:
        """Return what the network consists of, a line each."""

    def forward(self, x: Tensor) -> Tensor:
        """Map windows to outputs.

        Parameters
        ----------
        x
            (B, C, S, 200), or (B, L, C, S, 200) for sequences; microvolt over the declared scale.

        Returns
        -------
        Tensor
            Logits (B, K), or (B, L, K) for sequences; without the last axis for one logit (binary)
            or value (regression), for every B including 1.

        Raises
        ------
        DataError
            If a shape is not the declared one.
        """
        expected = _input_shape(self.spec)
        if x.shape[1:] != expected or len(x) == 0:
            wanted = ", ".join(map(str, expected))
            raise DataError(f"a network for {self.spec.name} reads (batch, {wanted}), not {tuple(x.shape)}")
        y = self.outputs(x)
        return y if self.spec.task == "multiclass" else y.squeeze(-1)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002  (signature of PyTorch)
        """Set training mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.frozen and self.backbone is not None:
            self.backbone.eval()
        return self

    def describe(self) -> list[str]:
        """Return parts, sizes, provenance of the weights and warnings, a line each."""
        loaded = self.loaded.lines() if self.loaded else []
        return [*self.description(), *loaded, *(f"warning: {line}" for line in self.warnings)]


class BackboneModel(EegModel):
    """EEGMamba under a head; the head learns faster, and every parameter outside the backbone is of the head.

    Parameters
    ----------
    config
        Which head, which rates.
    """

    backbone: EegMamba

    def __init__(
        self, spec: DatasetSpec, config: EegModelConfig, *, backbone: EegMamba, classifier: nn.Module
    ) -> None:
        super().__init__(spec, backbone=backbone, classifier=classifier, frozen=config.frozen)
        self.config = config

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Yield every parameter outside the backbone."""
        own = {id(parameter) for parameter in self.backbone.parameters()}
        return (parameter for parameter in self.parameters() if id(parameter) not in own)

    def mark_head(self) -> None:
        """Tell the optimizer's builder the rate of the head; note what speaks against its size."""
        for parameter in self.head_parameters():
            parameter._optim = {"lr_factor": self.config.head_lr_factor, "group": "head"}  # type: ignore[attr-defined]
        self.warnings += head_warnings(
            self.config,
            self.spec,
            n_head=count(self.head_parameters()),
            n_backbone=count(self.backbone.parameters()),
        )

    def head_text(self) -> str:
        """Return the head in words."""
        return self.config.classifier

    def description(self) -> list[str]:
        """Return backbone and head with their sizes."""
        start = f", from scratch (initialisation '{self.backbone.initialisation}')"
        if self.loaded or self.config.pretrained is not None:
            start = "" if self.loaded else f", started from {self.config.pretrained}"
        return [
            f"backbone: EEGMamba, {self.backbone.n_layers} layers, {count(self.backbone.parameters()):,} "
            f"parameters{', frozen' if self.frozen else ''}{start}",
            f"head: {self.head_text()}, {count(self.head_parameters()):,} parameters, "
            f"learning rate x {self.config.head_lr_factor:g}",
        ]


class PatchClassifier(BackboneModel):
    """EEGMamba under one of the four heads, for windows that are judged one by one."""

    def __init__(self, config: EegModelConfig, spec: DatasetSpec) -> None:
        super().__init__(
            spec,
            config,
            classifier=build_head(config, spec),
            backbone=EegMamba(projection=False, initialisation=config.initialisation),
        )
        self.mark_head()

    def outputs(self, x: Tensor) -> Tensor:
        """Map (B, C, S, 200) to (B, K)."""
        y: Tensor = self.classifier(self.backbone(x))
        return y


class WindowClassifier(EegModel):
    """A network that maps windows (B, C, T) to (B, K), applied to each window of a sequence by itself.

    Parameters
    ----------
    network
        The network.
    name
        As shown.
    start
        Where its weights come from before training, in words.
    """

    def __init__(
        self, spec: DatasetSpec, network: nn.Module, *, name: str, start: str = "from scratch"
    ) -> None:
        super().__init__(spec, backbone=None, classifier=network)
        self.name, self.start = name, start

    def outputs(self, x: Tensor) -> Tensor:
        """Map (B, C, S, 200) to (B, K), or (B, L, C, S, 200) to (B, L, K)."""
        lead = x.shape[:-3]
        y: Tensor = self.classifier(x.flatten(0, -4).flatten(-2))
        return y.reshape(*lead, self.spec.n_outputs)

    def description(self) -> list[str]:
        """Return name and size."""
        start = "" if self.loaded else f", {self.start}"
        return [f"network: {self.name}, {count(self.parameters()):,} parameters{start}"]


def count(parameters: Iterator[nn.Parameter]) -> int:
    """Return the number of scalars in `parameters`."""
    return sum(parameter.numel() for parameter in parameters)


def _input_shape(spec: DatasetSpec) -> tuple[int, ...]:
    window = (spec.n_channels, spec.n_patches, PATCH_SAMPLES)
    return window if spec.sequence_length == 1 else (spec.sequence_length, *window)
