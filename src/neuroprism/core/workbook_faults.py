"""What reading a damaged or hostile spreadsheet raises."""

from __future__ import annotations

import zipfile
import zlib

WORKBOOK_FAULTS = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    MemoryError,
    # The parser of XML calls what is no XML a fault of syntax.
    SyntaxError,
    AssertionError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
)
"""openpyxl lets through what the parts below it raise."""
