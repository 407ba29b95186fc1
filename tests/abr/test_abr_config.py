"""No key of the configuration is dead or without a meaning, and what is shipped can be trained."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import Field, model_validator

from neuroprism.abr import AbrConfig, AbrScaler, AbrTask, SimulationConfig, simulate
from neuroprism.abr.dataset import AbrDataset
from neuroprism.core.config import load, parse_override
from neuroprism.core.schema import Key, keys
from neuroprism.core.section import Section
from neuroprism.eeg.config import EegConfig
from neuroprism.monitor import rules

ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))


class Readers:
    """The attributes that source code reads; checking a value in a validator is not reading it."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.names: set[str] = set()
        for text in texts:
            self._visit(ast.parse(text))

    def _visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef) and any(map(_is_validator, node.decorator_list)):
            return
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            self.names.add(node.attr)
        for child in ast.iter_child_nodes(node):
            self._visit(child)


def _is_validator(decorator: ast.expr) -> bool:
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Name) and call.id in ("model_validator", "field_validator")


def dead_keys(found: Iterable[Key], readers: Readers) -> set[str]:
    return {
        key.path
        for key in found
        if key.path.rpartition(".")[2] not in readers.names
        and not _is_handed_to_a_rule(key)
        and not _chooses_a_variant(key)
    }


def _chooses_a_variant(key: Key) -> bool:
    """Tell whether the key is the ``type`` that pydantic reads to choose the class of its section."""
    return (
        key.path.endswith(".type")
        and key.field.default is not None
        and "Literal" in str(key.field.annotation)
    )


def _is_handed_to_a_rule(key: Key) -> bool:
    """Tell whether the key is a setting that its alert rule gets, without being named, and reads."""
    match key.path.split("."):
        case ["monitoring", "rules", name, setting]:
            return setting in rules[name].parameters and setting in _names_read(rules[name].judge)
    return False


def _names_read(function: Callable[..., object]) -> set[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


@pytest.mark.parametrize("root", [AbrConfig, EegConfig])
def test_every_key_is_read_by_source_code(root: type[Section]) -> None:
    readers = Readers(path.read_text(encoding="utf-8") for path in SOURCES)
    assert dead_keys(keys(root), readers) == set()


class MadeUp(Section):
    alive: int = 1
    made_up_and_dead: int = Field(default=1, ge=0)
    only_checked: int = 1

    @model_validator(mode="after")
    def _check(self) -> MadeUp:
        if self.only_checked < 0:
            raise ValueError
        return self


def test_a_dead_key_is_found() -> None:
    source = """
        class MadeUp:
            made_up_and_dead = 1
            @model_validator(mode="after")
            def _check(self):
                return self.only_checked
        def use(config, made_up_and_dead):
            config.made_up_and_dead = made_up_and_dead
            return config.alive
    """
    readers = Readers([textwrap.dedent(source)])
    assert dead_keys(keys(MadeUp), readers) == {"made_up_and_dead", "only_checked"}
    whole = Readers(path.read_text(encoding="utf-8") for path in SOURCES)
    assert dead_keys(keys(MadeUp), whole) >= {"made_up_and_dead", "only_checked"}


def test_keys_handed_on_are_arguments_of_the_rule() -> None:
    from neuroprism.monitor.config import MonitoringConfig, RulesConfig, build_rules

    given = RulesConfig.model_validate({"non_finite": {"severity": "warning"}})
    built = {rule.name: rule for rule in build_rules(MonitoringConfig(rules=given))}
    assert built.keys() == rules.keys()
    assert built["non_finite"].settings["severity"] == "warning"
    assert all(rule.settings.keys() == rule.parameters.keys() for rule in built.values())


@pytest.mark.parametrize("root", [AbrConfig, EegConfig])
def test_every_key_has_a_meaning(root: type[Section]) -> None:
    nameless = {key.path for key in keys(root) if not (key.field.description or "").strip()}
    assert nameless == set()


@pytest.mark.parametrize("name", ["config.yaml", "abr_large.yaml"])
def test_shipped_configuration_makes_a_training_step(name: str) -> None:
    config = load(AbrConfig, file=ROOT / "configs" / name)
    small = SimulationConfig(n_patients=10, window_ms=config.data.simulation.window_ms)
    recordings = simulate(small)
    scaler = AbrScaler.fit(recordings)
    everything = AbrDataset(recordings, np.arange(len(recordings)), scaler).everything
    torch.manual_seed(0)
    task = AbrTask(config, scaler, training=everything, validation=everything)
    batch = everything.select(torch.arange(2))
    before = {name: p.detach().clone() for name, p in task.model.named_parameters()}
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=1e-3)
    weights = config.loss.weights.by_component()
    # The outputs begin at zero: the first step moves them alone, the second one what lies before.
    for _ in range(2):
        optimizer.zero_grad()
        terms = task.losses(task.model, batch)
        total = torch.stack([weights[name] * value for name, value in terms.values.items()]).sum()
        total.backward()
        optimizer.step()
        assert torch.isfinite(total)
    moved = [name for name, p in task.model.named_parameters() if not torch.equal(p, before[name])]
    assert len(moved) > 0.95 * len(before)


def test_large_configuration_has_the_size_it_states() -> None:
    from neuroprism.abr.heads import LatencyPrior
    from neuroprism.abr.model import build_model

    config = load(AbrConfig, file=ROOT / "configs" / "abr_large.yaml")
    with torch.device("meta"):
        model = build_model(config.model, n_classes=5, latency=LatencyPrior(mean=0.5, sd=0.1))
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(32.7e6, rel=0.005)


VARIANTS = {
    "first": ["training.optimizer.type=sgd", "diffusion.noise_schedule.type=linear"],
    "second": [
        "data.dataloader.num_workers=1",
        "training.optimizer.type=adam",
        "diffusion.noise_schedule.type=quadratic",
        "loss.focal_loss={use_focal: true, gamma: 2.0}",
        "loss.threshold.type=huber",
        "loss.peak_latency.type=beta_nll",
        "loss.peak_amplitude.type=smooth_l1",
        "monitoring.on_alert.command=['true']",
    ],
}
SMALL = [
    "data.simulation.n_patients=20",
    "data.dataloader={batch_size: 8}",
    "model.architecture={base_channels: 8, n_levels: 1, channel_multipliers: [1]}",
    "model.architecture.decoder.n_heads=2",
    "training={epochs: 1, max_steps_per_epoch: 1}",
    "logging={figure: false, histogram_every_n_epochs: 1, use_wandb: true, wandb: {mode: disabled}}",
]


def test_a_training_run_reads_every_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neuroprism.cli.abr_run import train_abr
    from neuroprism.cli.run_mode import RunMode

    monkeypatch.chdir(tmp_path)
    seen: set[tuple[type, str]] = set()

    def read(section: Section, name: str) -> object:
        seen.update((kind, name) for kind in type(section).__mro__)
        return object.__getattribute__(section, name)

    for name, assignments in VARIANTS.items():
        overrides = [parse_override(text) for text in [*SMALL, *assignments]]
        config = load(AbrConfig, overrides=overrides)
        with monkeypatch.context() as patched:
            patched.setattr(Section, "__getattribute__", read)
            train_abr(config, name, RunMode())
    found = list(keys(AbrConfig))
    read_paths = {key.path for key in found if (key.section, key.path.rpartition(".")[2]) in seen}
    named = [key for key in found if not _chooses_a_variant(key) and not _is_handed_to_a_rule(key)]
    unread = {key.path for key in named} - read_paths
    # The options of each schedule are proven by the traces of its learning rate.
    assert {path for path in unread if not path.startswith("training.scheduler.")} == set()


def test_a_setting_that_a_rule_does_not_read_is_noticed() -> None:
    def careless(history: object, *, read: int = 1, unread: int = 2) -> int:
        return read

    assert "read" in _names_read(careless)
    assert "unread" not in _names_read(careless)
