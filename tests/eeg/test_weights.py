"""Weights: what loads, what is reported, and what is refused with which words."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from neuroprism.core.errors import DataError
from neuroprism.eeg import weights_file
from neuroprism.eeg.backbone import EegMamba
from neuroprism.eeg.backbones import build_model
from neuroprism.eeg.classifier import EegModel
from neuroprism.eeg.model_config import EegModelConfig
from neuroprism.eeg.spec import DatasetSpec
from neuroprism.eeg.weights import load_backbone, load_finetuned
from neuroprism.train.checkpoint import Checkpoint, save_checkpoint

SpecMaker = Callable[..., DatasetSpec]
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """Return weights in the layout of the released file."""
    torch.manual_seed(11)
    return EegMamba().state_dict()


@pytest.fixture
def released(tmp_path: Path, state: State) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    return path


def _model(spec: DatasetSpec, **options: object) -> EegModel:
    torch.manual_seed(12)
    return build_model(EegModelConfig.model_validate(options), spec)


def _equal(module: torch.nn.Module, state: State) -> bool:
    return all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def _saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_released_layout_into_a_network_for_fine_tuning(
    make_spec: SpecMaker, released: Path, state: State
) -> None:
    model = _model(make_spec())
    assert isinstance(model.backbone, EegMamba)
    assert not _equal(model.backbone, state)
    report = load_backbone(model, released)
    assert _equal(model.backbone, state)
    assert (report.matched, report.missing, report.unexpected) == (115, (), ())
    assert report.left_out == ("proj_out.0.weight", "proj_out.0.bias")
    assert report.path == released
    assert report.sha256 == hashlib.sha256(released.read_bytes()).hexdigest()
    assert model.loaded is report
    assert "115 matched, 0 missing, 0 unexpected, 2 left out (proj_out)" in report.lines()[1]


def test_released_layout_into_a_network_for_pretraining(released: Path, state: State) -> None:
    network = EegMamba()
    report = load_backbone(network, released)
    assert (report.matched, report.left_out) == (117, ())
    assert _equal(network, state)


def test_network_gives_the_same_features_after_loading(make_spec: SpecMaker, released: Path) -> None:
    network = EegMamba().eval()
    load_backbone(network, released)
    network.proj_out = torch.nn.Identity()
    model = _model(make_spec()).eval()
    load_backbone(model, released)
    x = torch.randn(1, 2, 1, 200, generator=torch.Generator().manual_seed(0))
    assert isinstance(model.backbone, EegMamba)
    assert torch.equal(network(x), model.backbone(x))


def test_safetensors(tmp_path: Path, make_spec: SpecMaker, state: State) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    model = _model(make_spec())
    assert load_backbone(model, path).matched == 115
    assert isinstance(model.backbone, EegMamba)
    assert _equal(model.backbone, state)


def test_without_projection(tmp_path: Path, make_spec: SpecMaker, state: State) -> None:
    short = {name: value for name, value in state.items() if not name.startswith("proj_out.")}
    path = _saved(tmp_path / "short.pth", short)
    report = load_backbone(_model(make_spec()), path)
    assert (report.matched, report.left_out) == (115, ())
    with pytest.raises(DataError, match=r"lacks 'proj_out\.0\.weight' \(115 of 117 tensors match, 2 missing"):
        load_backbone(EegMamba(), path)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_prefix_of_a_wrapper_is_removed_and_reported(
    tmp_path: Path, make_spec: SpecMaker, state: State, prefix: str
) -> None:
    wrapped = {prefix + name: value for name, value in state.items()}
    model = _model(make_spec())
    report = load_backbone(model, _saved(tmp_path / "wrapped.pth", wrapped))
    assert report.matched == 115
    assert any("removed from all 117 names" in note for note in report.notes)
    assert isinstance(model.backbone, EegMamba)
    assert _equal(model.backbone, state)


def test_prefix_of_some_names_only_is_a_mismatch(tmp_path: Path, make_spec: SpecMaker, state: State) -> None:
    first = next(iter(state))
    mixed = {f"module.{first}": state[first]} | {k: v for k, v in state.items() if k != first}
    with pytest.raises(DataError, match=r"lacks 'patch_embedding\.mask_encoding'"):
        load_backbone(_model(make_spec()), _saved(tmp_path / "mixed.pth", mixed))


# Earlier code saved the whole network: everything of the backbone under its prefix, and the head.


@pytest.mark.parametrize(
    ("classifier", "numbers"),
    [
        ("all_patch_reps", (1, 4, 7)),
        ("all_patch_reps_twolayer", (1, 4)),
        ("all_patch_reps_onelayer", (1,)),
        ("avgpooling_patch_reps", (3,)),
    ],
)
def test_fine_tuned_network_of_the_earlier_code(
    tmp_path: Path, make_spec: SpecMaker, state: State, classifier: str, numbers: tuple[int, ...]
) -> None:
    spec = make_spec()
    source = _model(spec, classifier=classifier)
    head = {k: v + 1 for k, v in source.state_dict().items() if k.startswith("classifier.")}
    assert {int(name.split(".")[1]) for name in head} == set(numbers)
    inside = {f"backbone.{k}": v for k, v in state.items() if not k.startswith("proj_out.")}
    path = _saved(tmp_path / "epoch3_acc_0.5.pth", inside | head)
    model = _model(spec, classifier=classifier)
    report = load_finetuned(model, path)
    assert (report.matched, report.left_out) == (115 + len(head), ())
    assert _equal(model, inside | head)
    # The same file as the start of another task: the head is left out.
    other = _model(make_spec(n_classes=4), classifier=classifier)
    report = load_backbone(other, path)
    assert report.left_out == tuple(head)
    assert isinstance(other.backbone, EegMamba)
    assert _equal(other.backbone, state)


def test_fine_tuned_sequence_network(tmp_path: Path, make_spec: SpecMaker) -> None:
    spec = make_spec(sequence_length=2)
    source = _model(spec)
    content = {name: value + 1 for name, value in source.state_dict().items()}
    model = _model(spec)
    report = load_finetuned(model, _saved(tmp_path / "sleep.pth", content))
    assert _equal(model, content)
    assert report.matched == len(content)


def test_checkpoint_of_this_project(tmp_path: Path, make_spec: SpecMaker) -> None:
    spec = make_spec()
    source = _model(spec)
    weights = {name: value + 1 for name, value in source.state_dict().items()}
    average = {"classifier.1.bias": torch.full_like(weights["classifier.1.bias"], 7.0)}
    path = tmp_path / "best.pt"
    checkpoint = Checkpoint(epoch=4, batch=0, step=9, task="TUEV", model=weights, average=average)
    save_checkpoint(path, checkpoint)
    model = _model(spec)
    report = load_finetuned(model, path)
    assert _equal(model, weights | average)
    assert report.origin == "checkpoint of a TUEV run after epoch 4"
    other = _model(make_spec(n_classes=5))
    assert load_backbone(other, path).matched == 115
    assert "checkpoint of a TUEV run after epoch 4" in "\n".join(other.describe())


def test_weights_in_half_precision_are_widened(tmp_path: Path, make_spec: SpecMaker, state: State) -> None:
    path = _saved(tmp_path / "half.pth", {name: value.half() for name, value in state.items()})
    model = _model(make_spec())
    load_backbone(model, path)
    assert isinstance(model.backbone, EegMamba)
    assert all(value.dtype == torch.float32 for value in model.backbone.state_dict().values())


# Provenance.


def test_released_name_with_other_content_warns(tmp_path: Path, make_spec: SpecMaker, state: State) -> None:
    path = _saved(tmp_path / "pretrained_EEGMamba.pth", state)
    model = _model(make_spec())
    report = load_backbone(model, path)
    line = "named as the released one, but its SHA-256 is not b452bb29ecf1d613"
    assert any(line in note for note in report.notes)
    assert any(line in text for text in model.describe())
    assert report.origin == "of unrecorded origin"


def test_released_file_is_recognised_by_its_hash(
    make_spec: SpecMaker, released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hashlib.sha256(released.read_bytes()).hexdigest()
    monkeypatch.setattr(weights_file, "RELEASED_SHA256", content)
    report = load_backbone(_model(make_spec()), released)
    assert report.origin == "released weights of EEGMamba"
    assert report.notes == ()


# Refusals: one line each, and the network stays as it was.


def _refused(model: EegModel, path: Path, message: str, *, whole: bool = False) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(DataError, match=message) as caught:
        (load_finetuned if whole else load_backbone)(model, path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert _equal(model, before)
    assert model.loaded is None


def test_missing_file_says_where_the_weights_are(tmp_path: Path, make_spec: SpecMaker) -> None:
    message = (
        r"do not exist; the released pretrained_EEGMamba\.pth is in the Hugging Face.*weighting666/EEGMamba"
    )
    _refused(_model(make_spec()), tmp_path / "absent.pth", message)


def test_folder_is_refused(tmp_path: Path, make_spec: SpecMaker) -> None:
    _refused(_model(make_spec()), tmp_path, "is a folder; name the file")


def test_missing_tensor(tmp_path: Path, make_spec: SpecMaker, state: State) -> None:
    content = {k: v for k, v in state.items() if k != "encoder.norm_f.weight"}
    message = (
        r"lacks 'encoder\.norm_f\.weight' \(114 of 115 tensors match, 1 missing, 0 unexpected, 0 of another"
    )
    _refused(_model(make_spec()), _saved(tmp_path / "w.pth", content), message)


def test_unexpected_tensor(tmp_path: Path, make_spec: SpecMaker, state: State) -> None:
    content = state | {"encoder.extra": torch.zeros(2)}
    message = r"backbone has no 'encoder\.extra' \(115 of 115 tensors match, 0 missing, 1 unexpected"
    _refused(_model(make_spec()), _saved(tmp_path / "w.pth", content), message)


def test_other_shape(tmp_path: Path, make_spec: SpecMaker, state: State) -> None:
    name = "encoder.layers.5.mixer.A_log"
    message = r"layers\.5\.mixer\.A_log' has shape \(16,\) instead of \(8,\).*1 of another shape"
    _refused(_model(make_spec()), _saved(tmp_path / "w.pth", state | {name: torch.zeros(16)}), message)


@pytest.mark.parametrize(("n_file", "n_own"), [(4, 12), (12, 4)])
def test_other_number_of_layers(tmp_path: Path, n_file: int, n_own: int) -> None:
    path = _saved(tmp_path / "w.pth", EegMamba(n_layers=n_file).state_dict())
    with pytest.raises(DataError, match=rf"it has {n_file} layers instead of {n_own} \(45 of"):
        load_backbone(EegMamba(n_layers=n_own), path)


def test_no_tensor_in_common(tmp_path: Path, make_spec: SpecMaker) -> None:
    path = _saved(tmp_path / "w.pth", {"conv.weight": torch.zeros(2)})
    _refused(_model(make_spec()), path, r"\(0 of 115 tensors match, 115 missing, 1 unexpected")


def test_values_that_are_not_finite(tmp_path: Path, make_spec: SpecMaker, state: State) -> None:
    content = state | {"encoder.norm_f.weight": torch.full((200,), torch.nan)}
    _refused(
        _model(make_spec()), _saved(tmp_path / "w.pth", content), "norm_f.weight' has values that are not"
    )


@pytest.mark.parametrize("content", [{"state_dict": {"a": torch.zeros(1)}, "epoch": 3}, {"epoch": 3}])
def test_wrapped_state_is_refused_with_advice(
    tmp_path: Path, make_spec: SpecMaker, content: dict[str, object]
) -> None:
    path = _saved(tmp_path / "w.pth", content)
    _refused(_model(make_spec()), path, r"no tensor; save model\.state_dict\(\) alone")


@pytest.mark.parametrize("content", [[torch.zeros(1)], torch.zeros(2), {}])
def test_something_else_is_refused(tmp_path: Path, make_spec: SpecMaker, content: object) -> None:
    _refused(_model(make_spec()), _saved(tmp_path / "w.pth", content), "not tensors by name")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a file of weights", b"PK\x03\x04" + bytes(50)])
def test_damaged_file(tmp_path: Path, make_spec: SpecMaker, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    _refused(_model(make_spec()), path, "damaged")


def test_truncated_file(tmp_path: Path, make_spec: SpecMaker, released: Path) -> None:
    path = tmp_path / "cut.pth"
    path.write_bytes(released.read_bytes()[:100_000])
    _refused(_model(make_spec()), path, "damaged")


class _Intruder:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path(_Intruder.target),))

    target = ""


@pytest.mark.parametrize("plain", [True, False])
def test_code_in_a_file_is_not_run(tmp_path: Path, make_spec: SpecMaker, plain: bool) -> None:
    _Intruder.target = str(tmp_path / "intruded")
    path = tmp_path / "evil.pth"
    if plain:
        path.write_bytes(pickle.dumps({"a": _Intruder()}, protocol=2))
    else:
        torch.save({"a": _Intruder()}, path)
    _refused(_model(make_spec()), path, "refused unread")
    assert not (tmp_path / "intruded").exists()


def test_other_head_is_named(tmp_path: Path, make_spec: SpecMaker) -> None:
    source = _model(make_spec(), classifier="all_patch_reps_twolayer")
    path = _saved(tmp_path / "w.pth", source.state_dict())
    message = "have the head 'all_patch_reps_twolayer', not 'all_patch_reps'; set model.classifier"
    _refused(_model(make_spec()), path, message, whole=True)


def test_head_for_other_labels_names_the_sizes(tmp_path: Path, make_spec: SpecMaker) -> None:
    path = _saved(tmp_path / "w.pth", _model(make_spec(n_classes=4)).state_dict())
    message = r"'classifier\.7\.weight' has shape \(4, 200\) instead of \(9, 200\); Nine has .* 9 outputs"
    _refused(_model(make_spec("Nine", n_classes=9)), path, message, whole=True)


def test_head_for_other_channels_names_the_sizes(tmp_path: Path, make_spec: SpecMaker) -> None:
    path = _saved(tmp_path / "w.pth", _model(make_spec(n_channels=3)).state_dict())
    message = (
        r"'classifier\.1\.weight' has shape \(200, 600\) instead of \(200, 400\); Test has 2 channels, 1"
    )
    _refused(_model(make_spec()), path, message, whole=True)


def test_backbone_alone_is_no_fine_tuned_network(make_spec: SpecMaker, released: Path) -> None:
    _refused(_model(make_spec()), released, "load them as pretrained weights instead", whole=True)


def test_network_without_backbone_takes_no_pretrained_weights(make_spec: SpecMaker, released: Path) -> None:
    _refused(_model(make_spec(), backbone="eegnet"), released, "has no backbone")


def test_fine_tuned_eegnet(tmp_path: Path, make_spec: SpecMaker) -> None:
    spec = make_spec()
    source = _model(spec, backbone="eegnet")
    content = {k: v + 1 for k, v in source.state_dict().items()}
    model = _model(spec, backbone="eegnet")
    load_finetuned(model, _saved(tmp_path / "w.pth", content))
    assert _equal(model, content)
    assert "from scratch" not in "\n".join(model.describe())
