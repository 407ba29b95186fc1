"""Every package shows what it says it shows, and the light ones stay light."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import neuroprism

PACKAGES = [f"neuroprism.{found.name}" for found in pkgutil.iter_modules(neuroprism.__path__) if found.ispkg]
HEAVY = ("torch", "matplotlib", "tensorboard", "lightning_fabric", "wandb", "trackio")


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def test_packages_are_found() -> None:
    assert {"neuroprism.core", "neuroprism.monitor", "neuroprism.train", "neuroprism.abr"} <= set(PACKAGES)


def test_every_module_can_be_imported() -> None:
    for found in pkgutil.walk_packages(neuroprism.__path__, "neuroprism."):
        importlib.import_module(found.name)


def test_what_a_package_offers_is_there_and_described(package: ModuleType) -> None:
    if package.__name__ == "neuroprism.core":
        pytest.skip("its modules are its face: each is imported by name")
    names = package.__all__
    assert names
    assert len(set(names)) == len(names)
    for name in names:
        thing = getattr(package, name)
        if getattr(thing, "__module__", "").startswith("neuroprism"):
            assert thing.__doc__, f"{package.__name__}.{name} has no docstring"


def test_star_import_brings_exactly_what_is_offered(package: ModuleType) -> None:
    if not hasattr(package, "__all__"):
        pytest.skip("no public names of its own")
    names: dict[str, object] = {}
    exec(f"from {package.__name__} import *", names)
    assert set(names) - {"__builtins__"} == set(package.__all__)


@pytest.mark.parametrize("name", ["neuroprism", "neuroprism.core.records", "neuroprism.monitor"])
def test_import_stays_light(name: str) -> None:
    program = f"import sys, {name}; print(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
