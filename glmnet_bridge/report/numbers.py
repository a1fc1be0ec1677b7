"""Numbers for readers: one text per value, right in tables, sentences and tooltips.

Estimates, their standard errors and their limits share one number of decimals, chosen from the
standard errors: digits below the second one of an error say nothing. A row whose error is far
smaller than the others' is written with an exponent instead of as 0.0000. Infinite stays `inf`,
missing is blank, a text among the numbers stays as it is (`aliased`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

MOST_DECIMALS = 6
HUGE, LARGE = 1e10, 1e5  # a row with a number this huge is written with exponents where its numbers are large


def is_missing(value: Any) -> bool:
    """Whether there is nothing to show: None or nan."""
    return value is None or (not isinstance(value, str) and bool(np.isnan(value)))


def significant(value: float, digits: int = 4) -> str:
    """`value` with so many significant digits: `201.4`, `0.03142`, `1.2e-12`; whole numbers stay whole."""
    if is_missing(value):
        return ""
    number = float(value)
    if np.isinf(number) or number == 0:
        return f"{number:g}"
    size = int(np.floor(np.log10(abs(number))))
    if number == round(number) and abs(number) < 1e7:
        return f"{number:.0f}"
    if size < -4 or size >= 9:
        return f"{number:.{digits - 1}e}".replace("e+0", "e+").replace("e-0", "e-")
    return fixed(number, max(digits - 1 - size, 0))


def fixed(value: Any, decimals: int) -> str:
    """`value` with so many decimals, and no minus in front of zeros; texts stay, missing is blank."""
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    text = f"{float(value):.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def likelihood(value: float) -> str:
    """A log-likelihood, deviance or criterion: two decimals, or more where it is small."""
    if is_missing(value):
        return ""
    return fixed(value, 2) if abs(value) >= 1 else significant(value)


def count(value: float) -> str:
    """A number of things: `189`, `1,000,000`; parts of one only where there are any."""
    if is_missing(value):
        return ""
    number = float(value)
    if not np.isfinite(number) or number != round(number):
        return f"{number:.6g}"
    return f"{number:,.0f}" if abs(number) >= 10_000 else f"{number:.0f}"


def counted(value: float, noun: str) -> str:
    """`1 step`, `7 steps`."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def p_value(value: Any) -> str:
    """A p-value: three decimals, and `<0.001` below."""
    if isinstance(value, str) or is_missing(value):
        return value if isinstance(value, str) else ""
    return "<0.001" if value < 0.0005 else fixed(value, 3)


def statistic(value: Any) -> str:
    """A test statistic: two decimals."""
    if isinstance(value, str) or is_missing(value) or not np.isfinite(value):
        return value if isinstance(value, str) else "" if is_missing(value) else f"{value:g}"
    return fixed(value, 2) if abs(value) < 1e4 else significant(value)


# below this many standard errors a distance is rounding, and differs from machine to machine
NOISE = 1e-8


def distance(value: Any) -> str:
    """A distance in standard errors: `0.31`, `12.4`, `3e-5`, `0`; what is left to rounding is `<1e-8`."""
    if isinstance(value, str) or is_missing(value):
        return value if isinstance(value, str) else ""
    size = abs(value)
    if size == 0 or np.isinf(size):
        return f"{abs(value) if size == 0 else value:g}"
    if size < NOISE:
        return f"<{NOISE:.0e}".replace("e-0", "e-")
    if size < 0.001:
        return f"{value:.0e}".replace("e-0", "e-")
    return fixed(value, 3) if size < 10 else significant(value, 3)


def estimates(columns: Sequence[Sequence[Any]], anchor: Sequence[Any]) -> list[list[str]]:
    """Columns of estimates, errors and limits, with the decimals that the errors deserve.

    Parameters
    ----------
    columns : columns of numbers (or texts), all of one length
    anchor : what tells how many digits of a row matter: its standard error, or its estimate

    Returns
    -------
    list of columns of texts
    """
    sizes = [_size(value) for value in anchor]
    fallback = [[_size(column[i]) for column in columns] for i in range(len(sizes))]
    rows = [size if size is not None else _least(others) for size, others in zip(sizes, fallback, strict=True)]
    decimals = _decimals([row for row in rows if row is not None])
    huge = [any(_is_huge(column[i], HUGE) for column in columns) for i in range(len(sizes))]
    return [
        [_cell(value, row, decimals, far) for value, row, far in zip(column, rows, huge, strict=True)]
        for column in columns
    ]


def aligned(texts: Iterable[str]) -> list[str]:
    """The same texts, padded to one width with their decimal points under each other."""
    cells = list(texts)
    tails = [len(cell) - cell.find(".") if "." in cell and _is_plain(cell) else 0 for cell in cells]
    most = max(tails, default=0)
    padded = [
        cell + " " * (most - tail) if cell and _is_plain(cell) else cell
        for cell, tail in zip(cells, tails, strict=True)
    ]
    width = max(map(len, padded), default=0)
    return [cell.rjust(width) for cell in padded]


def _is_plain(cell: str) -> bool:
    """Digits with at most a point: what can be aligned at the point."""
    return cell.lstrip("-<").replace(".", "", 1).replace(",", "").isdigit()


def _size(value: Any) -> int | None:
    """Power of ten of a number's first digit; None where it has none."""
    if isinstance(value, str) or is_missing(value) or not np.isfinite(value) or value == 0:
        return None
    return int(np.floor(np.log10(abs(float(value)))))


def _least(sizes: Iterable[int | None]) -> int | None:
    found = [size for size in sizes if size is not None]
    return max(min(found), -3) if found else None


def _decimals(sizes: Sequence[int]) -> int:
    """Two digits of each error, and three of the middle one where that takes no more than four decimals."""
    shown = [size for size in sizes if 1 - size <= MOST_DECIMALS]
    if not shown:
        return 4
    middle = sorted(shown)[len(shown) // 2]
    return min(max(min(2 - middle, 4), 1 - min(shown), 0), MOST_DECIMALS)


def _is_huge(value: Any, least: float) -> bool:
    return not isinstance(value, str) and not is_missing(value) and least <= abs(value) < np.inf


def _cell(value: Any, size: int | None, decimals: int, huge: bool) -> str:
    """One text; in a `huge` row the estimate and its limits are in one style, on both sides of a power of ten."""
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    number = float(value)
    if np.isinf(number):
        return f"{number:g}"
    if (size is not None and 1 - size > MOST_DECIMALS) or (huge and _is_huge(number, LARGE)):
        return "0" if number == 0 else f"{number:.3e}".replace("e-0", "e-").replace("e+0", "e+")
    return fixed(number, decimals)
