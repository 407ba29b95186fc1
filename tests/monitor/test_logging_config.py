from __future__ import annotations

import pytest
from pydantic import ValidationError

from neuroprism.monitor.logging_config import LoggingConfig, TrackerConfig


def test_defaults_need_no_account_and_no_network() -> None:
    config = LoggingConfig()
    assert (config.log_dir, config.use_tensorboard, config.use_wandb) == ("logs", True, False)
    assert (config.tracker, config.wandb.mode) == ("wandb", "offline")


def test_every_key_is_documented() -> None:
    for section in (LoggingConfig, TrackerConfig):
        assert all(field.description for field in section.model_fields.values())


@pytest.mark.parametrize(
    "values",
    [
        {"histogram_every_n_epochs": -1},
        {"level": "LOUD"},
        {"log_dir": ""},
        {"tracker": "aim"},
        {"wandb": {"mode": "on"}},
        {"wandb": {"project": ""}},
    ],
)
def test_impossible_values_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LoggingConfig.model_validate(values)


@pytest.mark.parametrize(
    ("tracker", "named"), [({"mode": "online"}, "wandb.mode"), ({"entity": "lab"}, "wandb.entity")]
)
def test_trackio_refuses_what_it_cannot_do(tracker: dict[str, str], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        LoggingConfig.model_validate({"use_wandb": True, "tracker": "trackio", "wandb": tracker})
    assert LoggingConfig.model_validate({"use_wandb": True, "wandb": tracker})
