"""The attainable ceiling of the simulated ABR tasks, given the noise."""

from neuroprism.abr.ideal_observer.observer import IdealObserver
from neuroprism.abr.ideal_observer.posterior import Distribution, Posterior

__all__ = ["Distribution", "IdealObserver", "Posterior"]
