"""Texts: a formula as people type or paste it, checked letter by letter before it is read.

Length and nesting are bounded, and letters that only look like operators (documents turn
`~`, `-` and quotes into others) are refused with their replacement.
"""

from __future__ import annotations

import functools
import re

from glmnet_bridge.design.nodes import MAX_DEPTH
from glmnet_bridge.errors import FormulaError

MAX_LENGTH = 20_000

_LOOK_ALIKES = {
    **dict.fromkeys("∼～˜⁓〜", "~"),
    **dict.fromkeys("−–—‐‑﹣－", "-"),
    **dict.fromkeys("×∗⁎＊·⋅•", "*"),
    **dict.fromkeys("＋﹢", "+"),
    **dict.fromkeys("÷⁄∕／", "/"),
    **dict.fromkeys("：∶", ":"),
    **dict.fromkeys("“”„‟″«»＂", '"'),
    **dict.fromkeys("‘’‚‛′＇´", "'"),
    **dict.fromkeys("（", "("),
    **dict.fromkeys("）", ")"),
    **dict.fromkeys("，", ","),
    **dict.fromkeys("＝", "="),
    **dict.fromkeys("\u00a0\u2000\u2002\u2003\u2007\u2009\u202f\u3000", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
    "²": "**2",
    "³": "**3",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
}


def clean(text: object, what: str) -> str:
    """The text on one line, after a look at its type, length, letters and nesting."""
    if not isinstance(text, str):
        raise FormulaError(f"{what} must be text such as 'y ~ x1 + x2', not {type(text).__name__}.")
    code = re.sub(r"[\r\n\t\f\v]", " ", text).strip()
    if not code:
        raise FormulaError(f"{what} is empty: write it as 'y ~ x1 + x2'.")
    if len(code) > MAX_LENGTH:
        raise FormulaError(f"{what} has {len(code):,} characters; at most {MAX_LENGTH:,} are allowed.")
    bare = without_strings(code)
    for place, letter in enumerate(bare):
        if letter in _LOOK_ALIKES:
            raise FormulaError(_look_alike(code, place, letter))
    if "`" in bare:
        raise FormulaError(
            f'Backticks are R\'s quotes; here write Q("the name").\n{_caret(code, bare.index("`"))}'
        )
    depth = functools.reduce(_deepest, bare, (0, 0))[1]
    if depth > MAX_DEPTH:
        raise FormulaError(f"{what} has {depth} nested parentheses; at most {MAX_DEPTH} are allowed.")
    return code


def without_strings(code: str) -> str:
    """The code with the contents of its string literals blanked out."""
    return re.sub(r'"[^"]*"|\'[^\']*\'', lambda found: '"' + " " * (len(found[0]) - 2) + '"', code)


def _deepest(state: tuple[int, int], letter: str) -> tuple[int, int]:
    depth = state[0] + (letter in "([{") - (letter in ")]}")
    return depth, max(depth, state[1])


def _look_alike(code: str, place: int, letter: str) -> str:
    right = _LOOK_ALIKES[letter]
    cure = f"write {right!r} instead" if right.strip() else "use a plain space" if right else "delete it"
    return (
        f"The formula contains {letter!r} (U+{ord(letter):04X}), as pasted text often does; {cure}.\n"
        f"{_caret(code, place)}"
    )


def _caret(code: str, place: int) -> str:
    return f"    {code}\n    {' ' * place}^"
