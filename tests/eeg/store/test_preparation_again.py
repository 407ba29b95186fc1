"""A store that is prepared again: reused, extended, replaced, after a fault and after a kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuroprism.core.errors import DataError, NeuroprismError
from neuroprism.eeg.dataset_registry import Dataset
from neuroprism.eeg.preparation import prepare
from neuroprism.eeg.store import EegStore

Declare = Callable[..., Dataset]


def run(dataset: Dataset, raw: Path, out: Path, **options: Any) -> Any:
    return prepare(dataset, raw, out, progress=False, **options)


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(dataset: Dataset, raw: Path, out: Path, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        run(dataset, raw, out, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_changed_source_and_damaged_windows_are_cut_again(
    dataset: Dataset, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    out = tmp_path / "store"
    run(dataset, raw, out)
    before = EegStore.open(out).fingerprint()
    np.save(raw / "s2_1.npy", np.load(raw / "s2_1.npy") * 2)
    (out / "recordings" / "s4_0.npy").write_bytes(b"short")
    damaged = bytearray((out / "recordings" / "s5_0.npy").read_bytes())
    damaged[-1] ^= 1
    (out / "recordings" / "s5_0.npy").write_bytes(damaged)
    small.calls(raw)
    assert run(dataset, raw, out).n_unchanged == 9
    assert small.calls(raw) == ["s2_1", "s4_0", "s5_0"]
    assert EegStore.open(out).fingerprint() != before


def test_other_declaration_cuts_everything_again_and_is_not_mixed(
    declare: Declare, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    out = tmp_path / "store"
    run(declare(), raw, out)
    small.calls(raw)
    changed = declare(class_names=("left", "right"))
    message = refused(changed, raw, out, subjects=["0"])
    assert "10 recordings (e.g. s1_0) were cut under another declaration of Small" in message
    assert small.calls(raw) == []
    assert run(changed, raw, out).n_cut == 12
    assert EegStore.open(out).spec.class_names == ("left", "right")


def test_store_grows_to_what_one_run_gives(
    dataset: Dataset, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    run(dataset, raw, tmp_path / "once")
    small.calls(raw)
    first = run(dataset, raw, tmp_path / "parts", subjects=["3", "0"])
    assert first.card.verdict == "part of the dataset: 2 of 6 subjects"
    assert small.calls(raw) == ["s0_0", "s0_1", "s3_0", "s3_1"]
    # The raw files of what is stored already need not be there any more.
    for session in (0, 1):
        (raw / f"s3_{session}.npy").unlink()
    second = run(dataset, raw, tmp_path / "parts")
    assert (second.n_cut, second.n_unchanged) == (8, 2)
    assert second.card.verdict == "complete: equals the published counts"
    once, parts = content(tmp_path / "once"), content(tmp_path / "parts")
    assert once.keys() == parts.keys()
    assert {name for name in once if once[name] != parts[name]} == set()


def test_several_processes_give_the_same(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    run(dataset, raw, tmp_path / "one")
    report = run(dataset, raw, tmp_path / "two", jobs=2)
    assert report.n_cut == 12
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_several_processes_end_with_the_same_error(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    for name in ("s1_0", "s1_1", "s4_1"):
        (raw / f"{name}.npy").write_bytes(b"bad")
    one, two = (refused(dataset, raw, tmp_path / f"out{jobs}", jobs=jobs) for jobs in (1, 2))
    assert one == two == f"{raw}/s1_0.npy: not a recording"


def test_bad_recording_ends_it_and_what_was_finished_is_reused(
    dataset: Dataset, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    out = tmp_path / "store"
    good = (raw / "s1_1.npy").read_bytes()
    (raw / "s1_1.npy").write_bytes(b"bad")
    assert refused(dataset, raw, out) == f"{raw}/s1_1.npy: not a recording"
    with pytest.raises(DataError, match="did not finish; run it again"):
        EegStore.open(out)
    assert small.calls(raw) == ["s0_0", "s0_1", "s1_0", "s1_1"]
    (raw / "s1_1.npy").write_bytes(good)
    report = run(dataset, raw, out)
    assert (report.n_cut, report.n_unchanged) == (9, 3)
    run(dataset, raw, tmp_path / "once")
    assert content(out) == content(tmp_path / "once")


def test_bad_recording_is_left_out_on_request(
    dataset: Dataset, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    out = tmp_path / "store"
    run(dataset, raw, out)
    (raw / "s5_1.npy").write_bytes(b"bad")
    report = run(dataset, raw, out, skip_bad=True)
    assert [(b.what, b.reason) for b in report.card.bad] == [("s5_1", f"{raw}/s5_1.npy: not a recording")]
    assert "Bad: s5_1: " in report.text()
    assert report.card.verdict == "part of the dataset: 6 of 6 subjects, but not every recording"
    assert not (out / "recordings" / "s5_1.npy").exists()
    # It stays named while other subjects are prepared, and no longer than it is bad.
    assert len(run(dataset, raw, out, subjects=["0"]).card.bad) == 1
    (raw / "s5_1.npy").unlink()
    assert run(dataset, raw, out).card.verdict.endswith("but not every recording")
    small.write_raw(raw)
    assert run(dataset, raw, out).card.bad == ()


def test_nothing_is_left_where_nothing_was_finished(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    for path in raw.iterdir():
        path.write_bytes(b"bad")
    refused(dataset, raw, tmp_path / "new" / "store")
    assert not (tmp_path / "new").exists()
    assert "no window of Small" in refused(dataset, raw, tmp_path / "new" / "store", skip_bad=True)
    assert not (tmp_path / "new").exists()


def test_failing_extension_leaves_the_store_as_it_was(
    dataset: Dataset, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    out = tmp_path / "store"
    run(dataset, raw, out, subjects=["0", "1"])
    before = EegStore.open(out).fingerprint()
    (raw / "s3_0.npy").write_bytes(b"bad")
    refused(dataset, raw, out)
    assert EegStore.open(out).fingerprint() == before
    assert EegStore.open(out).card.n_subjects == 2
    small.write_raw(raw)
    small.calls(raw)
    # Subject 2 was finished before the fault.
    assert run(dataset, raw, out).n_unchanged == 6
    assert EegStore.open(out).card.n_subjects == 6


def test_failing_replacement_leaves_no_store_of_mixed_age(
    dataset: Dataset, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    out = tmp_path / "store"
    run(dataset, raw, out)
    small.write_raw(raw, seed=1)
    (raw / "s3_0.npy").write_bytes(b"bad")
    refused(dataset, raw, out)
    with pytest.raises(DataError, match="did not finish"):
        EegStore.open(out)


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import small_dataset
from pathlib import Path
from neuroprism.eeg.preparation import prepare
if __name__ == "__main__":
    prepare(small_dataset.make_dataset(), Path("raw"), Path("store"))
"""


def test_killed_run_leaves_finished_recordings_and_no_store(
    dataset: Dataset, raw: Path, tmp_path: Path, small: ModuleType
) -> None:
    (tmp_path / "kill_s2_0").touch()
    program = [sys.executable, "-c", PROGRAM, str(Path(small.__file__).parent)]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == -9
    # No bar where there is no terminal.
    assert done.stderr == b""
    out = tmp_path / "store"
    with pytest.raises(DataError, match="did not finish; run it again"):
        EegStore.open(out)
    # What a kill in the middle of a write leaves.
    (out / "recordings" / ".s2_0.npy.1.tmp").write_bytes(b"half")
    with (out / "finished.jsonl").open("ab") as journal:
        journal.write(b'{"key":"s2_0","sub')
    (tmp_path / "kill_s2_0").unlink()
    small.calls(raw)
    assert run(dataset, raw, out).n_unchanged == 4
    assert small.calls(raw)[0] == "s2_0"
    run(dataset, raw, tmp_path / "once")
    assert content(out) == content(tmp_path / "once")


def test_interrupted_run_can_go_on(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    (tmp_path / "interrupt_s2_0").touch()
    with pytest.raises(KeyboardInterrupt):
        run(dataset, raw, tmp_path / "store")
    (tmp_path / "interrupt_s2_0").unlink()
    assert run(dataset, raw, tmp_path / "store").n_unchanged == 4


def test_a_worker_that_dies_is_told(dataset: Dataset, raw: Path, tmp_path: Path) -> None:
    (tmp_path / "kill_s2_0").touch()
    with pytest.raises(NeuroprismError, match="died, perhaps for lack of memory"):
        run(dataset, raw, tmp_path / "store", jobs=2)
    with pytest.raises(DataError, match="did not finish"):
        EegStore.open(tmp_path / "store")
