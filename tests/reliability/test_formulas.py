"""Formulas: what means something else, what cannot be read, and what must not run."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from reliability.hostile import agrees, frame, put, refused, same, warned

import glmnet_bridge as gb

DATA = frame()

REFUSED = {
    "f_unknown_variable": ("y ~ x1 + zzz", ["no column 'zzz'", "x1, x2, g"]),
    "f_near_variable": ("y ~ x1 + X2", ["no column 'X2'", "Did you mean 'x2'?"]),
    "f_unknown_response": ("why ~ x1", ["no column 'why' (the response)"]),
    "f_missing_lhs": ("~ x1", ["'~ x1' has no response", "response ~ predictors"]),
    "f_no_tilde": ("y", ["no tilde", "response ~ predictors"]),
    "f_none": (None, ["text such as", "NoneType"]),
    "f_empty": ("", ["empty"]),
    "f_bytes": (b"y ~ x1", ["bytes"]),
    "f_number": (5, ["int"]),
    "f_frame_first": (DATA, ["DataFrame"]),
    "f_no_right_side": ("y ~ ", ["right of the tilde", "~ 1"]),
    "f_no_columns": ("y ~ 0", ["no columns", "intercept"]),
    "f_no_columns_minus": ("y ~ 1 - 1", ["no columns"]),
    "f_no_columns_but_offset": ("y ~ 0 + offset(x1)", ["no columns"]),
    "f_two_tildes": ("y ~ x1 ~ x2", ["~ can only be used once"]),
    "f_unicode_tilde": ("y \u223c x1", ["U+223C", "'~'"]),
    "f_smart_quotes": ("y ~ Q(\u201cx1\u201d)", ["U+201C"]),
    "f_unicode_minus": ("y ~ x1 \u2212 x2", ["U+2212", "'-'"]),
    "f_hard_space": ("y\u00a0~ x1", ["U+00A0", "plain space"]),
    "f_zero_width_space": ("y ~ x1\u200b", ["U+200B", "delete"]),
    "f_null_byte": ("y ~ x1\0", ["cannot be read"]),
    "f_comment": ("y ~ x1 # all", ["comments"]),
    "f_two_statements": ("y ~ x1; import os", ["import"]),
    "f_unmatched": ("y ~ (x1", ["Unmatched '('"]),
    "f_unmatched_right": ("y ~ x1)", ["')'"]),
    "f_missing_plus": ("y ~ x1 x2", ["x1 x2"]),
    "f_caret_power": ("y ~ x1^2", ["^ is not a power", "I(x**2)"]),
    "f_dot": ("y ~ .", ["The dot", "name the columns"]),
    "f_unknown_reference": ("y ~ C(g, Treatment('zz'))", ["'zz'", "a, b, c"]),
    "f_unknown_contrast": ("y ~ C(g, Treatmnt)", ["'Treatmnt'", "Did you mean 'Treatment'?"]),
    "f_cbind": ("cbind(k, z) ~ x1", ["cbind", "successes(k, m)"]),
    "f_spline_of_two_values": ("y ~ bs(np.sign(k), df=6)", ["bs(np.sign(k), df=6)", "smaller df="]),
    "f_spline_of_text": ("y ~ bs(g, df=4)", ["bs(g, df=4)", "'a', 'b', 'c'"]),
    "f_spline_without_df": ("y ~ bs(x1)", ["df= or knots="]),
    "f_spline_setting": ("y ~ bs(x1, dff=3)", ["'dff'", "Did you mean 'df'?"]),
    "f_scale_a_constant": ("y ~ scale(I(x1 * 0))", ["constant over 60 rows"]),
    "f_text_arithmetic": ("y ~ I(g + 1)", ["g + 1 needs numbers", "'a', 'b', 'c'"]),
    "f_python_and": ("y ~ I(x1 > 0 and x2 > 0)", ["write & or |"]),
    "f_bar": ("y ~ x1 + (1|g)", ["1 | g"]),
    "f_multiple": ("y ~ 3*x1", ["I(2 * x)"]),
    "f_constant": ("y ~ x1 + I(3)", ["I(3)", "constant"]),
    "f_text": ("y ~ 'x1'", ["'x1'"]),
    "f_attribute": ("y ~ x1.shape", ["attributes are not allowed", 'Q("x1.shape")']),
    "f_method": ("y ~ x1.mean()", ["x1.mean"]),
    "f_subscript": ("y ~ x1[0]", ["subscript"]),
    "f_unknown_function": ("y ~ fun(x1)", ["'fun'", "functions={"]),
    "f_r_word": ("y ~ factor(g)", ["factor", "C(x)"]),
    "f_reduction": ("y ~ np.mean(x1)", ["np.mean", "row by row"]),
    "f_unknown_numpy": ("y ~ np.loog(x1)", ["np.loog", "np.", "log"]),
    "f_huge_power": ("y ~ I(x1**999999999)", ["powers beyond"]),
    "f_tower": ("y ~ x1 + I(9**9**9**9)", ["9 ** 9"]),
    "f_long": ("y ~ " + " + ".join(["x1"] * 20_000), ["characters", "20,000"]),
    "f_deep_nesting": ("y ~ " + "(" * 2000 + "x1" + ")" * 2000, ["2000 nested parentheses"]),
    "f_deep_calls": ("y ~ " + "I(" * 500 + "x1" + ")" * 500, ["nested"]),
    "f_wide_product": ("y ~ " + " * ".join(f"C(Q('c{i}'))" for i in range(40)), ["formula"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    formula, parts = REFUSED[name]
    message = refused(lambda: gb.glm(formula, DATA), *parts)
    if "^^" in message:
        line, carets = message.splitlines()[-2:]
        assert len(carets) <= len(line) + 1


HIDDEN = [
    "__import__('os').environ.update({'HACKED': '1'})",
    "__import__('pathlib').Path('hacked').touch()",
    'eval(\'__import__("os").environ.update(HACKED="1")\')',
    "exec('import os')",
    "open('hacked', 'w')",
    "np.save('hacked', x1)",
    "np.fromfile('/etc/passwd')",
    "x1.to_csv('hacked')",
    "x1.__class__.__base__.__subclasses__()",
    "getattr(x1, 'to_csv')('hacked')",
    "[c for c in ().__class__.__base__.__subclasses__()]",
    "(lambda: open('hacked', 'w'))()",
    "I((a := open('hacked', 'w')))",
    'Q(f\'{open("hacked", "w")}\')',
    "np.apply_along_axis(print, 0, x1)",
    "np.vectorize(print)(x1)",
    "C(x1, contr=print)",
    "bs(x1, df=open('hacked', 'w'))",
    "os.system('touch hacked')",
    "np.__builtins__",
    "np.os.system('touch hacked')",
    "patsy.builtins.eval('1')",
]


@pytest.mark.parametrize("code", HIDDEN)
@pytest.mark.parametrize("place", ["y ~ x1 + {}", "{} ~ x1", "y ~ offset({})", 'y ~ Q("x1") + C({})'])
def test_no_hidden_code_runs(code: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HACKED", raising=False)
    refused(lambda: gb.glm(place.format(code), DATA))
    assert "HACKED" not in os.environ and not list(tmp_path.iterdir())


@pytest.mark.parametrize("argument", ["prior_weights", "freq_weights", "trials", "offset", "exposure"])
@pytest.mark.parametrize("code", HIDDEN)
def test_no_hidden_code_runs_in_arguments(
    code: str, argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(lambda: gb.glm("y ~ x1", DATA, link="log", **{argument: code}))
    assert not list(tmp_path.iterdir())


def test_code_in_a_column_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "x1 + open('hacked', 'w')"
    data = DATA.rename(columns={"x1": name})
    refused(lambda: gb.glm(f"y ~ {name}", data), "open")
    same(gb.glm(f"y ~ Q({name!r})", data), gb.glm("y ~ x1", DATA))
    assert not list(tmp_path.iterdir())


SAME = {
    "f_duplicate_term": ("y ~ x1 + x1", "y ~ x1"),
    "f_crossed_with_itself": ("y ~ C(g):C(g)", "y ~ C(g)"),
    "f_spaces": ("  y~x1+x2  ", "y ~ x1 + x2"),
    "f_lines": ("\n y ~ x1 +\n\t x2 \n", "y ~ x1 + x2"),
    "f_tabs": ("y\t~\tx1\t+\tx2", "y ~ x1 + x2"),
    "f_intercept_twice": ("y ~ 1 + 1 + x1", "y ~ x1"),
    "f_intercept_back": ("y ~ 0 + x1 + 1", "y ~ x1"),
    "f_removed": ("y ~ x1 + x2 - x2", "y ~ x1"),
    "f_parentheses": ("y ~ ((x1) + (x2))", "y ~ x1 + x2"),
    "f_double_quotes": ('y ~ Q("x1")', "y ~ Q('x1')"),
    "f_keyword_argument": ("y ~ C(g, Treatment(reference='a'))", "y ~ C(g)"),
    "f_response_in_quotes": ("Q('y') ~ x1", "y ~ x1"),
    "f_condition": ("I(y > 0) ~ x1", "y ~ x1"),
}


@pytest.mark.parametrize("name", SAME)
def test_same_model(name: str) -> None:
    one, other = SAME[name]
    same(gb.glm(one, DATA), gb.glm(other, DATA))


def test_f_no_intercept() -> None:
    for formula in ("y ~ 0 + x1", "y ~ x1 - 1", "y ~ -1 + x1"):
        fit = gb.glm(formula, DATA)
        assert list(fit.params.index) == ["x1"]
        agrees(fit, "y ~ 0 + x1", DATA)


def test_intercept_alone() -> None:
    fit = gb.glm("y ~ 1", DATA)
    assert fit.params["Intercept"] == pytest.approx(np.log(DATA["y"].mean() / (1 - DATA["y"].mean())), rel=1e-12)
    assert fit.deviance == pytest.approx(fit.null_deviance, rel=1e-13)


def test_power_outside_of_i() -> None:
    fit = warned(lambda: gb.glm("y ~ x1**2", DATA), "x1**2", "I(x1**2)")
    same(fit, gb.glm("y ~ x1", DATA))


def test_names_shadow_functions() -> None:
    data = put(C=DATA["x1"], log=DATA["x2"], np=DATA["k"])
    same(gb.glm("y ~ C + C(g) + np.exp(log) + np", data), gb.glm("y ~ x1 + C(g) + np.exp(x2) + k", DATA))


FUNCTIONS = {
    "raises": (lambda v: 1 / 0, ["f(x1)", "division by zero"]),
    "too_short": (lambda v: v[:3], ["f(x1)", "3 values for 60 rows"]),
    "changes_the_data": (lambda v: v.__imul__(2.0), ["f(x1)", "read-only"]),
    "gives_nan": (lambda v: v * np.nan, ["f(x1)", "nan"]),
    "gives_none": (lambda v: None, ["f(x1)"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_the_user(name: str) -> None:
    function, parts = FUNCTIONS[name]
    refused(lambda: gb.glm("y ~ f(x1)", DATA, functions={"f": function}), *parts)


def test_functions_that_are_none() -> None:
    refused(lambda: gb.glm("y ~ f(x1)", DATA, functions=[np.sin]), "functions", "dict")
    refused(lambda: gb.glm("y ~ f(x1)", DATA, functions={"f": 3}), "functions")
    refused(lambda: gb.glm("y ~ C(g)", DATA, functions={"C": np.sin}), "'C' is built in")
    same(gb.glm("y ~ f(x1)", DATA, functions={"f": np.sin}), gb.glm("y ~ np.sin(x1)", DATA))
