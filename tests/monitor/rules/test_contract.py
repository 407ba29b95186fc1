"""What every registered rule keeps."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from neuroprism.core.records import KINDS, Severity
from neuroprism.monitor.config import MonitoringConfig, RuleConfig, build_rules, rule_section
from neuroprism.monitor.history import History, Stream
from neuroprism.monitor.rules import Rule, rules
from neuroprism.monitor.rules.needs import _NEEDS
from neuroprism.monitor.rules.rule import MOMENTS, Need

Build = Callable[..., Any]

each_rule = pytest.mark.parametrize("rule", rules.values(), ids=list(rules))


def section_of(repository: Path, name: str) -> str:
    """Return the part of the page of alerts that describes a rule."""
    text = (repository / "docs" / "alerts.md").read_text(encoding="utf-8")
    found = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/alerts.md has no section ### {name}"
    return found[1]


@each_rule
def test_parameters_are_typed_described_and_have_defaults(rule: Rule) -> None:
    fields = rule_section(rule).model_fields
    for name, parameter in rule.parameters.items():
        assert parameter.default is not parameter.empty, name
        assert parameter.annotation is not parameter.empty, name
        description = fields[name].description
        assert description, f"'{name}' is not described"
        assert description.endswith("."), name


@each_rule
def test_the_docstring_describes_no_other_parameter(rule: Rule) -> None:
    text = inspect.getdoc(rule.judge) or ""
    _, _, described = text.partition("Parameters\n----------\n")
    assert set(re.findall(r"^(\w+)$", described, re.MULTILINE)) == set(rule.parameters)


@each_rule
def test_the_first_sentence_says_what_it_finds(rule: Rule) -> None:
    first = (inspect.getdoc(rule.judge) or "").splitlines()[0]
    assert re.match(r"(Find|Report) .*\.$", first)


@each_rule
def test_it_is_on_and_has_a_severity(rule: Rule) -> None:
    section: RuleConfig = rule_section(rule)()
    assert section.enabled
    assert rule.parameters["severity"].annotation == Severity
    assert section.model_dump()["severity"] in get_args(Severity)


@each_rule
def test_its_name_is_its_kind_and_the_name_of_its_module(rule: Rule) -> None:
    assert rule.name in KINDS
    assert rule.name == rule.judge.__name__ == rule.judge.__module__.rpartition(".")[2]


@each_rule
def test_what_it_declares_exists(rule: Rule) -> None:
    assert rule.moments <= set(MOMENTS)
    assert set(rule.needs) <= set(get_args(Need)) == set(_NEEDS)
    assert set(rule.yields_to) <= set(KINDS) - {rule.name}
    assert rule.quiet >= 1
    assert rule.confirm >= 1


@pytest.mark.parametrize(
    "name", ["vanishing_gradient", "stall", "oscillation", "task_stall", "dominance", "ratio_drift"]
)
def test_trends_are_confirmed(name: str) -> None:
    assert rules[name].confirm == 2


@each_rule
def test_causes_are_asked_before_it(rule: Rule) -> None:
    order = list(rules)
    later = [kind for kind in rule.yields_to if order.index(kind) > order.index(rule.name)]
    assert later == []


@each_rule
def test_an_empty_history_gives_nothing(rule: Rule, make_run: Build) -> None:
    run = make_run(np.empty(0), np.empty(0))
    facts = run.engine().facts
    for ended in (False, True):
        assert list(rule(History(facts=facts, stream=Stream(run.components), ended=ended))) == []


@each_rule
@pytest.mark.parametrize("n_components", [1, 3])
def test_one_row_gives_nothing(rule: Rule, make_run: Build, n_components: int) -> None:
    run = make_run(*[np.ones(1)] * n_components, steps_per_epoch=1, val=np.ones((1, n_components)))
    engine = run.engine(rule.name)
    assert [alert for record in run.records() for alert in engine.look(record)] == []
    assert engine.finish() == []


@each_rule
def test_values_that_are_never_there_give_nothing(rule: Rule, make_run: Build) -> None:
    run = make_run(np.full(300, np.nan), np.full(300, np.nan), missing=np.ones((300, 2), dtype=bool))
    engine = run.engine(rule.name)
    assert [alert for record in run.records() for alert in engine.look(record)] == []
    assert engine.finish() == []


@each_rule
def test_it_is_pure(rule: Rule, make_run: Build, healthy_loss: Build) -> None:
    run = make_run(healthy_loss(200), np.full(200, 0.7), grad_norm=1.0)
    engine = run.engine(rule.name)
    for record in run.records():
        engine.look(record)
    before = repr(engine.state_dict()["stream"])
    history = engine._history(ended=True)
    once, twice = ([(a.kind, a.message) for a in rule(history)] for _ in range(2))
    assert once == twice
    assert repr(engine.state_dict()["stream"]) == before


@each_rule
def test_a_healthy_run_gives_nothing(rule: Rule, make_run: Build, judge: Build, healthy_loss: Build) -> None:
    for seed in range(3):
        series = [healthy_loss(600, seed=10 * seed + k, start=start) for k, start in enumerate((2.0, 1.0))]
        val = np.column_stack([column.reshape(12, 50).mean(axis=1) for column in series])
        run = make_run(*series, val=val, steps_per_epoch=50, grad_norm=series[0], baselines={"a": 2, "b": 2})
        assert judge(run, rule) == []


@each_rule
def test_settings_can_be_configured(rule: Rule) -> None:
    config = MonitoringConfig.model_validate({"rules": {rule.name: {"severity": "info"}}})
    (built,) = [one for one in build_rules(config) if one.name == rule.name]
    assert built.settings["severity"] == "info"


@each_rule
def test_the_page_describes_it_with_every_parameter(rule: Rule, repository: Path) -> None:
    section = section_of(repository, rule.name)
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE))
    written = {name: default.strip().strip("`") for name, default in rows.items()}
    assert written == {
        name: str(p.default) if isinstance(p.default, str) else f"{p.default:g}"
        for name, p in rule.parameters.items()
    }
    assert "Cannot see:" in section


def test_every_kind_is_explained_on_the_page(repository: Path) -> None:
    text = (repository / "docs" / "alerts.md").read_text(encoding="utf-8")
    _, _, after = text.partition("## Kinds")
    table, _, _ = after.partition("\n## ")
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(KINDS)


def test_no_other_kind_is_used(repository: Path) -> None:
    used = set()
    for path in (repository / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Alert":
                used |= {
                    keyword.value.value
                    for keyword in node.keywords
                    if keyword.arg == "kind" and isinstance(keyword.value, ast.Constant)
                }
    assert used == set(KINDS)


def test_rules_come_before_kinds_of_their_own() -> None:
    assert list(rules) == list(KINDS[: len(rules)])
