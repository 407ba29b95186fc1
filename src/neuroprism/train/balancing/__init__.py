"""Weights of loss components that follow the training, by name."""

from neuroprism.train.balancing.balancing import Balancing, balancings, build_balancing
from neuroprism.train.balancing.gradnorm import GradNorm
from neuroprism.train.balancing.jacobian import AGGREGATORS, JacobianBalancing
from neuroprism.train.balancing.uncertainty import Uncertainty

__all__ = [
    "AGGREGATORS",
    "Balancing",
    "GradNorm",
    "JacobianBalancing",
    "Uncertainty",
    "balancings",
    "build_balancing",
]
