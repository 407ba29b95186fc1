"""Hostile files: what a stranger may hand over in place of the file that is expected."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hostile.pickles import PICKLES, joblib_file, object_array, torch_file

LINE = 10 << 20
"""Bytes of a long line."""


def zip_of(*members: tuple[str, bytes], compressed: bool = False) -> bytes:
    """Return an archive with members of these names."""
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def npy_head(shape: str, dtype: str = "<f8") -> bytes:
    """Return a `.npy` file that announces a shape and holds nothing."""
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + (len(head) + 1).to_bytes(2, "little") + head + b"\n"


def workbook(sheet: bytes) -> bytes:
    """Return a spreadsheet whose only sheet is this XML."""
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml"
    types = (
        b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        b'<Override PartName="/xl/workbook.xml" ContentType="' + kind + b'.sheet.main+xml"/>'
        b'<Override PartName="/xl/s.xml" ContentType="' + kind + b'.worksheet+xml"/></Types>'
    )
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = b"http://schemas.openxmlformats.org/package/2006/relationships"
    book = (
        b'<workbook xmlns="' + main + b'" xmlns:r="' + office + b'"><sheets>'
        b'<sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )

    def relation(kind: bytes, target: bytes) -> bytes:
        return (
            b'<Relationships xmlns="' + package + b'"><Relationship Id="rId1" Type="'
            + office + b"/" + kind + b'" Target="' + target + b'"/></Relationships>'
        )  # fmt: skip

    return zip_of(
        ("[Content_Types].xml", types),
        ("_rels/.rels", relation(b"officeDocument", b"xl/workbook.xml")),
        ("xl/workbook.xml", book),
        ("xl/_rels/workbook.xml.rels", relation(b"worksheet", b"s.xml")),
        ("xl/s.xml", sheet),
    )


def _laughing_xml() -> bytes:
    entities = b'<!ENTITY a0 "ha">' + b"".join(
        b'<!ENTITY a%d "%s">' % (k, b"&a%d;" % (k - 1) * 10) for k in range(1, 12)
    )
    return (
        b"<!DOCTYPE w ["
        + entities
        + b"]><worksheet><sheetData><row><c>&a11;</c></row></sheetData></worksheet>"
    )


def _laughing_yaml() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 12)]
    lines += ["monitoring: {on_alert: {command: *a11}}"]
    return "\n".join(lines).encode()


def _plain(content: bytes) -> Callable[[Path], bytes]:
    return lambda _canary: content


TEXTS: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\n",
    "a byte": b"\x00",
    "zeros": bytes(5000),
    "every byte": bytes(range(256)) * 100,
    "text": b"hello world\nthis is text\n",
    "broken UTF-8": b"\xff\xfe" * 500,
    "a picture": b"\x89PNG\r\n\x1a\n" + b"\xff" * 1000,
    "a long line": b"x" * LINE,
    "a long number": b"1" * (LINE // 8),
    "a long row": b"step,loss\n" + b"1," * (LINE // 16),
    "many rows": b"1\n" * 20_000,
    "JSON too deep": b"[" * 50_000 + b"\n",
    "JSON of deep objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"\n",
    "JSON of a huge number": b'{"loss": ' + b"9" * 5000 + b"}\n",
    "JSON of a huge exponent": b'{"loss": 1e999999999, "step": -1e999999999}\n',
    "JSON of another kind": b'[{"a": "b"}, 3, null]\n',
    "JSON of a string": b'"../../etc/passwd"\n',
    "JSON of null": b"null\n",
    "YAML of a call": b"!!python/object/apply:builtins.open [CANARY, w]",
    "YAML of a module": b"a: !!python/module:os",
    "YAML of a new object": b"!!python/object/new:builtins.open {args: [CANARY, w]}",
    "YAML of a short tag": b"a: !!python/name:builtins.eval",
    "YAML that multiplies": _laughing_yaml(),
    "YAML that holds itself": b"training: &a {epochs: *a, x: [*a]}",
    "YAML too deep": b"- " * 5_000,
    "gzip that multiplies": gzip.compress(bytes(LINE)),
    "zip of a way out": zip_of(("../../way_out", b"x"), ("/way_out", b"x"), ("a/../../way_out", b"x")),
    "zip of nothing": zip_of(),
    "zip of text": zip_of(("signal_uv.npy", b"no array"), ("data.pkl", b"no pickle")),
    "zip that multiplies": zip_of(("signal_uv.npy", bytes(LINE)), compressed=True),
    "zip of a lie": zip_of(("signal_uv.npy", npy_head("(1000000000, 10000)")), ("data.pkl", b"N.")),
    "npy of a lie": npy_head("(1000000000, 10000)"),
    "npy of an endless shape": npy_head("(" + "1000000000, " * 30 + ")"),
    "npy of code": npy_head("(__import__('os').getpid(),)"),
    "npy of a deep type": npy_head("(1,)", "f8" + "'" + "[" * 3000),
    "workbook of laughter": workbook(_laughing_xml()),
    "workbook of broken XML": workbook(b"<worksheet><sheetData><row><c"),
    "workbook of a foreign file": workbook(
        b'<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b"<worksheet><sheetData><row><c>&x;</c></row></sheetData></worksheet>"
    ),
    "lies of safetensors": (2**62).to_bytes(8, "little") + b"{}",
    "shapes of safetensors": (lambda head: len(head).to_bytes(8, "little") + head)(
        json.dumps({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}).encode()
    ) + bytes(8),
}  # fmt: skip

HOSTILE: dict[str, Callable[[Path], bytes]] = {
    **{
        name: (lambda canary, content=content: content.replace(b"CANARY", str(canary).encode()))
        for name, content in TEXTS.items()
    },
    **PICKLES,
    "joblib": joblib_file,
    "joblib compressed": lambda canary: joblib_file(canary, 3),
    "npy of objects": object_array,
    "npz of objects": lambda canary: zip_of(("signal_uv.npy", object_array(canary))),
    "torch": torch_file,
    "torch in the old layout": lambda canary: torch_file(canary, zipped=False),
    "zip of a pickle": lambda canary: zip_of(("archive/data.pkl", PICKLES["pickle of protocol 2"](canary))),
}
"""Content by what it is; each gets the path of a file that nothing may create."""

ARRAY = np.arange(6.0)
