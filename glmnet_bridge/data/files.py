"""Files: a table in a csv, tsv or parquet file, each column under its own name.

A csv file that does not say which field belongs to which column is refused: to shift its columns, or
to take the first of two with one name, would give a fit of other data without a word.
"""

from __future__ import annotations

import io
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from glmnet_bridge.errors import DataError, missing_extra

_FIELDS = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")


def table(path: str) -> pd.DataFrame:
    """The data in a file; `-` is csv from standard input.

    Raises
    ------
    DataError
        where the file is missing, cannot be read as what its name says, or does not name each column once
    """
    if path != "-" and Path(path).is_dir():
        raise DataError(f"{path} is a folder; give a csv, tsv or parquet file.")
    if path != "-" and not Path(path).is_file():
        raise DataError(f"{path}: there is no such file.")
    try:
        if path.endswith((".parquet", ".pq")):
            return pd.read_parquet(path)
        return _separated(path)
    except DataError:
        raise
    except ImportError as error:
        raise missing_extra("pyarrow", "parquet") from error
    except ValueError as error:
        raise DataError(f"{path}: cannot be read as a table ({' '.join(str(error).split())}).") from error


def _separated(path: str) -> pd.DataFrame:
    """A csv or tsv file; it is read more than once, so that standard input is kept."""
    text = sys.stdin.read() if path == "-" else ""
    mark = "\t" if path.endswith((".tsv", ".tab")) else ","

    def read(**options: Any) -> pd.DataFrame:
        return pd.read_csv(io.StringIO(text) if path == "-" else path, sep=mark, index_col=False, **options)

    try:
        with warnings.catch_warnings():
            # fields beyond the header, which would be dropped
            warnings.simplefilter("error", pd.errors.ParserWarning)
            data = read()
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise _ragged(path, mark, read, error) from error
    _refuse_twins(path, read)
    return data


def _ragged(path: str, mark: str, read: Callable[..., pd.DataFrame], error: Exception) -> DataError:
    """Which line has more fields than the header has names."""
    try:
        read(header=None)
    except pd.errors.ParserError as closer:
        error = closer
    found = _FIELDS.search(str(error))
    if found is None:
        return DataError(f"{path}: cannot be read as a table ({' '.join(str(error).split())}).")
    names, line, fields = found.groups()
    separator = "tab" if mark == "\t" else "comma"
    return DataError(
        f"{path}: line {line} has {fields} fields, and the header names {names}. Name every column in the header, "
        f"or put a text that has a {separator} in it between double quotes."
    )


def _refuse_twins(path: str, read: Callable[..., pd.DataFrame]) -> None:
    """Two columns of one name, of which pandas would rename the second."""
    names = [str(name) for name in read(header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]]
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise DataError(
            f"{path}: the header has the name {twice[0]!r} {names.count(twice[0])} times; rename or drop all "
            "but one of these columns."
        )
