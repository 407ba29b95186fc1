"""Walking through an LMDB in a process of its own, before it is trusted.

The library maps the file and follows the places that it finds there; a damaged
one leads it out of the file, and ends the process. So another process goes
first, and looks at the beginning and the end of every value.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from neuroprism.core.errors import DataError

_WALK = """
import os, sys, lmdb
path = sys.argv[1]
environment = lmdb.open(
    path, subdir=os.path.isdir(path), readonly=True, lock=False, readahead=False, max_readers=1
)
try:
    with environment.begin(buffers=True) as transaction:
        for key, value in transaction.cursor():
            value[:1], value[-1:].tobytes(), transaction.get(bytes(key))[:1].tobytes()
except (lmdb.Error, ValueError, TypeError, MemoryError) as error:
    sys.exit(" ".join(str(error).split()))
"""


def refuse_damaged_lmdb(path: Path) -> None:
    """Refuse an LMDB through which one cannot walk.

    Raises
    ------
    DataError
        If it is damaged or truncated.
    """
    walk = subprocess.run(
        [sys.executable, "-I", "-c", _WALK, str(path)], capture_output=True, text=True, check=False
    )
    if walk.returncode:
        lines = walk.stderr.strip().splitlines()
        why = lines[-1] if lines and walk.returncode > 0 else "damaged or truncated"
        raise DataError(f"{path}: not a readable LMDB: {why}")
