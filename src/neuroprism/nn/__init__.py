"""Building blocks of networks: state spaces, attention, conditioning, pooling.

Sequences are (B, T, D) unless stated: batch, time, channels.
"""

from neuroprism.nn.attention import PositionEmbedding, SelfAttention, TransformerBlock
from neuroprism.nn.dropout import TimeTiedDropout
from neuroprism.nn.film import FiLM
from neuroprism.nn.mamba2 import Mamba2
from neuroprism.nn.patch import Downsample, Upsample
from neuroprism.nn.pooling import AttentionPool, read_at
from neuroprism.nn.s4 import S4D, S4Block
from neuroprism.nn.s4_init import Initialisation, initial_eigenvalues
from neuroprism.nn.ssd import ssd
from neuroprism.nn.ssd_reference import ssd_reference
from neuroprism.nn.time_embedding import TimeEmbedding, sinusoidal_embedding

__all__ = [
    "S4D",
    "AttentionPool",
    "Downsample",
    "FiLM",
    "Initialisation",
    "Mamba2",
    "PositionEmbedding",
    "S4Block",
    "SelfAttention",
    "TimeEmbedding",
    "TimeTiedDropout",
    "TransformerBlock",
    "Upsample",
    "initial_eigenvalues",
    "read_at",
    "sinusoidal_embedding",
    "ssd",
    "ssd_reference",
]
