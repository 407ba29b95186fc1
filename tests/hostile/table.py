"""Every reader of the project; whoever adds one adds a line to one of these."""

from __future__ import annotations

from hostile import abr_readers, eeg_readers, run_readers
from hostile.reader import Reader

READERS: dict[str, Reader] = {
    reader.name: reader for reader in (*abr_readers.READERS, *eeg_readers.READERS, *run_readers.READERS)
}
