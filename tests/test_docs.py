"""What the documentation says is true: code runs, commands are accepted, links lead somewhere.

Each page of `docs/` and the README is followed from top to bottom in an empty folder that holds the shipped
configurations:

- ```` ```python ```` blocks run in one namespace for the page;
- ```` ```text output ```` is what the block before it prints, with ``...`` for what varies;
- ```` ```yaml NAME ```` is the file NAME;
- every line of ```` ```bash ```` is a command that ends with 0, with settings that make it quick;
- ``$ `` begins a command in ```` ```console ```` and ```` ```text ````; where the shown output begins with
  ``neuroprism:`` it ends with 2 and prints just that line.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from neuroprism.cli.app import app, run

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKDOWN = [*PAGES, *sorted(ROOT.glob("C*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]
LARGEST_PICTURE = 300 * 1024
MOST_PATIENTS = 200

QUICK = {
    "DATA__SIMULATION__N_PATIENTS": "30",
    "DATA__DATALOADER__BATCH_SIZE": "16",
    "DATA__DATALOADER__NUM_WORKERS": "0",
    "MODEL__ARCHITECTURE__BASE_CHANNELS": "8",
    "MODEL__ARCHITECTURE__N_LEVELS": "2",
    "MODEL__ARCHITECTURE__CHANNEL_MULTIPLIERS": "[1, 2]",
    "MODEL__ARCHITECTURE__ENCODER__N_S4_LAYERS": "1",
    "MODEL__ARCHITECTURE__ENCODER__D_STATE": "8",
    "MODEL__ARCHITECTURE__DECODER__N_TRANSFORMER_LAYERS": "1",
    "MODEL__ARCHITECTURE__DECODER__N_HEADS": "2",
    "MODEL__ARCHITECTURE__FILM__HIDDEN_DIM": "16",
    "MODEL__ARCHITECTURE__HEADS__HIDDEN_DIM": "16",
    "TRAINING__EPOCHS": "1",
    "TRAINING__MAX_STEPS_PER_EPOCH": "2",
    "TRAINING__SCHEDULER__WARMUP_EPOCHS": "0",
    "LOGGING__WANDB__MODE": "disabled",
    "LOGGING__FIGURE": "false",
    "HARDWARE__N_THREADS": "1",
}
QUICK_EEG = {"TRAINING__MAX_STEPS_PER_EPOCH": "2", "LOGGING__FIGURE": "false", "HARDWARE__N_THREADS": "1"}
MOST_SUBJECTS = 8
EEG_COMMANDS = ("finetune", "baseline")
QUICK_EVALUATION = ["--ceiling", "2", "--denoise", "4", "--generate", "8", "--steps", "2"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- following a page -------------------------------------------------------------------------------------


@dataclass
class Reader:
    """Does what a page says, in the current folder."""

    page: Path
    names: dict[str, Any] = field(default_factory=dict)
    printed: str = ""

    def follow(self) -> None:
        for info, body in FENCE.findall(self.page.read_text(encoding="utf-8")):
            if info == "python":
                self.execute(body)
            elif info == "text output":
                assert_printed(body, self.printed)
            elif info.startswith("yaml "):
                quick = re.sub(r"training\.epochs: \d+", "training.epochs: 1", body)
                Path(info.removeprefix("yaml ")).write_text(quick, encoding="utf-8")
            elif info in ("bash", "sh"):
                for line in logical_lines(body):
                    self.command(line, shown="")
            elif info in ("console", "text"):
                for line, shown in sessions(body):
                    self.command(line, shown=shown)

    def execute(self, code: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, named(self.page), "exec"), self.names)
        self.printed = printed.getvalue()

    def command(self, line: str, *, shown: str) -> None:
        words = shlex.split(line, comments=True)
        with pytest.MonkeyPatch.context() as patch:
            while re.match(r"NEUROPRISM__\w+=", words[0]):
                name, _, value = words.pop(0).partition("=")
                patch.setenv(name, value)
            program = PROGRAMS.get(Path(words[0]).name)
            assert program is not None, f"the test does not know how to check: {line}"
            said = io.StringIO()
            out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
                code = program(words[1:])
        if shown.startswith("neuroprism:"):
            assert (code, said.getvalue()) == (2, shown), line
        else:
            assert code == 0, f"{line}: {said.getvalue()}"


def logical_lines(body: str) -> Iterator[str]:
    for line in body.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def sessions(body: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        yield line, shown


def assert_printed(shown: str, printed: str) -> None:
    pattern = re.escape(shown.strip()).replace(re.escape("..."), ".*?")
    assert re.fullmatch(pattern, printed.strip(), re.DOTALL), f"shown:\n{shown}\nprinted:\n{printed}"


# --- programs that pages call -----------------------------------------------------------------------------


def neuroprism(words: list[str]) -> int:
    if words[0] == "check-monitoring":
        # Its own tests run it; here it matters that it takes the arguments.
        commands: Any = typer.main.get_command(app)
        commands.commands[words[0]].make_context(words[0], words[1:])
        return 0
    if "--patients" in words:
        place = words.index("--patients") + 1
        words[place] = str(min(int(words[place]), MOST_PATIENTS))
    if words[:2] == ["simulate", "eeg"]:
        place = words.index("--subjects") + 1
        words[place] = str(min(int(words[place]), MOST_SUBJECTS))
    if words[0] == "evaluate":
        # Of an option that is given twice the last counts.
        words = [*words, *QUICK_EVALUATION]
    if words[0] in EEG_COMMANDS or "--eeg" in words or is_eeg_sweep(words):
        return eeg(words)
    return run(words)


def is_eeg_sweep(words: list[str]) -> bool:
    if words[0] != "sweep" or not Path(words[1]).exists():
        return False
    return "command: finetune" in Path(words[1]).read_text(encoding="utf-8")


def eeg(words: list[str]) -> int:
    """Run a command that reads the other configuration, with settings that make it quick."""
    if "--epochs" in words:
        words[words.index("--epochs") + 1] = "1"
    with pytest.MonkeyPatch.context() as patch:
        for name in QUICK:
            patch.delenv(f"NEUROPRISM__{name}", raising=False)
        for name, value in QUICK_EEG.items():
            patch.setenv(f"NEUROPRISM__{name}", value)
        return run(words)


def python(words: list[str]) -> int:
    script, *arguments = words
    assert (ROOT / script).is_file(), f"{script} does not exist"
    if script.startswith("benchmarks/"):
        return 0
    command = re.search(r'main\("([\w-]+)"\)', (ROOT / script).read_text(encoding="utf-8"))
    assert command is not None, f"{script} is no door to a command"
    return neuroprism([command[1], *arguments])


def make(words: list[str]) -> int:
    """Check that the targets exist, and do what they train."""
    rules = dict(
        re.findall(r"^([a-z-]+):[^=\n]*\n((?:\t.*\n)*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    for target in words:
        assert target in rules, f"the Makefile has no target {target}"
        for recipe in re.findall(r"train\.py .*", rules[target]):
            assert python(shlex.split(recipe)) == 0
    return 0


def tensorboard(words: list[str]) -> int:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folders = {
        path.parent for path in Path(words[words.index("--logdir") + 1]).rglob("events.out.tfevents.*")
    }
    assert folders, f"no event files for: tensorboard {shlex.join(words)}"
    for folder in folders:
        events = EventAccumulator(str(folder))
        events.Reload()
        assert "train/total" in events.Tags()["scalars"]
    return 0


PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "neuroprism": neuroprism,
    "python": python,
    "python3": python,
    "make": make,
    "tensorboard": tensorboard,
}


@pytest.fixture
def reading_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the shipped configurations, and settings that make every training short."""
    from neuroprism.monitor import rules

    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    for name, value in QUICK.items():
        monkeypatch.setenv(f"NEUROPRISM__{name}", value)
    # What a page registers must not be asked by the monitors of other tests.
    monkeypatch.setattr(rules, "_entries", dict(rules))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_page_can_be_followed(page: Path, reading_room: Path) -> None:
    Reader(page).follow()
    if page.name == "training.md":
        assert_training_page_is_true(reading_room / "logs", page.read_text(encoding="utf-8"))


def assert_training_page_is_true(logs: Path, text: str) -> None:
    epochs = {
        name: msgspec.json.decode((logs / name / "run.json").read_bytes())["n_epochs"]
        for name in ("by_file", "by_environment", "by_flag")
    }
    # The environment of this test asks for 1 epoch where the page leaves it alone.
    assert epochs == {"by_file": 1, "by_environment": 3, "by_flag": 2}
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    patterns = [pattern for cell in cells for pattern in re.findall(r"`([^`]+)`", cell)]
    for path in filter(Path.is_file, (logs / "first").rglob("*")):
        name = path.relative_to(logs / "first").as_posix()
        assert any(fnmatch(name, pattern) for pattern in patterns), f"{name} is not described"


# --- statements that need no run --------------------------------------------------------------------------


def test_comparison_of_outputs_can_fail() -> None:
    assert_printed("a (id ...)\nb 1.0\n", "a (id 7f)\nb 1.0\n")
    with pytest.raises(AssertionError):
        assert_printed("a (id ...)\nb 1.0\n", "a (id 7f)\nb 1.5\n")
    with pytest.raises(AssertionError):
        assert_printed("a\n", "a\nb\n")


@pytest.mark.parametrize(
    "line",
    [
        "make fantasy",
        "python fantasy.py",
        "neuroprism train --epohcs 3",
        "neuroprism check-monitoring --keeep x",
        "tensorboard --logdir logs/fantasy",
        "fantasy --now",
    ],
)
def test_wrong_commands_are_noticed(line: str, reading_room: Path) -> None:
    with pytest.raises((AssertionError, typer.exceptions.TyperException)):
        Reader(ROOT / "README.md").command(line, shown="")


def test_flags_of_training_are_all_described() -> None:
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `(--\w+)", text, re.MULTILINE))
    commands: Any = typer.main.get_command(app)
    offered = {name for option in commands.commands["train"].params for name in option.opts}
    assert described == offered


def test_flags_of_finetuning_are_all_described() -> None:
    text = (ROOT / "docs" / "eeg.md").read_text(encoding="utf-8")
    cells = "".join(re.findall(r"^\| (`--.*?) \|", text, re.MULTILINE))
    commands: Any = typer.main.get_command(app)
    offered = {name for option in commands.commands["finetune"].params for name in option.opts}
    assert set(re.findall(r"--\w+", cells)) == offered


def test_every_page_is_in_the_index() -> None:
    linked = {target for _, target in LINK.findall((ROOT / "docs" / "README.md").read_text(encoding="utf-8"))}
    pages = {path.name for path in PAGES if path.parent.name == "docs" and path.name != "README.md"}
    assert pages <= linked


@pytest.mark.parametrize("page", MARKDOWN, ids=named)
def test_links_and_pictures_exist(page: Path) -> None:
    text = re.sub(FENCE, "", page.read_text(encoding="utf-8"))
    for mark, target in LINK.findall(text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in anchors(path), f"{target}: no such heading"
        if mark:
            assert path.stat().st_size < LARGEST_PICTURE, f"{target} is too large"


@pytest.mark.parametrize("page", MARKDOWN, ids=named)
def test_files_of_the_project_in_running_text_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:benchmarks|configs|docs|src|tests)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), f"{name} does not exist"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", MARKDOWN, ids=named)
def test_make_targets_in_running_text_exist(page: Path) -> None:
    for target in re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8")):
        make([target] if target not in ("demo",) else [])
