from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from neuroprism.core.errors import NeuroprismError
from neuroprism.runs.traces import read_trace
from neuroprism.runs.traces.open_trace import kind_of

ROW = b'{"step": 1, "loss": 1.0}\n'


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (ROW, "lines"),
        (ROW * 3, "lines"),
        (b"\xef\xbb\xbf" + ROW, "lines"),
        (b'{"loss": [1, 2]}\n' + ROW, "lines"),
        (b'{"train_loss": [1, 2]}', "document"),
        (b'{\n  "log_history": []\n}', "document"),
        (b"[]", "document"),
        (b"step,loss\n1,2\n", "csv"),
    ],
)
def test_the_content_tells_the_kind(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "log.dat"
    path.write_bytes(content)
    assert kind_of(path) == kind


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n\n",
        bytes(range(256)) * 100,
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 1000,
        b"\xff\xfe" * 500,
        b"hello world\nthis is text\n",
        b'{"loss": ' + b"1" * (10 << 20) + b"}",
        b'{"loss": "' + b"x" * (10 << 20),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n") * 2,
        b'{"loss": ' + b"[" * 100_000,
        b"[" * 200_000,
        b'{"loss": 1}\n' + b'{"loss": ' + b"9" * 5000 + b"}\n",
        b'{"loss": 1}\n{"loss" 2}\n{"loss": 3}\n',
        b'{"loss": "abc"}\n',
        b'{"step": 1}\n',
        b"[1, 2]\n[3, 4]\n",
        b'{"loss": 1}\n\0\0\0\n',
        b"step,loss\n" + b"1," * 100_000,
        b"{" + b",".join(b'"loss/%d": 1' % k for k in range(5000)) + b"}\n",
    ],
    ids=range(19),
)
@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.json", "events.out.tfevents.1"])
def test_hostile_files_are_one_clear_line(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(NeuroprismError) as caught:
        read_trace(path)
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "rows",
    [
        [{"step": 1e300, "loss": 1e300}, {"step": -5, "loss": -1e308}],
        [{"step": 1.5, "loss": 1e-320}, {"step": "x", "loss": 1.0}],
        [{"epoch": 1e18, "loss": 1.0}, {"epoch": -3.5, "loss": 1.0}, {"epoch": None, "loss": 2.0}],
        [{"loss": 1.0, "val_loss": None}, {"loss": None, "val_loss": "NaN"}],
        [{"loss": 1.0, "lr": "fast", "grad_norm": True}],
    ],
)
def test_odd_numbers_are_no_trouble(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    import json

    from neuroprism import diagnose

    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows * 40))
    assert diagnose(path).n_steps > 0


def test_a_line_cut_at_any_byte_still_yields_the_rows_before(tmp_path: Path) -> None:
    whole = ROW + b'{"step": 2, "loss": 0.5}\n'
    for length in range(len(ROW) + 2, len(whole)):
        (tmp_path / "log.jsonl").write_bytes(whole[:length])
        assert len(read_trace(tmp_path / "log.jsonl").steps) in (1, 2)


def test_a_folder_with_one_log(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.csv").write_text("step,loss\n1,2\n")
    (tmp_path / "run" / "notes.txt").write_text("nothing")
    assert len(read_trace(tmp_path / "run").steps) == 1


def test_a_folder_with_several_logs_is_not_guessed(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("step,loss\n1,2\n")
    with pytest.raises(NeuroprismError, match=r"several logs: a\.csv, b\.csv; give the path of one"):
        read_trace(tmp_path)


def test_a_folder_of_runs_names_them(tmp_path: Path, record_run: Callable[..., Path]) -> None:
    record_run("seed_0", 0.7)
    with pytest.raises(NeuroprismError, match=r"holds no log that is known.*inside: seed_0"):
        read_trace(tmp_path)


def test_a_file_of_a_run_means_the_run(record_run: Callable[..., Path]) -> None:
    folder = record_run("run", 0.7, parts=("signal", "peak"))
    for name in ("steps.jsonl", "training_log.json", "run.json"):
        trace = read_trace(folder / name)
        assert (trace.name, len(trace.steps), len(trace.epochs)) == ("run", 3, 3)


def test_a_training_log_alone(record_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = record_run("run", 0.7, parts=("signal", "peak"))
    (tmp_path / "alone").mkdir()
    shutil.copy(folder / "training_log.json", tmp_path / "alone")
    trace = read_trace(tmp_path / "alone")
    assert [c.name for c in trace.facts.components] == ["signal", "peak"]
    assert len(trace.steps) == len(trace.epochs) == 3


def test_damaged_run_folders(record_run: Callable[..., Path]) -> None:
    folder = record_run("run", 0.7)
    (folder / "steps.jsonl").write_text("nonsense\n")
    with pytest.raises(NeuroprismError, match="line 1"):
        read_trace(folder)
    (folder / "run.json").write_text("{")
    with pytest.raises(NeuroprismError, match="damaged"):
        read_trace(folder)


@pytest.mark.parametrize("name", ["run.json", "events.jsonl", "steps.jsonl"])
def test_bytes_that_are_no_text_in_a_run_folder(record_run: Callable[..., Path], name: str) -> None:
    folder = record_run("run", 0.7)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:3] + b"\xff\xfe" + content[3:])
    with pytest.raises(NeuroprismError) as caught:
        read_trace(folder)
    assert caught.value.exit_code == 2
