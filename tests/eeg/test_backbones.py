"""The contract of every network: shapes, gradients, rates, frozen parts; and networks of somebody else."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from neuroprism.core.errors import ConfigError, DataError, UnknownNameError
from neuroprism.eeg.backbone import EegMamba
from neuroprism.eeg.backbones import backbones, build_model
from neuroprism.eeg.classifier import PatchClassifier, WindowClassifier
from neuroprism.eeg.dataset_registry import datasets
from neuroprism.eeg.heads import CLASSIFIERS, head_size
from neuroprism.eeg.model_config import Classifier, EegModelConfig
from neuroprism.eeg.spec import DatasetSpec, TaskKind
from neuroprism.train.optim import build_optimizer, named_rates
from neuroprism.train.optimizer_config import AdamWConfig

importlib.import_module("neuroprism.eeg.catalog")

SpecMaker = Callable[..., DatasetSpec]
TASKS: tuple[TaskKind, ...] = ("multiclass", "binary", "regression")


def _windows(spec: DatasetSpec, n_batch: int) -> torch.Tensor:
    window = (spec.n_channels, spec.n_patches, 200)
    shape = window if spec.sequence_length == 1 else (spec.sequence_length, *window)
    return torch.randn(n_batch, *shape, generator=torch.Generator().manual_seed(0))


def _output_shape(spec: DatasetSpec, n_batch: int) -> tuple[int, ...]:
    lead = (n_batch,) if spec.sequence_length == 1 else (n_batch, spec.sequence_length)
    return (*lead, spec.n_outputs) if spec.task == "multiclass" else lead


def _run(config: EegModelConfig, spec: DatasetSpec, *, n_batches: tuple[int, ...] = (1, 2)) -> None:
    torch.manual_seed(0)
    model = build_model(config, spec)
    for n_batch in n_batches:
        y = model(_windows(spec, n_batch))
        assert y.shape == _output_shape(spec, n_batch)
        assert torch.isfinite(y).all()
    y.square().mean().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("sequence_length", [1, 3])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_every_head_for_every_task(
    make_spec: SpecMaker, task: TaskKind, classifier: Classifier, sequence_length: int
) -> None:
    _run(EegModelConfig(classifier=classifier), make_spec(task=task, sequence_length=sequence_length))


@pytest.mark.parametrize("sequence_length", [1, 3])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", backbones)
def test_every_backbone_for_every_task(
    make_spec: SpecMaker, name: str, task: TaskKind, sequence_length: int
) -> None:
    spec = make_spec(task=task, sequence_length=sequence_length, n_patches=2)
    _run(EegModelConfig(backbone=name), spec)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("name", datasets)
def test_every_dataset_with_every_head(name: str, classifier: Classifier) -> None:
    """The head on the meta device: shapes of the real sizes without their cost; numbers follow below."""
    spec = datasets[name].spec
    config = EegModelConfig(classifier=classifier)
    if spec.sequence_length == 1 and head_size(classifier, spec) > config.max_head_parameters:
        with pytest.raises(ConfigError, match="max_head_parameters"):
            build_model(config, spec)
        config = config.model_copy(update={"max_head_parameters": 10**9})
    with torch.device("meta"):
        model = build_model(config, spec)
    # The backbone keeps the shape of its input.
    model.backbone = torch.nn.Identity()
    y = model(_windows(spec, 2).to("meta"))
    assert y.shape == _output_shape(spec, 2)
    y.mean().backward()


@pytest.mark.parametrize("name", datasets)
def test_every_dataset_in_numbers(name: str) -> None:
    _run(EegModelConfig(classifier="avgpooling_patch_reps"), datasets[name].spec, n_batches=(1,))


@pytest.mark.slow
@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("name", datasets)
def test_every_dataset_with_every_head_in_numbers(name: str, classifier: Classifier) -> None:
    spec = datasets[name].spec
    config = EegModelConfig(classifier=classifier)
    if spec.sequence_length == 1 and head_size(classifier, spec) > config.max_head_parameters:
        pytest.skip("refused: see the test of shapes")
    _run(config, spec, n_batches=(2,))


@pytest.mark.parametrize("name", datasets)
def test_every_dataset_with_eegnet(name: str) -> None:
    _run(EegModelConfig(backbone="eegnet"), datasets[name].spec, n_batches=(2,))


@pytest.mark.parametrize("name", ["eegmamba", "eegnet"])
def test_other_channels_are_refused(make_spec: SpecMaker, name: str) -> None:
    model = build_model(EegModelConfig(backbone=name), make_spec())
    with pytest.raises(DataError, match=r"Test reads \(batch, 2, 1, 200\), not \(4, 3, 1, 200\)"):
        model(torch.zeros(4, 3, 1, 200))


def test_windows_reach_eegnet_as_a_plain_signal(make_spec: SpecMaker) -> None:
    torch.manual_seed(0)
    spec = make_spec(n_patches=3, sequence_length=2)
    model = build_model(EegModelConfig(backbone="eegnet"), spec).eval()
    x = _windows(spec, 2)
    signal = x.reshape(2, 2, 2, 600)
    assert model.backbone is None
    torch.testing.assert_close(model(x)[1, 0], model.classifier(signal[1, :1])[0])


def test_head_learns_at_its_own_recorded_rate(make_spec: SpecMaker) -> None:
    model = build_model(EegModelConfig(head_lr_factor=4.0), make_spec())
    optimizer = build_optimizer(model, AdamWConfig(learning_rate=1e-3))
    assert named_rates(optimizer) == {"lr_head": pytest.approx(4e-3)}
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if name == "backbone.patch_embedding.mask_encoding":
            assert id(parameter) not in rates
        else:
            factor = 1 if name.startswith("backbone.") else 4
            assert rates[id(parameter)] == pytest.approx(factor * 1e-3), name


def test_state_space_dynamics_and_norms_do_not_decay(make_spec: SpecMaker) -> None:
    model = build_model(EegModelConfig(), make_spec())
    optimizer = build_optimizer(model, AdamWConfig(weight_decay=0.05))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            spared = name.endswith(
                ("A_log", ".D", "bias", "norm.weight", "norm_f.weight", "proj_in.1.weight")
            )
            assert decay[id(parameter)] == (0.0 if spared else 0.05), name


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    torch.manual_seed(9)
    path = tmp_path / "weights.pth"
    torch.save(EegMamba().state_dict(), path)
    return path


@pytest.mark.parametrize("sequence_length", [1, 2])
def test_frozen_backbone_stays_as_it_is(make_spec: SpecMaker, pretrained: Path, sequence_length: int) -> None:
    torch.manual_seed(0)
    spec = make_spec(sequence_length=sequence_length)
    model = build_model(EegModelConfig(frozen=True, pretrained=pretrained), spec)
    assert isinstance(model.backbone, torch.nn.Module)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = build_optimizer(model, AdamWConfig(learning_rate=1e-2))
    optimised = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert not optimised & {id(p) for p in model.backbone.parameters()}
    model.train()
    assert model.training
    assert model.classifier.training
    assert not any(module.training for module in model.backbone.modules())
    x = _windows(spec, 2)
    features = model.backbone(x.flatten(0, -4))
    torch.testing.assert_close(model.backbone(x.flatten(0, -4)), features, atol=0, rtol=0)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    after = model.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed
    assert not any(name.startswith("backbone.") for name in changed)


def test_trained_backbone_drops_out_and_changes(make_spec: SpecMaker) -> None:
    torch.manual_seed(0)
    spec = make_spec()
    model = build_model(EegModelConfig(), spec).train()
    assert isinstance(model.backbone, torch.nn.Module)
    x = _windows(spec, 2)
    assert not torch.equal(model.backbone(x), model.backbone(x))


def test_description_names_sizes_weights_and_warnings(make_spec: SpecMaker, pretrained: Path) -> None:
    text = "\n".join(build_model(EegModelConfig(initialisation="mamba2"), make_spec()).describe())
    assert "12 layers, 3,277,243 parameters, from scratch (initialisation 'mamba2')" in text
    assert "head: all_patch_reps, 121,003 parameters, learning rate x 5" in text
    assert "warning: only 2 channels" in text
    config = EegModelConfig(pretrained=pretrained, frozen=True)
    text = "\n".join(build_model(config, make_spec()).describe())
    assert "parameters, frozen" in text
    assert "from scratch" not in text
    assert "115 matched, 0 missing, 0 unexpected, 2 left out (proj_out)" in text
    assert "sha256" in text
    later = "\n".join(build_model(config, make_spec(), pretrained=False).describe())
    assert f"started from {pretrained}" in later
    text = "\n".join(build_model(EegModelConfig(backbone="eegnet"), make_spec()).describe())
    assert "EEGNet" in text
    assert "parameters, from scratch" in text


def test_equal_seeds_give_equal_networks(make_spec: SpecMaker) -> None:
    first, second = (_seeded(make_spec()) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def _seeded(spec: DatasetSpec) -> dict[str, torch.Tensor]:
    torch.manual_seed(3407)
    return build_model(EegModelConfig(), spec).state_dict()


def test_mistyped_backbone_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'eegmamba'"):
        _ = backbones["eegmanba"]


def test_options_without_effect_are_refused() -> None:
    for option in ({"classifier": "avgpooling_patch_reps"}, {"initialisation": "mamba2"}):
        with pytest.raises(ValueError, match="applies to backbone 'eegmamba' only"):
            EegModelConfig.model_validate({"backbone": "eegnet", **option})


NETWORKS = """
import torch
from torch import nn

class Linear(nn.Module):
    def __init__(self, n_chans, n_outputs, n_times, sfreq, width=3):
        super().__init__()
        assert sfreq == 200
        self.map = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(n_chans * n_times, n_outputs))
    def forward(self, x):
        return self.map(x)

class Lazy(nn.Module):
    def __init__(self, n_chans=None, n_outputs=None, n_times=None, sfreq=None):
        super().__init__()
        self.map = nn.Sequential(nn.Flatten(), nn.LazyLinear(n_outputs))
    def forward(self, x):
        return self.map(x)

class OtherSignature(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()

class NeedsMore(nn.Module):
    def __init__(self, n_chans, n_outputs, n_times, sfreq, montage):
        super().__init__()

class Refuses(nn.Module):
    def __init__(self, n_chans, n_outputs, n_times, sfreq):
        raise ValueError("at least 500 samples, please\\nsecond line")

class WrongShape(Linear):
    def forward(self, x):
        return super().forward(x).unsqueeze(1)

class Fails(Linear):
    def forward(self, x):
        return x @ x

class NoNetwork:
    def __init__(self, n_chans, n_outputs, n_times, sfreq):
        pass

number = 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a package with networks of somebody else."""
    folder = tmp_path / "someones_networks"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "zoo.py").write_text(NETWORKS)
    (folder / "needy.py").write_text("import absent_dependency.part\n")
    (folder / "broken.py").write_text("def (:\n")
    (folder / "outdated.py").write_text("from torch import a_name_of_long_ago\n")
    (folder / "fails.py").write_text("raise RuntimeError('no display')\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    for name in [name for name in importlib.sys.modules if name.startswith("someones_networks")]:  # type: ignore[attr-defined]
        monkeypatch.delitem(importlib.sys.modules, name)  # type: ignore[attr-defined]
    return "someones_networks"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["Linear", "Lazy"])
def test_network_of_somebody_else(make_spec: SpecMaker, package: str, kind: str, task: TaskKind) -> None:
    name = f"{package}.zoo:{kind}"
    for sequence_length in (1, 2):
        _run(EegModelConfig(backbone=name), make_spec(task=task, sequence_length=sequence_length))
    model = build_model(EegModelConfig(backbone=name), make_spec())
    assert isinstance(model, WindowClassifier)
    assert all(module.training for module in model.modules())
    assert name in model.describe()[0]
    assert "with the weights that its class gives it" in model.describe()[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent_package.zoo:Net", r"'absent_package' is not installed \(pip install absent_package\)"),
        ("absent_package:Net", r"'absent_package' is not installed"),
        ("{}.absent:Net", r"'someones_networks' has no module 'absent'"),
        ("{}.absent.deep:Net", r"'someones_networks' has no module 'absent'"),
        ("{}.needy:Net", r"someones_networks.needy needs 'absent_dependency', which is not installed"),
        ("{}.broken:Net", r"cannot be imported: invalid syntax"),
        ("{}.outdated:Net", r"cannot be imported: cannot import name 'a_name_of_long_ago'"),
        ("{}.fails:Net", r"cannot be imported: no display"),
        (".zoo:Net", r"cannot be imported"),
        ("{}.zoo:Liner", r"has no 'Liner'; did you mean 'Linear'\?"),
        ("{}.zoo:", r"has no ''"),
        (":Net", r"cannot be imported"),
        ("{}.zoo:number", r"is int, not a class of networks"),
        (
            "{}.zoo:OtherSignature",
            r"must take n_chans, n_outputs, n_times, sfreq by name.*\(channels, classes\)",
        ),
        ("{}.zoo:NeedsMore", r"nothing else without a default.*'montage'"),
        ("{}.zoo:Refuses", r"refuses n_chans=2, n_outputs=3, n_times=200, sfreq=200: at least 500 samples"),
        ("{}.zoo:WrongShape", r"maps one window to \(1, 1, 3\); expected \(batch, outputs\) = \(1, 3\)"),
        ("{}.zoo:Fails", r"fails on an input of shape \(1, 2, 200\)"),
        ("{}.zoo:NoNetwork", r"gives NoNetwork, not a torch.nn.Module"),
    ],
)
def test_what_is_wrong_with_a_network_of_somebody_else(
    make_spec: SpecMaker, package: str, name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        build_model(EegModelConfig(backbone=name.format(package)), make_spec())
    assert "\n" not in str(caught.value)


def test_builtin_networks_can_be_named_by_path_too(make_spec: SpecMaker) -> None:
    model = build_model(EegModelConfig(backbone="neuroprism.eeg.eegnet:EEGNet"), make_spec())
    assert isinstance(model, WindowClassifier)
    assert isinstance(build_model(EegModelConfig(), make_spec()), PatchClassifier)
