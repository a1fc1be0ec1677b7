"""Tables in files: each field goes to the column that the header names for it, or the file is refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pandas as pd
import pytest

from glmnet_bridge.data.files import table
from glmnet_bridge.errors import DataError


@pytest.fixture(params=["csv", "tsv", "standard input"])
def read(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Reads a text written with commas, as each kind of file."""

    def reader(text: str) -> pd.DataFrame:
        if request.param == "standard input":
            monkeypatch.setattr(sys, "stdin", io.StringIO(text))
            return table("-")
        path = tmp_path / f"data.{request.param}"
        path.write_text(text.replace(",", "\t") if request.param == "tsv" else text, encoding="utf-8")
        return table(str(path))

    return reader


@pytest.mark.parametrize(
    ("text", "line", "fields"),
    [
        ("y,x\n0,1,9\n1,2,8\n", 2, 3),
        ("y,x\n0,1,9\n1,2\n", 2, 3),
        ("y,x\n0,1,\n1,2,8\n", 2, 3),
        ("y,x\n0,1\n1,2,8\n", 3, 3),
        ("y,x\n0,1,9\n1,2,8,7\n", 2, 3),
        ("\ny,x\n\n0,1,9,5\n", 4, 4),
    ],
)
def test_fields_without_a_name_are_refused(read, text: str, line: int, fields: int) -> None:
    with pytest.raises(DataError, match=f"line {line} has {fields} fields, and the header names 2. Name every column"):
        read(text)


@pytest.mark.parametrize("text", ["y,x\n0,1,\n1,2,\n", "y,x\n0,1\n1,2\n", "y,x,\n0,1,\n1,2,\n"])
def test_a_separator_at_the_end_of_lines_shifts_nothing(read, text: str) -> None:
    found = read(text)
    assert found["y"].tolist() == [0, 1] and found["x"].tolist() == [1, 2]
    assert found.index.tolist() == [0, 1]


@pytest.mark.parametrize("text", ["y,y,x\n0,1,2\n", "x,y,z,y\n0,1,2,3\n", "\ufeffy,y\n0,1\n"])
def test_a_name_twice_in_the_header_is_refused(read, text: str) -> None:
    with pytest.raises(DataError, match="the header has the name 'y' 2 times; rename or drop"):
        read(text)


def test_names_that_look_like_renamed_twins_are_fine(read) -> None:
    assert list(read("y,y.1,,\n0,1,,\n").columns[:2]) == ["y", "y.1"]


def test_a_folder_and_an_empty_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; give a csv"):
        table(str(tmp_path))
    with pytest.raises(DataError, match="there is no such file"):
        table(str(tmp_path / "none.csv"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="cannot be read as a table"):
        table(str(tmp_path / "empty.csv"))
