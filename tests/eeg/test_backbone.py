"""EEGMamba: names, shapes and sizes; the forward pass against the formulas written out; starting weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from neuroprism.core.errors import DataError
from neuroprism.eeg.backbone import EegMamba, MambaEncoder

State = dict[str, Tensor]


def released_shapes(n_layers: int = 12) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the released file."""
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embedding.mask_encoding": (200,),
        "patch_embedding.positional_encoding.0.weight": (200, 1, 7, 7),
        "patch_embedding.proj_in.0.weight": (25, 1, 1, 49),
        "patch_embedding.proj_in.1.weight": (25,),
        "patch_embedding.proj_in.1.bias": (25,),
        "patch_embedding.spectral_proj.0.weight": (200, 101),
        "encoder.norm_f.weight": (200,),
        "proj_out.0.weight": (200, 200),
        "proj_out.0.bias": (200,),
    }
    layer = {
        "norm.weight": (200,),
        "mixer.dt_bias": (8,),
        "mixer.A_log": (8,),
        "mixer.D": (8,),
        "mixer.in_proj.weight": (936, 200),
        "mixer.conv1d.weight": (528, 1, 4),
        "mixer.conv1d.bias": (528,),
        "mixer.norm.weight": (400,),
        "mixer.out_proj.weight": (200, 400),
    }
    for number in range(n_layers):
        shapes |= {f"encoder.layers.{number}.{name}": shape for name, shape in layer.items()}
    return shapes


def _n_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def network() -> EegMamba:
    torch.manual_seed(0)
    return EegMamba().eval()


def _windows(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, 200, generator=torch.Generator().manual_seed(seed))


def test_names_and_shapes_are_those_of_the_released_file(network: EegMamba) -> None:
    state = network.state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == released_shapes()
    assert len(state) == 117
    assert all(value.dtype == torch.float32 for value in state.values())


def test_sizes_of_the_parts(network: EegMamba) -> None:
    assert _n_parameters(network) == 3_317_443
    assert _n_parameters(network.patch_embedding) == 31_475
    assert _n_parameters(network.encoder) == 3_245_768
    assert _n_parameters(network.encoder.layers[0]) == 270_464
    assert _n_parameters(network.proj_out) == 40_200
    without = EegMamba(projection=False)
    assert _n_parameters(without) == 3_317_443 - 40_200
    assert set(released_shapes()) - set(without.state_dict()) == {"proj_out.0.weight", "proj_out.0.bias"}


def test_forward_equals_the_formulas() -> None:
    torch.manual_seed(1)
    network = EegMamba(n_layers=3).double().eval()
    _disturb(network)
    x = _windows(2, 3, 4).double()
    expected = _literal(network.state_dict(), x, n_layers=3)
    torch.testing.assert_close(network(x), expected, atol=1e-9, rtol=1e-9)


def test_encoder_equals_turning_tokens_and_residual_round() -> None:
    torch.manual_seed(2)
    encoder = MambaEncoder(4).double()
    tokens = _windows(2, 9).double()
    h, residual = tokens, None
    for layer in encoder.layers:
        residual = h if residual is None else h + residual
        h = layer.mixer(layer.norm(residual))
        h, residual = h.flip(1), residual.flip(1)
    expected = encoder.norm_f(h + residual)
    torch.testing.assert_close(encoder(tokens), expected, atol=1e-11, rtol=1e-11)
    # The direction matters: the same blocks without turning round give something else.
    assert not torch.allclose(_without_turning(encoder, tokens), expected, atol=1e-3)


def _without_turning(encoder: MambaEncoder, tokens: Tensor) -> Tensor:
    h, residual = tokens, torch.zeros_like(tokens)
    for layer in encoder.layers:
        residual = residual + h
        h = layer.mixer(layer.norm(residual))
    return encoder.norm_f(h + residual)  # type: ignore[no-any-return]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 5), (1, 7, 1), (3, 5, 3)])
def test_any_number_of_channels_and_patches(network: EegMamba, shape: tuple[int, ...]) -> None:
    assert network(_windows(*shape)).shape == (*shape, 200)


def test_windows_of_a_batch_do_not_touch_each_other(network: EegMamba) -> None:
    x = _windows(3, 2, 2)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]), atol=1e-5, rtol=1e-4)


def test_every_trainable_parameter_gets_a_gradient() -> None:
    torch.manual_seed(3)
    network = EegMamba()
    network(_windows(1, 2, 2)).square().mean().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == ["patch_embedding.mask_encoding"]


def test_mask_hides_patches_and_is_never_trained() -> None:
    torch.manual_seed(4)
    network = EegMamba(n_layers=1).eval()
    x = _windows(2, 3, 2)
    mask = torch.zeros(2, 3, 2)
    mask[0, 1, 0] = mask[1, 2, 1] = 1
    hidden = x * (1 - mask).unsqueeze(-1)
    torch.testing.assert_close(network(x, mask), network(hidden))
    assert not torch.allclose(network(x, mask), network(x))
    # Even where somebody un-freezes everything.
    network.requires_grad_(True)
    network(x, mask.bool()).sum().backward()
    assert network.patch_embedding.mask_encoding.grad is None
    assert not EegMamba(n_layers=1).patch_embedding.mask_encoding.requires_grad


def test_residual_stays_float32_under_mixed_precision() -> None:
    torch.manual_seed(5)
    network = EegMamba(n_layers=2).eval()
    seen: list[torch.dtype] = []
    network.encoder.layers[1].register_forward_hook(lambda _m, _in, out: seen.append(out[1].dtype))
    x = _windows(1, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(x)
    assert seen == [torch.float32]
    torch.testing.assert_close(mixed.float(), network(x), atol=0.15, rtol=0.1)
    half = network.to(torch.bfloat16)(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert seen[-1] == torch.float32


def test_start_of_the_earlier_code() -> None:
    torch.manual_seed(6)
    state = EegMamba(initialisation="eegmamba").state_dict()
    for number in (0, 11):
        mixer = f"encoder.layers.{number}.mixer"
        assert _std(state, f"{mixer}.in_proj.weight") == pytest.approx(math.sqrt(2 / 936), rel=0.02)
        assert _std(state, f"{mixer}.out_proj.weight") == pytest.approx(0.1, rel=0.02)
        assert _std(state, f"{mixer}.conv1d.weight") == pytest.approx(math.sqrt(2 / 2112), rel=0.08)
        assert _kurtosis(state[f"{mixer}.in_proj.weight"]) == pytest.approx(3, abs=0.1)
    assert _std(state, "patch_embedding.spectral_proj.0.weight") == pytest.approx(0.1, rel=0.03)
    assert _std(state, "proj_out.0.weight") == pytest.approx(0.1, rel=0.03)
    _check_common_start(state)


def test_start_of_the_library() -> None:
    torch.manual_seed(6)
    state = EegMamba(initialisation="mamba2").state_dict()
    for name, fan_in in (
        ("encoder.layers.3.mixer.in_proj.weight", 200),
        ("encoder.layers.3.mixer.out_proj.weight", 400),
        ("encoder.layers.3.mixer.conv1d.weight", 4),
        ("patch_embedding.spectral_proj.0.weight", 101),
        ("proj_out.0.weight", 200),
    ):
        # Uniform between -1 / sqrt(fan in) and its opposite.
        assert _std(state, name) == pytest.approx(1 / math.sqrt(3 * fan_in), rel=0.05)
        assert state[name].abs().max() <= 1 / math.sqrt(fan_in)
    _check_common_start(state)


def _check_common_start(state: State) -> None:
    assert _std(state, "patch_embedding.proj_in.0.weight") == pytest.approx(1 / math.sqrt(3 * 49), rel=0.06)
    position = "patch_embedding.positional_encoding.0.weight"
    assert _std(state, position) == pytest.approx(1 / math.sqrt(3 * 49), rel=0.05)
    assert not state["patch_embedding.mask_encoding"].any()
    for name, value in state.items():
        if "norm" in name or "proj_in.1" in name:
            assert (value == (0 if name.endswith("bias") else 1)).all(), name
    for number in range(12):
        mixer = f"encoder.layers.{number}.mixer"
        assert (state[f"{mixer}.D"] == 1).all()
        decay = state[f"{mixer}.A_log"].exp()
        assert decay.min() >= 1
        assert decay.max() <= 16
        dt = nn.functional.softplus(state[f"{mixer}.dt_bias"])
        assert dt.min() >= 0.00099
        assert dt.max() <= 0.101
        assert state[f"{mixer}.conv1d.bias"].abs().max() <= 0.5


def _std(state: State, name: str) -> float:
    return float(state[name].std())


def _kurtosis(value: Tensor) -> float:
    z = (value - value.mean()) / value.std()
    return float(z.pow(4).mean())


@pytest.mark.parametrize(
    "shape", [(2, 3, 200), (2, 3, 4, 199), (1, 2, 3, 4, 200), (0, 2, 2, 200), (1, 0, 2, 200)]
)
def test_other_shape_is_refused(network: EegMamba, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"reads windows \(batch, channels, seconds, 200\)"):
        network(torch.zeros(shape))


def test_mask_of_another_shape_is_refused(network: EegMamba) -> None:
    with pytest.raises(DataError, match=r"mask of windows \(1, 2, 3, 200\) is \(1, 2, 3\), not \(1, 3, 2\)"):
        network(_windows(1, 2, 3), torch.zeros(1, 3, 2))


def test_no_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        EegMamba(n_layers=0)


def _disturb(network: nn.Module) -> None:
    """Move norms and biases from their trivial starting values."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter += 0.2 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)


def _literal(state: State, x: Tensor, *, n_layers: int) -> Tensor:
    """The network as it is specified, one token after the other."""
    n_batch, n_channels, n_patches, _ = x.shape
    mask = state["patch_embedding.mask_encoding"]
    assert mask.shape == (200,)
    tokens = torch.stack([_embed(state, window) for window in x]).flatten(1, 2)
    h, residual = tokens, None
    for number in range(n_layers):
        layer = {k.removeprefix(f"encoder.layers.{number}."): v for k, v in state.items()}
        residual = h if residual is None else h + residual
        h = torch.stack([_mix(layer, u) for u in _rms(residual, layer["norm.weight"])])
        h, residual = h.flip(1), residual.flip(1)
    if n_layers % 2:
        h, residual = h.flip(1), residual.flip(1)
    y = _rms(h + residual, state["encoder.norm_f.weight"])
    y = y @ state["proj_out.0.weight"].T + state["proj_out.0.bias"]
    return y.view(n_batch, n_channels, n_patches, 200)


def _rms(x: Tensor, weight: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight


def _embed(state: State, window: Tensor) -> Tensor:
    """Return (C, S, 200) of one window."""
    part = {k.removeprefix("patch_embedding."): v for k, v in state.items()}
    n_channels, n_patches, _ = window.shape
    padded = nn.functional.pad(window, (24, 24))
    places = torch.stack([padded[..., 25 * place : 25 * place + 49] for place in range(8)], dim=-2)
    filtered = torch.einsum("cspk,fk->fcsp", places, part["proj_in.0.weight"][:, 0, 0])
    groups = filtered.reshape(5, -1)
    spread = (groups.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    filtered = ((groups - groups.mean(1, keepdim=True)) / spread).view(filtered.shape)
    scale, shift = (part[f"proj_in.1.{name}"].view(25, 1, 1, 1) for name in ("weight", "bias"))
    filtered = nn.functional.gelu(filtered * scale + shift)
    waveform = torch.stack(
        [filtered[:, c, s].reshape(200) for c in range(n_channels) for s in range(n_patches)]
    ).view(window.shape)
    turns = torch.outer(torch.arange(101), torch.arange(200)).double() * (-2 * math.pi / 200)
    spectrum = torch.complex(window @ turns.cos().T, window @ turns.sin().T).abs() / 200
    patches = waveform + spectrum @ part["spectral_proj.0.weight"].T
    grid = nn.functional.pad(patches, (0, 0, 3, 3, 3, 3))
    position = torch.zeros_like(patches)
    for i in range(7):
        for j in range(7):
            near = grid[i : i + n_channels, j : j + n_patches]
            position += near * part["positional_encoding.0.weight"][:, 0, i, j]
    return patches + position


def _mix(layer: State, u: Tensor) -> Tensor:
    """Return the Mamba-2 mixer of one sequence (L, 200)."""
    part = {k.removeprefix("mixer."): v for k, v in layer.items()}
    z, xbc, dt = (u @ part["in_proj.weight"].T).split([400, 528, 8], dim=-1)
    padded = torch.cat((xbc.new_zeros(3, 528), xbc))
    taps = part["conv1d.weight"][:, 0]
    xbc = sum((padded[k : k + len(u)] * taps[:, k] for k in range(4)), part["conv1d.bias"])
    inputs, b, c = nn.functional.silu(xbc).split([400, 64, 64], dim=-1)
    heads = inputs.view(-1, 8, 50)
    dt = nn.functional.softplus(dt + part["dt_bias"])
    decay = (-part["A_log"].exp() * dt).exp()
    state = u.new_zeros(8, 50, 64)
    outputs = []
    for t in range(len(u)):
        drive = torch.einsum("hp,n->hpn", dt[t, :, None] * heads[t], b[t])
        state = decay[t, :, None, None] * state + drive
        outputs.append(state @ c[t] + part["D"][:, None] * heads[t])
    y = torch.stack(outputs).view(-1, 400)
    gated = _rms(y * nn.functional.silu(z), part["norm.weight"])
    return gated @ part["out_proj.weight"].T
