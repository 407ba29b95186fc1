"""Runs that are killed, resumed, killed again, and brought to their end."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from killing.faults import REWIND, Fault
from killing.ledger import Ledger
from killing.life import Blow, Life, live, warm_up
from killing.programs import Program
from killing.verdicts import BrokenError, check_after_death, check_equal, check_readable, check_saved, expect

End = Fault | Blow
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}


@dataclass
class Tally:
    """What the deaths of one program added up to.

    Attributes
    ----------
    deaths
        Processes that died, by cause.
    missed
        Moments that did not come before the end of their process.
    steps_lost
        Steps that were taken and are in no file.
    steps_taken
        Steps taken by processes that were killed.
    superseded
        Rows kept aside.
    runs
        Runs brought to their end and found equal to the uninterrupted one.
    broken
        Guarantees that did not hold.
    """

    deaths: dict[str, int] = field(default_factory=dict)
    steps_lost: int = 0
    steps_taken: int = 0
    superseded: int = 0
    runs: int = 0
    missed: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def n_deaths(self) -> int:
        """All of them."""
        return sum(self.deaths.values())


LONGEST_CHAIN = 5
"""Deaths of one run before it is brought to its end."""


def divided(ends: list[End], longest: int = LONGEST_CHAIN) -> list[list[End]]:
    """Divide deaths over runs."""
    return [ends[k : k + longest] for k in range(0, len(ends), longest)]


class Killing:
    """Kills one program again and again.

    Parameters
    ----------
    program
        What trains.
    scratch
        Folder for runs and what they say; made anew.
    report
        Gets the name of the program and its tally after every run, also one that is interrupted.
    """

    def __init__(self, program: Program, scratch: Path, report: Callable[[str, Tally], None]) -> None:
        self.program, self.scratch, self._report = program, scratch, report
        scratch.mkdir(parents=True)
        self.reference = scratch / "whole"
        self.tally = Tally()
        first = live(program.words(self.reference), scratch, census=True)
        expect(first.code == 0, f"the uninterrupted run ends well: {first.errors}")
        self.points = warm_up(scratch)
        shutil.rmtree(self.reference)
        second = live(program.words(self.reference), scratch)
        expect(second.code == 0, f"the uninterrupted run ends well: {second.errors}")
        self.seconds = second.seconds

    def random_end(self, generator: random.Random) -> End:
        """Return a moment: in half of the cases any, otherwise in the writing of a file."""
        kind = generator.random()
        if kind < 0.5:
            return Blow(signal.SIGKILL, generator.uniform(0, self.seconds))
        if kind < 0.6:
            return generator.choice(REWIND)
        point = generator.choice(self.points)
        # A resumed run comes by less often.
        return Fault(point.point, point.file, generator.randint(1, max(1, point.call // 2)))

    def every_fault(self, generator: random.Random) -> list[list[End]]:
        """Return runs that die once at every point of writing, and in every moment of moving rows aside."""
        # Until the first checkpoint is there every attempt begins anew and comes by every point.
        late = {"last.pt": 1, "predictions.jsonl": 2, "claim": 3}
        points = sorted(self.points, key=lambda fault: (late.get(fault.file, 0), generator.random()))
        first: list[End] = [Fault(fault.point, fault.file, 1) for fault in points]
        # A run that dies in its second checkpoint has an epoch behind the first one: rows have to go aside.
        return [*divided(first, 2 * LONGEST_CHAIN), [Fault("half of a replacement", "last.pt", 2), *REWIND]]

    def chain(self, ends: list[End]) -> None:
        """Start a run, end it in all these ways while it lasts, and bring it to its end."""
        folder = self.scratch / "run"
        shutil.rmtree(folder, ignore_errors=True)
        ledger = Ledger()
        try:
            for end in ends:
                life = self._attempt(folder, ledger, end)
                if isinstance(end, Blow) and life.code == 0:
                    # The run has come to its end: further blows would find next to nothing to hit.
                    break
            self._attempt(folder, ledger, None)
            check_equal(folder, self.reference)
            self.tally.superseded += len(ledger.side)
            self.tally.runs += 1
        except BrokenError as error:
            self.tally.broken.append(f"{self.program.name}: {error} ({ends})")
        except Exception as error:  # noqa: BLE001 - a reader that raises is a broken guarantee
            self.tally.broken.append(f"{self.program.name}: {type(error).__name__}: {error} ({ends})")
        finally:
            self._report(self.program.name, self.tally)

    def _attempt(self, folder: Path, ledger: Ledger, end: End | None) -> Life:
        mode = self._mode(folder)
        if mode == "--resume":
            ledger.before_resume(folder)
        else:
            ledger.forget()
        life = live(self.program.words(folder, mode), self.scratch, end=end)
        if end is not None and life.code != 0:
            self._check_death(folder, end, life)
        elif end is not None:
            self.tally.missed.append(str(end))
        else:
            expect(life.code == 0, f"the resumed run ends well, not with {life.code}: {life.errors[-300:]}")
        check_readable(folder)
        if mode == "--resume":
            ledger.after_resume(folder, n_taken=life.steps)
        return life

    def _mode(self, folder: Path) -> str:
        """Return how to start: as a batch script does."""
        if (folder / "checkpoints" / "last.pt").exists():
            return "--resume"
        return "--overwrite" if folder.exists() else ""

    def _check_death(self, folder: Path, end: End, life: Life) -> None:
        number = end.number if isinstance(end, Blow) else signal.SIGKILL
        cause = end.point if isinstance(end, Fault) else number.name
        self.tally.deaths[cause] = self.tally.deaths.get(cause, 0) + 1
        said = life.errors.strip().rpartition("\n")[2]
        if life.code == CODES.get(number):
            if " after step " in said:
                check_saved(folder, n_taken=life.steps, said=said)
            return
        # SIGTERM outside of training finds nothing to save: it ends the process as SIGKILL does.
        expect(life.code == -number, f"exit code {life.code}: {said}")
        self.tally.steps_taken += life.steps
        self.tally.steps_lost += check_after_death(folder, n_taken=life.steps)
