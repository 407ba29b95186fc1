"""Attention against the formula, positions, pooling, modulation, dropout, resampling, step embedding."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from neuroprism.nn import (
    AttentionPool,
    Downsample,
    FiLM,
    PositionEmbedding,
    SelfAttention,
    TimeEmbedding,
    TimeTiedDropout,
    TransformerBlock,
    Upsample,
    read_at,
    sinusoidal_embedding,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_attention_is_softmax_of_scaled_products() -> None:
    attention, h = SelfAttention(8, 2), noise(3, 10, 8)
    q, k, v = attention.qkv(h).chunk(3, dim=-1)
    heads = []
    for i in (slice(0, 4), slice(4, 8)):
        scores = q[..., i] @ k[..., i].transpose(1, 2) / 2.0
        heads.append(torch.softmax(scores, dim=-1) @ v[..., i])
    assert torch.allclose(attention(h), attention.out(torch.cat(heads, dim=-1)), atol=1e-6)


def test_heads_must_divide_channels() -> None:
    with pytest.raises(ValueError, match="3 heads do not divide 8 channels"):
        SelfAttention(8, 3)


def test_block_knows_order_only_through_positions() -> None:
    block, position, h = TransformerBlock(8, 2), PositionEmbedding(8), noise(2, 6, 8)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.allclose(block(h)[:, order], block(h[:, order]), atol=1e-5)
    assert not torch.allclose(block(position(h))[:, order], block(position(h[:, order])), atol=1e-3)


def test_film_starts_as_identity_and_learns() -> None:
    film, h, embedding = FiLM(5, 8), noise(2, 6, 8), noise(2, 5, seed=1)
    assert torch.equal(film(h, embedding), h)
    film(h, embedding).square().sum().backward()
    assert all((p.grad != 0).any() for p in film.parameters())
    with torch.no_grad():
        film.project.bias[:8] = 1.0
        film.project.bias[8:] = 3.0
    assert torch.allclose(film(h, embedding), 2 * h + 3, atol=1e-6)


def test_dropout_is_tied_over_time_and_off_in_evaluation() -> None:
    dropout, h = TimeTiedDropout(0.5), torch.ones(64, 7, 32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        y = dropout(h)
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert set(y.unique().tolist()) == {0.0, 2.0}
    assert float((y == 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert torch.equal(dropout.eval()(h), h)
    with pytest.raises(ValueError, match="dropout"):
        TimeTiedDropout(1.0)


def test_pool_starts_as_mean_and_respects_a_prior() -> None:
    pool, h = AttentionPool(4), noise(2, 6, 4)
    assert torch.allclose(pool(h), h.mean(dim=1), atol=1e-6)
    only_third = torch.full((6,), -math.inf)
    only_third[2] = 0.0
    assert torch.allclose(pool(h, only_third), h[:, 2])
    assert torch.allclose(read_at(h, functional.one_hot(torch.tensor([0, 5]), 6)), h[[0, 1], [0, 5]])


def test_resampling_is_a_strided_convolution() -> None:
    down, up, h = Downsample(3, 5, 4), Upsample(3, 5, 4), noise(2, 12, 3)
    kernel = down.map.weight.view(5, 4, 3).permute(0, 2, 1)
    expected = functional.conv1d(h.transpose(1, 2), kernel, down.map.bias, stride=4).transpose(1, 2)
    assert torch.allclose(down(h), expected, atol=1e-6)
    transposed = up.map.weight.view(4, 5, 3).permute(2, 1, 0)
    bias = up.map.bias.view(4, 5).repeat(12, 1)
    expected = functional.conv_transpose1d(h.transpose(1, 2), transposed, stride=4).transpose(1, 2) + bias
    assert torch.allclose(up(h), expected, atol=1e-6)


def test_step_embedding_tells_steps_apart() -> None:
    waves = sinusoidal_embedding(torch.arange(1000), 32)
    assert waves.shape == (1000, 32)
    assert torch.allclose(waves[7, 0], torch.tensor(math.cos(7.0)))
    assert torch.allclose(waves[7, 31], torch.tensor(math.sin(7.0 / 10_000 ** (15 / 16))))
    assert torch.cdist(waves, waves).fill_diagonal_(1).min() > 0.1
    embedding = TimeEmbedding(16)
    assert embedding(torch.tensor([0, 999])).shape == (2, 16)
    with pytest.raises(ValueError, match="even"):
        TimeEmbedding(15)
