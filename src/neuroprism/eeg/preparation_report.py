"""What preparing a store came to, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuroprism.core.text_table import text_table
from neuroprism.eeg.recordings import Skipped
from neuroprism.eeg.store_card import CARD_FILE, UNUSED, StoreCard
from neuroprism.eeg.store_index import SPLITS

SHOWN = 20
"""Skipped files that are listed at most; the card names all."""


@dataclass(frozen=True, kw_only=True)
class PrepareReport:
    """Outcome of `prepare` and of `import_legacy`.

    Attributes
    ----------
    card
        Of the store.
    source, store
        Where it came from and where it lies.
    n_found
        Recordings found in the source.
    n_cut, n_unchanged
        Of these, cut now and left as an earlier run had cut them.
    n_bytes
        Size of the windows on disk.
    moved
        Recordings that are in another split than before, since the split is
        decided over more of them.
    """

    card: StoreCard
    source: Path
    store: Path
    n_found: int
    n_cut: int
    n_unchanged: int
    n_bytes: int
    moved: tuple[str, ...] = ()

    def text(self) -> str:
        """Return everything that a person should know, in lines."""
        card = self.card
        kind = "the published split" if card.is_published_split else "not the whole published split"
        lines = [
            f"{card.dataset}: {self.n_found:,} recordings found in {self.source}; {self.n_cut:,} prepared, "
            f"{self.n_unchanged:,} unchanged since an earlier run",
            self._counts(),
            card.verdict[0].upper() + card.verdict[1:],
            f"Split: {card.split_rule} ({kind})",
        ]
        if card.left_out:
            parts = [f"{reason} ({n:,})" for reason, n in card.left_out.items()]
            lines.append("Parts without a window: " + "; ".join(parts))
        lines += _listed("Skipped", card.skipped) + _listed("Bad", card.bad)
        if card.subjects.get(UNUSED):
            lines.append("Subjects in no split: " + ", ".join(card.subjects[UNUSED]))
        if self.moved:
            lines.append("In another split than before: " + ", ".join(self.moved))
        lines += [f"No window belongs to the split '{name}'" for name in SPLITS if not card.counts[name]]
        lines += card.notes
        n = card.n_recordings
        lines.append(f"Store: {self.store} ({n:,} recordings, {self.n_bytes / 1e6:,.1f} MB)")
        return "\n".join(lines)

    def _counts(self) -> str:
        card = self.card
        header = ["", "windows", "subjects", *card.class_names]
        rows = [
            [
                name,
                f"{n:,}",
                f"{len(card.subjects.get(name, ())):,}",
                *(f"{count:,}" for count in card.classes.get(name, {}).values()),
            ]
            for name, n in card.counts.items()
        ]
        return text_table(header, rows, indent="  ")


def _listed(title: str, skipped: Sequence[Skipped]) -> list[str]:
    lines = [f"{title}: {part.what}: {part.reason}" for part in skipped[:SHOWN]]
    if len(skipped) > SHOWN:
        lines.append(f"{title}: {len(skipped) - SHOWN:,} more, see {CARD_FILE}")
    return lines
