"""Texts: a formula as people type or paste it, checked letter by letter before it is read.

Length and nesting are bounded, and letters that only look like operators (documents turn
`~`, `-` and quotes into others) are refused with their replacement.
"""

from __future__ import annotations

import functools
import re

from glmnet_bridge.errors import FormulaError

MAX_LENGTH = 20_000
MAX_DEPTH = 100
_AROUND = 50

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
        raise FormulaError(f'Backticks are R\'s quotes; here write Q("the name").\n{caret(code, bare.index("`"))}')
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
        f"{caret(code, place)}"
    )


def caret(code: str, start: int, stop: int | None = None) -> str:
    """The code with a caret under a part of it; of a long one, what surrounds that part."""
    stop = start + 1 if stop is None else min(stop, start + 2 * _AROUND)
    first, last = max(start - _AROUND, 0), min(stop + _AROUND, len(code))
    shown = ("..." if first else "") + code[first:last] + ("..." if last < len(code) else "")
    indent = start - first + (3 if first else 0)
    return f"    {shown}\n    {' ' * indent}{'^' * (stop - start)}"


def short(code: str) -> str:
    """The code in quotes, shortened in its middle."""
    return repr(code if len(code) <= 2 * _AROUND else f"{code[:_AROUND]} ... {code[-_AROUND:]}")
