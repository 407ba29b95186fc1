"""The texts beside recordings: CHB-MIT summaries, TUH events, ISRUC stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from neuroprism.core.errors import DataError
from neuroprism.eeg.readers.chb_summary import read_chb_summary
from neuroprism.eeg.readers.isruc_labels import read_isruc_labels
from neuroprism.eeg.readers.tuh import TuhEvent, electrode, read_tuh_events

SUMMARY = """Data Sampling Rate: 256 Hz
*************************

Channels in EDF Files:
**********************
Channel 1: FP1-F7

File Name: chb01_01.edf
File Start Time: 11:42:54
File End Time: 12:42:54
Number of Seizures in File: 0

File Name: chb01_03.edf
File Start Time: 13:43:04
File End Time: 14:43:04
Number of Seizures in File: 1
Seizure Start Time: 2996 seconds
Seizure End Time: 3036 seconds

Channels changed:
Channel 1: FP1-F7

File Name: chb24_04.edf
Number of Seizures in File: 2
Seizure 1 Start Time: 1088 seconds
Seizure 1 End Time: 1120 seconds
Seizure 2 Start Time:  1411 seconds
Seizure 2 End Time: 1438 seconds
"""


def message_of(act: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def text_file(folder: Path, text: str) -> Path:
    path = folder / "a.txt"
    path.write_text(text)
    return path


def test_summary_in_both_spellings(tmp_path: Path) -> None:
    assert read_chb_summary(text_file(tmp_path, SUMMARY)) == {
        "chb01_01.edf": (),
        "chb01_03.edf": ((2996.0, 3036.0),),
        "chb24_04.edf": ((1088.0, 1120.0), (1411.0, 1438.0)),
    }


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Seizure End Time: 3036 seconds\n", "", "chb01_03.edf: 1 seizures, 1 start and 0 end times"),
        ("File: 2", "File: 3", "chb24_04.edf: 3 seizures, 2 start and 2 end times"),
        ("Number of Seizures in File: 0\n", "", "chb01_01.edf: no number of seizures"),
        ("3036", "2000", "ends at 2000 s, before its start at 2996 s"),
        ("File Name", "Name", "lists no recording"),
    ],
)
def test_a_summary_that_contradicts_itself(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = text_file(tmp_path, SUMMARY.replace(old, new))
    assert says in message_of(lambda: read_chb_summary(path))


def test_tuh_rows_by_number_and_by_name(tmp_path: Path) -> None:
    rows = "13,90.4000,91.4000,6\n\n13,90.4,91.4,1\n"
    assert read_tuh_events(text_file(tmp_path, rows)) == [
        TuhEvent(channel="13", start_s=90.4, stop_s=91.4, label=5),
        TuhEvent(channel="13", start_s=90.4, stop_s=91.4, label=0),
    ]
    named = "# version = csv_v1.0.0\nchannel,start_time,stop_time,label,confidence\nFP1-F7,1.0,2.0,gped,1.0\n"
    assert read_tuh_events(text_file(tmp_path, named)) == [
        TuhEvent(channel="FP1-F7", start_s=1.0, stop_s=2.0, label=1)
    ]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("", "no events"),
        ("# nothing\n", "no events"),
        ("13,1.0,2.0\n", "line 1 is not"),
        ("13,1.0,2.0,6\n13,one,2.0,6\n", "line 2 is not"),
        ("13,1.0,2.0,7\n", "unknown event '7'; 1 to 6 are SPSW, GPED"),
        ("13,2.0,1.0,6\n", "an event from 2.0 s to 1.0 s"),
        ("13,-1.0,1.0,6\n", "an event from -1.0 s"),
    ],
)
def test_tuh_rows_that_are_none(tmp_path: Path, rows: str, says: str) -> None:
    path = text_file(tmp_path, rows)
    assert says in message_of(lambda: read_tuh_events(path))


def test_tuh_electrodes() -> None:
    assert electrode("EEG FP1-REF") == "FP1"
    assert electrode("EEG FP1-LE") == "EEG FP1-LE"
    assert electrode("PHOTIC PH") == "PHOTIC PH"


def test_isruc_stages(tmp_path: Path) -> None:
    assert read_isruc_labels(text_file(tmp_path, "0\n1\n\n2\n 3 \n5\n\n")).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "says"), [("0\n4\n", "line 2: '4'"), ("W\n", "line 1: 'W'"), ("\n", "no sleep")]
)
def test_isruc_texts_that_are_none(tmp_path: Path, text: str, says: str) -> None:
    path = text_file(tmp_path, text)
    assert says in message_of(lambda: read_isruc_labels(path))


@pytest.mark.parametrize("read", [read_chb_summary, read_tuh_events, read_isruc_labels])
def test_a_text_that_is_not_there(tmp_path: Path, read: Callable[[Path], object]) -> None:
    assert "none.txt: cannot be read" in message_of(lambda: read(tmp_path / "none.txt"))
