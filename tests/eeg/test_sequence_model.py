"""The sequence model: names, size, and what a window may see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from neuroprism.core.errors import ConfigError, DataError
from neuroprism.eeg.model_config import EegModelConfig
from neuroprism.eeg.sequence_model import SequenceClassifier
from neuroprism.eeg.spec import DatasetSpec

SpecMaker = Callable[..., DatasetSpec]


@pytest.fixture(scope="module")
def spec(make_spec: SpecMaker) -> DatasetSpec:
    return make_spec("Sleep", n_classes=5, n_channels=2, n_patches=2, sequence_length=4)


@pytest.fixture(scope="module")
def model(spec: DatasetSpec) -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier(EegModelConfig(), spec).eval()


def _sequences(n_batch: int) -> torch.Tensor:
    return torch.randn(n_batch, 4, 2, 2, 200, generator=torch.Generator().manual_seed(1))


def test_names_and_size_for_sleep_staging(make_spec: SpecMaker) -> None:
    isruc = make_spec("ISRUC", n_classes=5, n_channels=6, n_patches=30, sequence_length=20)
    with torch.device("meta"):
        model = SequenceClassifier(EegModelConfig(), isruc)
    head = {name: p for name, p in model.named_parameters() if not name.startswith("backbone.")}
    assert set(head) == {
        *(f"head.0.{kind}" for kind in ("weight", "bias")),
        *(f"classifier.{kind}" for kind in ("weight", "bias")),
        *(
            f"sequence_encoder.layers.0.{part}"
            for part in (
                "self_attn.in_proj_weight",
                "self_attn.in_proj_bias",
                *(
                    f"{module}.{kind}"
                    for module in ("self_attn.out_proj", "linear1", "linear2", "norm1", "norm2")
                    for kind in ("weight", "bias")
                ),
            )
        ),
    }
    assert head["head.0.weight"].shape == (512, 36_000)
    assert head["classifier.weight"].shape == (5, 512)
    n_head = sum(p.numel() for p in head.values())
    # Linear map, attention, feed-forward, two norms, classifier.
    assert n_head == 36_001 * 512 + 4 * 512 * 513 + 513 * 2048 + 2049 * 512 + 4 * 512 + 513 * 5
    assert round(n_head / 1e6, 1) == 21.6
    model.backbone = nn.Identity()  # type: ignore[assignment]
    assert model(torch.empty(1, 20, 6, 30, 200, device="meta")).shape == (1, 20, 5)


@pytest.mark.parametrize("n_batch", [1, 3])
def test_shape_for_every_batch(model: SequenceClassifier, n_batch: int) -> None:
    assert model(_sequences(n_batch)).shape == (n_batch, 4, 5)


def test_forward_equals_the_parts_written_out(model: SequenceClassifier) -> None:
    x = _sequences(2)
    with torch.no_grad():
        features = torch.stack([model.backbone(x[:, window]).flatten(1) for window in range(4)], dim=1)
        h = nn.functional.gelu(model.head[0](features))
        layer = model.sequence_encoder.layers[0]
        assert isinstance(layer, nn.TransformerEncoderLayer)
        n = layer.norm1(h)
        attended = nn.functional.linear(n, layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias)
        q, k, v = (part.view(2, 4, 4, 128).transpose(1, 2) for part in attended.chunk(3, dim=-1))
        weights = (q @ k.transpose(-1, -2) / 128**0.5).softmax(-1)
        h = h + layer.self_attn.out_proj((weights @ v).transpose(1, 2).reshape(2, 4, 512))
        h = h + layer.linear2(nn.functional.gelu(layer.linear1(layer.norm2(h))))
        expected = model.classifier(h)
        torch.testing.assert_close(model(x), expected, atol=2e-5, rtol=1e-4)


def test_a_window_sees_its_sequence_and_no_other(model: SequenceClassifier) -> None:
    x = _sequences(2)
    other = x.clone()
    other[0, 3] = 0
    with torch.no_grad():
        before, after = model(x), model(other)
    assert not torch.allclose(before[0, 0], after[0, 0], atol=1e-4)
    torch.testing.assert_close(before[1], after[1], atol=1e-5, rtol=1e-4)


def test_head_learns_faster_than_the_backbone(model: SequenceClassifier) -> None:
    for name, parameter in model.named_parameters():
        wish = getattr(parameter, "_optim", {})
        expected = (None, None) if name.startswith("backbone.") else (5.0, "head")
        assert (wish.get("lr_factor"), wish.get("group")) == expected, name


def test_classifier_without_effect_is_said(spec: DatasetSpec) -> None:
    with torch.device("meta"):
        model = SequenceClassifier(EegModelConfig(classifier="avgpooling_patch_reps"), spec)
        default = SequenceClassifier(EegModelConfig(), spec)
    assert any("'avgpooling_patch_reps' has no effect" in line for line in model.describe())
    assert not any("no effect" in line for line in default.describe())


def test_too_large_head_is_refused_before_it_is_built(spec: DatasetSpec) -> None:
    with pytest.raises(ConfigError, match=r"head has 3,565,061 parameters for Sleep.*; raise the limit"):
        SequenceClassifier(EegModelConfig(max_head_parameters=10**6), spec)
    with torch.device("meta"):
        model = SequenceClassifier(EegModelConfig(max_head_parameters=3_565_061), spec)
    assert sum(p.numel() for p in model.head_parameters()) == 3_565_061


def test_other_length_is_refused(model: SequenceClassifier) -> None:
    with pytest.raises(DataError, match=r"Sleep reads \(batch, 4, 2, 2, 200\), not \(1, 5, 2, 2, 200\)"):
        model(torch.zeros(1, 5, 2, 2, 200))
