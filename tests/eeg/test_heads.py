"""Heads: sizes, parameter names, refusals, warnings."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest
import torch

from neuroprism.core.errors import ConfigError
from neuroprism.eeg.dataset_registry import datasets
from neuroprism.eeg.heads import CLASSIFIERS, build_head, head_size, head_warnings, layer_widths
from neuroprism.eeg.model_config import Classifier, EegModelConfig
from neuroprism.eeg.spec import DatasetSpec, TaskKind

importlib.import_module("neuroprism.eeg.catalog")

# Name: channels, seconds, classes (1: one output), first width, parameters of the heads with 3, 2, 1 layers
# and of the pooled one, as published with the earlier code.
PUBLISHED = {
    "FACED": (32, 10, 9, 2000, 128_404_009, 12_802_009, 576_009, 1_809),
    "SEED-V": (62, 1, 5, 800, 10_082_005, 2_481_205, 62_005, 1_005),
    "PhysioNet-MI": (64, 4, 4, 800, 41_121_804, 10_241_004, 204_804, 804),
    "SHU-MI": (32, 4, 1, 800, 20_641_201, 5_120_401, 25_601, 201),
    "CHB-MIT": (16, 10, 1, 2000, 64_402_401, 6_400_401, 32_001, 201),
    "BCIC2020-3": (64, 3, 5, 600, 23_161_805, 7_681_205, 192_005, 1_005),
    "Mumtaz2016": (19, 5, 1, 1000, 19_201_401, 3_800_401, 19_001, 201),
    "SEED-VIG": (17, 8, 1, 1600, 43_842_001, 5_440_401, 27_201, 201),
    "MentalArithmetic": (20, 5, 1, 1000, 20_201_401, 4_000_401, 20_001, 201),
    "TUEV": (16, 5, 6, 1000, 16_202_406, 3_201_406, 96_006, 1_206),
    "TUAB": (16, 10, 1, 2000, 64_402_401, 6_400_401, 32_001, 201),
    "BCIC-IV-2a": (22, 4, 4, 800, 14_241_804, 3_521_004, 70_404, 804),
    "MODMA": (128, 15, 1, 2000, 768_402_401, 76_800_401, 384_001, 201),
}
ORDER: tuple[Classifier, ...] = (
    "all_patch_reps",
    "all_patch_reps_twolayer",
    "all_patch_reps_onelayer",
    "avgpooling_patch_reps",
)
KEYS = {
    "all_patch_reps": (1, 4, 7),
    "all_patch_reps_twolayer": (1, 4),
    "all_patch_reps_onelayer": (1,),
    "avgpooling_patch_reps": (3,),
}
SpecMaker = Callable[..., DatasetSpec]


def _published(make_spec: SpecMaker, name: str) -> DatasetSpec:
    n_channels, n_patches, n_classes = PUBLISHED[name][:3]
    task: TaskKind = "multiclass" if n_classes > 1 else "regression" if name == "SEED-VIG" else "binary"
    return make_spec(name, task=task, n_channels=n_channels, n_patches=n_patches, n_classes=n_classes)


@pytest.mark.parametrize("classifier", ORDER)
@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_the_published_ones(make_spec: SpecMaker, name: str, classifier: Classifier) -> None:
    spec = _published(make_spec, name)
    expected = PUBLISHED[name][4 + ORDER.index(classifier)]
    assert head_size(classifier, spec) == expected
    config = EegModelConfig(classifier=classifier, max_head_parameters=10**9)
    with torch.device("meta"):
        head = build_head(config, spec)
    assert sum(p.numel() for p in head.parameters()) == expected
    names = {f"{number}.{kind}" for number in KEYS[classifier] for kind in ("weight", "bias")}
    assert set(head.state_dict()) == names
    with torch.device("meta"):
        features = torch.empty(1, spec.n_channels, spec.n_patches, 200)
    assert head(features).shape == (1, spec.n_outputs)


@pytest.mark.parametrize("name", PUBLISHED)
def test_first_hidden_width(make_spec: SpecMaker, name: str) -> None:
    spec = _published(make_spec, name)
    assert layer_widths("all_patch_reps", spec)[1] == PUBLISHED[name][3]


@pytest.mark.parametrize("name", sorted(set(datasets) & set(PUBLISHED)))
def test_declarations_have_the_published_sizes(make_spec: SpecMaker, name: str) -> None:
    declared, published = datasets[name].spec, _published(make_spec, name)
    for classifier in CLASSIFIERS:
        assert layer_widths(classifier, declared) == layer_widths(classifier, published)
    assert declared.task == published.task


def test_every_configurable_head_is_covered() -> None:
    assert CLASSIFIERS == ORDER


def test_flattening_is_channel_patch_feature(make_spec: SpecMaker) -> None:
    spec = make_spec(n_channels=3, n_patches=2)
    head = build_head(EegModelConfig(classifier="all_patch_reps_onelayer"), spec)
    features = torch.randn(2, 3, 2, 200, generator=torch.Generator().manual_seed(0))
    weight = head[1].weight.view(3, 3, 2, 200)
    assert isinstance(weight, torch.Tensor)
    expected = torch.einsum("bcsd,kcsd->bk", features, weight) + head[1].bias
    torch.testing.assert_close(head(features), expected, atol=1e-5, rtol=1e-5)


def test_pooled_head_sees_the_mean_only(make_spec: SpecMaker) -> None:
    head = build_head(EegModelConfig(classifier="avgpooling_patch_reps"), make_spec(n_channels=4))
    features = torch.randn(2, 4, 1, 200, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.linear(features.mean((1, 2)), head[-1].weight, head[-1].bias)
    torch.testing.assert_close(head(features), expected)
    torch.testing.assert_close(head(features.flip(1)), expected)


def test_dropout_follows_the_configuration(make_spec: SpecMaker) -> None:
    head = build_head(EegModelConfig(dropout=0.37), make_spec())
    assert [m.p for m in head if isinstance(m, torch.nn.Dropout)] == [0.37, 0.37]
    assert sum(isinstance(m, torch.nn.ELU) for m in head) == 2


def test_modma_default_head_is_refused_with_the_sizes_that_fit(make_spec: SpecMaker) -> None:
    with pytest.raises(ConfigError) as caught:
        build_head(EegModelConfig(), _published(make_spec, "MODMA"))
    line = str(caught.value)
    assert "\n" not in line
    for part in (
        "768,402,401",
        "MODMA",
        "100,000,000",
        "all_patch_reps_twolayer (76,800,401)",
        "all_patch_reps_onelayer (384,001)",
        "avgpooling_patch_reps (201)",
    ):
        assert part in line
    assert "all_patch_reps (" not in line


def test_no_advice_to_choose_where_nothing_fits(make_spec: SpecMaker) -> None:
    with pytest.raises(ConfigError, match=r"= 10; raise the limit$"):
        build_head(EegModelConfig(max_head_parameters=10), make_spec())


def test_limit_is_inclusive(make_spec: SpecMaker) -> None:
    spec = make_spec()
    size = head_size("all_patch_reps", spec)
    build_head(EegModelConfig(max_head_parameters=size), spec)
    with pytest.raises(ConfigError):
        build_head(EegModelConfig(max_head_parameters=size - 1), spec)


def _warnings(spec: DatasetSpec, classifier: Classifier, n_head: int = 1) -> str:
    config = EegModelConfig(classifier=classifier)
    return " ".join(head_warnings(config, spec, n_head=n_head, n_backbone=3_277_243))


def test_pooled_head_on_emotion_data_warns(make_spec: SpecMaker) -> None:
    faced = _warnings(_published(make_spec, "FACED"), "avgpooling_patch_reps")
    # The three-layer head of FACED is above the limit: advice must name one that can be built.
    assert "0.237" in faced
    assert "all_patch_reps_twolayer" in faced
    assert "0.237" in _warnings(_published(make_spec, "SEED-V"), "avgpooling_patch_reps")
    assert _warnings(_published(make_spec, "PhysioNet-MI"), "avgpooling_patch_reps") == ""
    assert _warnings(_published(make_spec, "FACED"), "all_patch_reps_onelayer") == ""


def test_much_larger_head_warns_with_the_multiple(make_spec: SpecMaker) -> None:
    spec = _published(make_spec, "PhysioNet-MI")
    assert "13 times" in _warnings(spec, "all_patch_reps", head_size("all_patch_reps", spec))
    assert _warnings(spec, "all_patch_reps_twolayer", head_size("all_patch_reps_twolayer", spec)) == ""


def test_very_few_channels_warn(make_spec: SpecMaker) -> None:
    assert "only 1 channel:" in _warnings(make_spec(n_channels=1), "all_patch_reps")
    assert "only 3 channels:" in _warnings(make_spec(n_channels=3), "all_patch_reps")
    assert _warnings(make_spec(n_channels=4), "all_patch_reps") == ""
