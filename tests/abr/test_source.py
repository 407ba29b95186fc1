"""Where recordings come from: a file, or a simulation that is kept once the run is possible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroprism.abr import SimulationConfig, save_recordings, simulate
from neuroprism.abr.config import DataConfig
from neuroprism.abr.source import cache_path, describe_masks, obtain, read_file
from neuroprism.abr.store import schema_path
from neuroprism.core.errors import DataError

SMALL = SimulationConfig(n_patients=2, seed=3)


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    return DataConfig(cache_dir=tmp_path / "cache", simulation=SMALL)


def test_nothing_is_written_before_it_is_kept(config: DataConfig) -> None:
    source = obtain(config)
    assert not config.cache_dir.exists()
    assert source.unsaved == cache_path(config.cache_dir, SMALL)
    assert f"were simulated into {source.unsaved}" in source.origin
    source.keep()
    assert source.unsaved.exists()
    assert schema_path(source.unsaved).exists()


def test_kept_set_is_read_the_second_time(config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    first = obtain(config)
    first.keep()
    monkeypatch.setattr("neuroprism.abr.source.simulate", lambda _: pytest.fail("simulated twice"))
    second = obtain(config)
    assert second.unsaved is None
    assert "simulated earlier" in second.origin
    assert np.array_equal(first.recordings.signal_uv, second.recordings.signal_uv)
    second.keep()


@pytest.mark.parametrize(
    "change", [{"n_patients": 3}, {"seed": 4}, {"preset": "clinical"}, {"window_ms": 10.0}]
)
def test_every_setting_has_its_own_file(change: dict[str, object], tmp_path: Path) -> None:
    other = SimulationConfig.model_validate(SMALL.model_dump() | change)
    assert cache_path(tmp_path, other) != cache_path(tmp_path, SMALL)
    assert cache_path(tmp_path, SMALL.model_copy()) == cache_path(tmp_path, SMALL)


def test_another_version_of_the_simulator_has_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cache_path(tmp_path, SMALL)
    monkeypatch.setattr("neuroprism.abr.source.SIMULATOR_VERSION", 10_000)
    assert cache_path(tmp_path, SMALL) != before


def test_set_that_was_broken_off_is_made_again(config: DataConfig) -> None:
    source = obtain(config)
    source.keep()
    assert source.unsaved is not None
    schema_path(source.unsaved).unlink()
    again = obtain(config)
    assert again.unsaved == source.unsaved
    again.keep()
    assert obtain(config).unsaved is None


def test_damaged_cache_says_what_to_do(config: DataConfig) -> None:
    source = obtain(config)
    source.keep()
    assert source.unsaved is not None
    source.unsaved.write_bytes(source.unsaved.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"damaged.*; delete it to have it simulated again"):
        obtain(config)


def test_cache_that_cannot_be_written(config: DataConfig) -> None:
    config.cache_dir.write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        obtain(config).keep()


def test_named_file_is_read_and_never_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    save_recordings(path, simulate(SMALL))
    before = path.stat().st_mtime_ns
    source = obtain(DataConfig(dataset_path=path, cache_dir=tmp_path / "cache"))
    source.keep()
    assert source.unsaved is None
    assert source.origin.endswith(f"from {path}")
    assert path.stat().st_mtime_ns == before
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "folder"])
def test_folder_is_no_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="it is a folder"):
        read_file(Path(name))


def test_long_name_is_no_file() -> None:
    with pytest.raises(DataError, match="recordings"):
        read_file(Path("a" * 5000))


def test_masks_are_counted() -> None:
    recordings = simulate(SimulationConfig(n_patients=60, window_ms=10.0))
    counts = recordings.counts()
    text = describe_masks(recordings)
    assert text.startswith("Masked or censored: ")
    assert f"{counts['missing_age']:,} ages not known" in text
    assert f"{counts['censored_threshold']:,} thresholds beyond the highest level" in text
    nothing = recordings.select(
        np.flatnonzero(~recordings.threshold_censored & np.isfinite(recordings.age_years))
    )
    kept = nothing.select(np.flatnonzero(~nothing.v_outside_window & nothing.v_present))
    assert describe_masks(kept) == "Masked or censored: nothing"
