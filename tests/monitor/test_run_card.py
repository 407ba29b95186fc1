from __future__ import annotations

from pathlib import Path

import pytest

from neuroprism.core.errors import ConfigError
from neuroprism.core.yaml_text import parse
from neuroprism.monitor.run_card import save_config


def test_a_configuration_is_saved_so_that_it_can_be_loaded(tmp_path: Path) -> None:
    config = {"training": {"learning_rate": 2e-4, "names": ["a", None]}, "path": "x: y"}
    assert save_config(tmp_path, config, attempt=1) == ""
    assert parse((tmp_path / "config.yaml").read_text(), source="config.yaml") == config


def test_no_configuration_leaves_no_file(tmp_path: Path) -> None:
    assert save_config(tmp_path, None, attempt=1) == ""
    assert list(tmp_path.iterdir()) == []


def test_differences_are_put_in_words(tmp_path: Path) -> None:
    save_config(tmp_path, {"a": {"b": 1, "gone": 2}, "same": [1]}, attempt=1)
    changes = save_config(tmp_path, {"a": {"b": 3, "new": 4}, "same": [1]}, attempt=2)
    assert changes == "a.b 1 -> 3, a.gone 2 -> None, a.new None -> 4"
    assert (tmp_path / "config.attempt1.yaml").read_text() == "a: {b: 1, gone: 2}\nsame: [1]\n"


def test_many_differences_are_counted(tmp_path: Path) -> None:
    save_config(tmp_path, {str(k): 0 for k in range(8)}, attempt=1)
    changes = save_config(tmp_path, {str(k): 1 for k in range(8)}, attempt=2)
    assert changes.endswith("4 0 -> 1 and 3 more")


def test_a_damaged_earlier_configuration_does_not_stop_a_resume(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe: [")
    assert save_config(tmp_path, {"a": 1}, attempt=2) == "config.yaml was damaged"
    with pytest.raises(ConfigError):
        parse("a: [", source="x")
