"""Every reader gets every hostile file: one line of refusal, nothing executed, nothing written."""

from __future__ import annotations

import ast
import io
import pickle
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from hostile.corpus import HOSTILE
from hostile.pickles import PICKLES, Intruder
from hostile.reader import Reader, files_of
from hostile.table import READERS
from neuroprism.abr.importers import importers
from neuroprism.core.errors import LONGEST, UserError
from neuroprism.eeg.catalog import datasets

SECONDS = 30
"""Time in which any file is read or refused, on a busy machine too."""

SOURCES = Path(__file__).parents[2] / "src" / "neuroprism"

PRIMITIVES = {
    "read_bytes",
    "read_text",
    "load_workbook",
    "loadmat",
    "read_array",
    "read_csv",
    "read_excel",
    "read_raw_brainvision",
    "read_raw_cnt",
    "read_raw_edf",
    "rdrecord",
    "load_file",
    "load_plain",
    "load_restricted",
    "load_restricted_joblib",
    "open_zarr",
    "whole_lines",
    "DictReader",
    "reader",
}
"""Calls that take in what a file holds."""

NO_READERS = {
    "cli.monitoring_checks": "reads what it has just written",
    "core.files": "offers lines to the readers",
    "core.npy_file": "offers arrays to the readers",
    "core.strict_json": "decodes for the readers",
    "figures.progress_sink": "reads what the run that goes on has written",
    "monitor.claim": "looks for the marks of other processes of the same run",
    "monitor.run_card": "reads what the run that goes on has written",
    "monitor.run_identity": "reads what the system says of a process",
    "monitor.sinks.steps_file": "encodes only",
    "monitor.sinks.tracker": "reads what the run that goes on has written; damaged, it counts as absent",
}
"""Modules with such a call that read nothing of a stranger, and why."""


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"a file took more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, give_up)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def refusal(read: Callable[[Path], object], source: Path) -> str | None:
    """Return the line with which a source is refused, None where it is taken."""
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(source)
        return None
    except UserError as error:
        line = str(error)
        assert line.isprintable()
        assert len(line) <= LONGEST
        return line
    finally:
        signal.alarm(0)


def test_every_format_of_recordings_is_in_the_table() -> None:
    assert {f"import {name}" for name in importers} <= set(READERS)


def test_every_module_that_reads_files_is_in_the_table() -> None:
    covered = {module for reader in READERS.values() for module in reader.modules}
    reading = set()
    for path in SOURCES.rglob("*.py"):
        module = ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "attr", getattr(called, "id", ""))
            owner = ast.unparse(called.value) if isinstance(called, ast.Attribute) else ""
            if name in PRIMITIVES or (
                name in ("load", "decode") and owner in ("np", "torch", "msgspec.json")
            ):
                reading.add(module)
    assert reading - covered - set(NO_READERS) == set()
    # Nothing stays in the table that is no longer there.
    modules = {".".join(p.relative_to(SOURCES).with_suffix("").parts) for p in SOURCES.rglob("*.py")}
    assert covered - modules == set()


def test_every_raw_format_of_the_datasets_is_in_the_table() -> None:
    covered = {module for reader in READERS.values() for module in reader.modules}
    formats = {f"eeg.readers.{path.stem}" for path in (SOURCES / "eeg" / "readers").glob("[!_]*.py")}
    assert formats - covered == {"eeg.readers.raw_folder"}
    assert datasets


@pytest.mark.parametrize("name", READERS)
def test_the_valid_source_is_read(name: str, tmp_path: Path) -> None:
    assert refusal(READERS[name].read, READERS[name].source(tmp_path / "source")) is None


@pytest.mark.parametrize("name", READERS)
def test_hostile_files_are_refused_in_one_line(name: str, tmp_path: Path, canary: Path) -> None:
    reader, folder = READERS[name], tmp_path / "source"
    source = reader.source(folder)
    # Of several files of one kind, the first stands for all.
    files = list({path.suffix or path.name: path for path in reversed(files_of(folder))}.values())
    names = set(tmp_path.rglob("*"))
    for file in files:
        whole = file.read_bytes()
        for kind, make in HOSTILE.items():
            file.write_bytes(make(canary))
            line = refusal(reader.read, source)
            assert not canary.exists(), f"{file.name}: {kind} was executed"
            if line is None:
                assert kind in reader.takes or file.name in reader.optional, f"{file.name}: {kind} was taken"
        file.write_bytes(whole)
    assert set(tmp_path.rglob("*")) == names


@pytest.mark.parametrize("name", READERS)
def test_other_things_in_place_of_the_source_are_refused(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    source = reader.source(tmp_path / "source")
    shutil.rmtree(source) if source.is_dir() else source.unlink()
    assert refusal(reader.read, source) is not None
    source.symlink_to(source)
    assert refusal(reader.read, source) is not None
    source.unlink()
    source.mkdir()
    assert refusal(reader.read, source) is not None
    source.rmdir()
    odd = source.with_name("a\x1b[2J\nb" + source.suffix)
    odd.write_bytes(b"\x00")
    assert refusal(reader.read, odd) is not None


@pytest.mark.parametrize("name", READERS)
def test_a_source_that_was_cut_is_read_or_refused(name: str, tmp_path: Path) -> None:
    reader, folder = READERS[name], tmp_path / "source"
    source = reader.source(folder)
    for file in files_of(folder)[:6]:
        whole = file.read_bytes()
        for length in (1, 7, 40, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:length])
            refusal(reader.read, source)
        file.write_bytes(whole)


@pytest.mark.parametrize("kind", [kind for kind in PICKLES if kind.startswith("pickle of protocol")])
def test_the_pickles_would_have_worked(kind: str, canary: Path) -> None:
    pickle.load(io.BytesIO(PICKLES[kind](canary))).close()
    assert canary.exists()


DISGUISED = (
    "pickle in an array",
    "pickle of items",
    "pickle of a reduction",
    "pickle of eval",
    "pickle of eval of Python 2",
    "pickle of a name in pieces",
    "pickle of a dotted name",
    "pickle of an instance",
    "pickle of an object",
)


@pytest.mark.parametrize("kind", DISGUISED)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_disguises_would_have_worked_too(kind: str, canary: Path) -> None:
    pickle.loads(PICKLES[kind](canary))
    assert canary.exists()


def test_the_table_would_notice_a_reader_that_executes(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(Intruder(canary)))
    careless = Reader(name="x", modules=(), write=lambda _: path, read=lambda p: pickle.loads(p.read_bytes()))
    careless.read(path).close()  # type: ignore[attr-defined]
    assert canary.exists()
