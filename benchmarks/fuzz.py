"""Hands damaged files to every reader of the project and says what came of them.

A reader takes a damaged file or refuses it in one line. Anything else - another error, a warning, more than
`SECONDS` or `BYTES` - is printed with the seed that makes the file again, and the exit code is 1. Each reader
works in a process of its own, whose memory is limited, so that a header that lies about its size shows.

    python benchmarks/fuzz.py [--minutes 10] [--seed 0] [READER ...]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from hostile.mutation import mutated  # noqa: E402
from hostile.reader import Reader, files_of  # noqa: E402
from hostile.table import READERS  # noqa: E402

SECONDS = 20
"""Time in which a damaged file of some kilobytes must be read or refused."""

BYTES = 3 << 30
"""Memory that a reader may ask for beyond what it had after the valid file."""

MINUTES = 0.5
"""Of all readers together, unless it is said otherwise."""


class TookTooLong(BaseException):
    """The reader did not come to an end."""


def _give_up(_signal: int, _frame: FrameType | None) -> None:
    raise TookTooLong


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def outcome(reader: Reader, source: Path) -> str:
    """Return `taken` or `refused`; what else happened in other words."""
    from neuroprism.core.errors import LONGEST, UserError

    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            reader.read(source)
        return "taken"
    except UserError as error:
        return "refused" if "\n" not in str(error) and len(str(error)) <= LONGEST else "a long refusal"
    except TookTooLong:
        return "too long"
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        ours = [
            frame for frame in traceback.extract_tb(error.__traceback__) if "neuroprism" in frame.filename
        ]
        place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
        return f"{type(error).__name__} at {place}: {' '.join(str(error).split())[:100]}"
    finally:
        signal.alarm(0)


def fuzz(name: str, seconds: float, seed: int) -> Counter[str]:
    """Read damaged files for some time; return how often what came of them."""
    signal.signal(signal.SIGALRM, _give_up)
    reader, found = READERS[name], Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        source = reader.source(Path(place) / "source")
        reader.read(source)
        _limit_memory()
        files = files_of(Path(place) / "source")
        whole = {file: file.read_bytes() for file in files}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            file = files[seed % len(files)]
            file.write_bytes(mutated(whole[file], seed))
            result = outcome(reader, source)
            if result not in found and result not in ("taken", "refused"):
                print(f"{name}: {file.name}, seed {seed}: {result}", flush=True)
            found[result] += 1
            file.write_bytes(whole[file])
            seed += 1
    return found


def _in_child(name: str, seconds: float, seed: int, out: Path) -> None:
    out.write_text(json.dumps(fuzz(name, seconds, seed)))


def run(name: str, seconds: float, seed: int) -> Counter[str]:
    """Fuzz a reader in a process of its own."""
    with tempfile.NamedTemporaryFile() as out:
        child = multiprocessing.get_context("spawn").Process(
            target=_in_child, args=(name, seconds, seed, Path(out.name))
        )
        child.start()
        child.join()
        text = Path(out.name).read_text()
    return Counter(json.loads(text)) if text else Counter({f"the process ended with {child.exitcode}": 1})


def main() -> int:
    """Fuzz all readers, or those that are named, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of all readers together")
    parser.add_argument("--seed", type=int, default=0, help="of the first damaged file of each reader")
    given = parser.parse_args()
    names = given.readers or list(READERS)
    if unknown := [name for name in names if name not in READERS]:
        parser.error(f"no reader {', '.join(unknown)}")
    rows, faults = [], 0
    for name in names:
        found = run(name, given.minutes * 60 / len(names), given.seed)
        wrong = sum(found.values()) - found["taken"] - found["refused"]
        rows.append(f"| {name} | {found['taken']:,} | {found['refused']:,} | {wrong:,} |")
        faults += wrong
    print("## Damaged files\n")
    print(f"Every reader was handed damaged files for {given.minutes * 60 / len(names):.1f} s.\n")
    print("| reader | taken | refused in one line | neither |\n|---|---:|---:|---:|")
    print("\n".join(rows))
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
