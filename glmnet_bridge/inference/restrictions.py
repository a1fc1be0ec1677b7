"""Restrictions: "age = 0, 2*lwt + smoke = 1" to the rows of a matrix.

    text  ->  names, numbers and signs  ->  linear forms  ->  L (q, p) and r (q,),   L b = r

Names of columns hold brackets, commas and operators (`bs(x, df=4)[0]`, `a:b`), so that they are recognised first,
the longest one that fits; spaces do not count. Nothing is evaluated as Python.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.errors import ArgumentError, listed, nearest

Array = np.ndarray
Form = tuple[Array, float]  # coefficients (p,) and a constant

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WORD = re.compile(r"\w+(\[[^\]]*\])?")
MAX_DEPTH = 100


def read(text: str, names: Sequence[str]) -> tuple[Array, Array]:
    """L `(q, p)` and r `(q,)` of equations between combinations of coefficients, separated by commas.

    An expression without "=" is set to 0; `a = b = c` are two equations.

    Raises
    ------
    ArgumentError
        for what is no linear equation, with the name that was meant
    """
    tokens = _tokens(text, names)
    reader = _Reader(text, tokens, len(names))
    rows: list[Array] = []
    values: list[float] = []
    while True:
        sides = [reader.sum()]
        while reader.take("="):
            sides.append(reader.sum())
        if len(sides) == 1:
            sides.append((np.zeros(len(names)), 0.0))
        for (left, a), (right, b) in zip(sides[:-1], sides[1:], strict=True):
            if not (left - right).any():
                raise ArgumentError(f"{text!r}: an equation holds no coefficient. Write it as in 'age = 0'.")
            rows.append(left - right)
            values.append(b - a)
        if not reader.take(","):
            break
    reader.done()
    return np.array(rows), np.array(values)


def _tokens(text: str, names: Sequence[str]) -> list[str | int]:
    """Positions of names, numbers as text, and signs."""
    known = _patterns(names)
    found: list[str | int] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        name = next(((j, hit) for j, pattern in known if (hit := pattern.match(text, at))), None)
        number = _NUMBER.match(text, at)
        if name is not None:
            found.append(name[0])
            at = name[1].end()
        elif number is not None:
            found.append(number.group())
            at = number.end()
        elif text[at] in "+-*/(),=":
            found.append(text[at])
            at += 1
        else:
            word = _WORD.match(text, at)
            raise _unknown(text, word.group() if word else text[at], names)
    return found


def _patterns(names: Sequence[str]) -> list[tuple[int, re.Pattern[str]]]:
    """What matches each name, the longest first: spaces do not count unless they alone tell two names apart."""
    bare = ["".join(name.split()) for name in names]
    gap = r"\s*" if len(set(bare)) == len(names) else ""
    found = []
    for j, name in sorted(enumerate(bare if gap else names), key=lambda pair: -len(pair[1])):
        if _NUMBER.fullmatch(name):
            continue  # a column called "0" can be tested by a matrix: in a text it is the number
        # "age" is no part of "age2"
        end = r"(?![\w\[])" if name[-1].isalnum() or name[-1] == "_" else ""
        found.append((j, re.compile(gap.join(map(re.escape, name)) + end)))
    return found


def _unknown(text: str, word: str, names: Sequence[str]) -> ArgumentError:
    return ArgumentError(
        f"{text!r}: {word!r} is no coefficient of this fit.{nearest(word, names)} There are {listed(names, 12)}."
    )


@dataclass(slots=True)
class _Reader:
    """The tokens, read from left to right by the grammar of linear equations."""

    text: str
    tokens: list[str | int]
    width: int
    at: int = 0
    depth: int = 0

    def take(self, *signs: str) -> str | None:
        """The next token where it is one of these signs."""
        if self.at < len(self.tokens) and self.tokens[self.at] in signs:
            self.at += 1
            return str(self.tokens[self.at - 1])
        return None

    def sum(self) -> Form:
        row, constant = self.product()
        while sign := self.take("+", "-"):
            more, added = self.product()
            factor = 1.0 if sign == "+" else -1.0
            row, constant = row + factor * more, constant + factor * added
        return row, constant

    def product(self) -> Form:
        left = self.atom()
        while sign := self.take("*", "/"):
            right = self.atom()
            if right[0].any() and (left[0].any() or sign == "/"):
                raise ArgumentError(f"{self.text!r} is not linear in the coefficients: multiply them by numbers only.")
            if sign == "/" and right[1] == 0.0:
                raise ArgumentError(f"{self.text!r} divides by zero.")
            factor, form = (left[1], right) if right[0].any() else (right[1] if sign == "*" else 1.0 / right[1], left)
            left = factor * form[0], factor * form[1]
        return left

    def atom(self) -> Form:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ArgumentError(f"The text {self.text[:40]!r}... is nested too deep.")
        form = self._atom()
        self.depth -= 1
        return form

    def _atom(self) -> Form:
        if sign := self.take("+", "-"):
            row, constant = self.atom()
            return (row, constant) if sign == "+" else (-row, -constant)
        if self.take("("):
            form = self.sum()
            if not self.take(")"):
                raise ArgumentError(f"{self.text!r}: a parenthesis is not closed.")
            return form
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None or (isinstance(token, str) and not _NUMBER.fullmatch(token)):
            where = "ends" if token is None else f"has {token!r}"
            raise ArgumentError(f"{self.text!r} {where} where a coefficient or a number is expected.")
        self.at += 1
        row = np.zeros(self.width)
        if isinstance(token, int):
            row[token] = 1.0
            return row, 0.0
        return row, float(token)

    def done(self) -> None:
        if self.at < len(self.tokens):
            raise ArgumentError(
                f"{self.text!r} cannot be read as equations: write them as in 'age = 0, 2*lwt = smoke'."
            )
