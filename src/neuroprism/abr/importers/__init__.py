"""Recordings of clinics and laboratories: one module for each format, one contract."""

from __future__ import annotations

# Each of these registers its format.
from neuroprism.abr.importers import brainvision, earlier_pickle, epl, psi_zarr, table, wfdb_records  # noqa: F401
from neuroprism.abr.importers.declared import Declared
from neuroprism.abr.importers.importing import Imported, read_recordings, report_path, store
from neuroprism.abr.importers.quality import QualityReport
from neuroprism.abr.importers.readings import Importer, Readings, importers

__all__ = [
    "Declared",
    "Imported",
    "Importer",
    "QualityReport",
    "Readings",
    "importers",
    "read_recordings",
    "report_path",
    "store",
]
