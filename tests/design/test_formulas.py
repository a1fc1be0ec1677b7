"""Formulas: what is read, what is refused and how it is said, and that nothing is ever executed."""

import contextlib
import copy
import os
import pickle

import numpy as np
import pandas as pd
import patsy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmnet_bridge.design.formulas import expression, one_sided, parse
from glmnet_bridge.errors import ArgumentError, BridgeError, DataError, FormulaError, FormulaWarning

X = np.array([0.5, 1.0, 4.0])
K = np.array([1, 2, 3])
B = np.array([True, False, True])
G = pd.Categorical(["a", "b", "a"], categories=["b", "a"])
VALUES = {"x": X, "k": K, "b": B, "g": G, "class": X, "C": X, "np": K, "a b": X, "Größe": X, "µ": X}

# What the right side of `y ~ ...` becomes: patsy's terms, in the order written; 1 is the intercept.
TERMS = {
    "x": "1, x",
    "x + z - 1": "x, z",
    "0 + x": "x",
    "x + 0": "x",
    "-1 + x": "x",
    "1": "1",
    "x + x": "1, x",
    "x*z": "1, x, z, x:z",
    "x:z + z:x": "1, x:z",
    "(x + z + w)**2": "1, x, z, w, x:z, x:w, z:w",
    "x/z": "1, x, x:z",
    "(x + z)/w": "1, x, z, x:z:w",
    "x*z - x": "1, z, x:z",
    "x + (z - 1)": "1, x, z",
    "0 + x + 1": "1, x",
    "1 - (x + 1)": "",
    "x\n + z": "1, x, z",
    "np.log( x )+np . log(x)": "1, np.log(x)",
    "C + C(C) + I(C)": "1, C, C(C), I(C)",
    "class + np.log(np)": "1, class, np.log(np)",
    "Q('a b') + offset(z)": "1, Q('a b')",
    "x > 3": "1, x > 3",
    " + ".join(f"v{i}" for i in range(2000)): ", ".join(["1", *(f"v{i}" for i in range(2000))]),
}


@pytest.mark.parametrize(("text", "terms"), TERMS.items(), ids=[text[:30] for text in TERMS])
def test_terms_are_those_of_patsy(text, terms):
    found = [term.name() if term.factors else "1" for term in parse(f"y ~ {text}").terms]
    assert ", ".join(found) == terms
    if len(text) < 1000:  # patsy's own evaluation is recursive
        right = patsy.ModelDesc.from_formula(text.replace(" + offset(z)", "")).rhs_termlist
        assert [term.name() if term.factors else "1" for term in right] == found


def test_formula_knows_its_sides_and_columns():
    formula = parse("successes(k, n) ~ np.log(x) + C(g) + offset(np.log(z)) + offset(w)")
    assert formula.response[0].call == "successes"
    assert [part.code for part in formula.response[0].arguments] == ["k", "n"]
    assert [part.code for part in formula.offsets] == ["np.log(z)", "w"]
    assert formula.names == {"k", "n", "x", "g", "z", "w"}
    assert formula.has_intercept
    assert [part.code for part in parse("k + m ~ x").response] == ["k", "m"]
    assert one_sided("x + z").response == () == one_sided("~ x").response


def test_formulas_are_cached_only_without_functions():
    assert parse("y ~ x") is parse("y ~ x")
    assert parse("y ~ x", {"f": abs}) is not parse("y ~ x", {"f": abs})


def test_formulas_survive_copying_and_pickling():
    for formula in (
        parse("y ~ bs(x, df=4) + C(g, Sum)"),
        parse("successes(k, n) ~ offset(x)"),
        one_sided("x"),
    ):
        for twin in (copy.deepcopy(formula), pickle.loads(pickle.dumps(formula))):
            assert twin == formula
    assert pickle.loads(pickle.dumps(expression("np.log(x)"))) == expression("np.log(x)")


# --- values -------------------------------------------------------------------------------

COMPUTED = {
    "x": X,
    "-x": -X,
    "2 * x + k": 2 * X + K,
    "x / k": X / K,
    "k / 2": K / 2,
    "k // 2": K // 2,
    "k % 2": K % 2,
    "x ** 2": X**2,
    "k ** 2": K**2,
    "k ** -1": 1 / K,
    "2 ** k": 2**K,
    "k * 10 ** 19": K * 1e19,
    "k ** 60": K.astype(float) ** 60,
    "np.multiply(k, 9000000000000000000)": K * 9e18,
    "np.power(k, 50)": K.astype(float) ** 50,
    "x > 1": X > 1,
    "0 < x <= 1": (X > 0) & (X <= 1),
    "(x > 1) | ~b": (X > 1) | ~B,
    "g == 'a'": np.array([True, False, True]),
    "'b' != g": np.array([True, False, True]),
    "g == 'absent'": np.array([False, False, False]),
    "g != 'absent'": np.array([True, True, True]),
    "g == g": np.array([True, True, True]),
    "np.isin(g, ['a'])": np.array([True, False, True]),
    "np.isin(k, [1, 3])": np.array([True, False, True]),
    "np.log(x)": np.log(X),
    "numpy.log(x)": np.log(X),
    "log(x)": np.log(X),
    "np.exp(b)": np.exp([1.0, 0.0, 1.0]),
    "np.maximum(x, k)": np.maximum(X, K),
    "np.where(x > 1, x, 0)": np.where(X > 1, X, 0),
    "np.clip(x, 0.6, None)": np.clip(X, 0.6, None),
    "np.clip(x, a_min=0, a_max=1)": np.clip(X, 0, 1),
    "np.round(x)": np.round(X),
    "np.digitize(x, [1, 2])": np.digitize(X, [1, 2]),
    "x * np.pi": X * np.pi,
    "I(x + k)": X + K,
    'Q("a b") + Q("class")': X + X,
    "Größe + µ": X + X,
    "np.log(C)": np.log(X),
    "np + 1": K + 1,
}


@pytest.mark.parametrize(("text", "values"), COMPUTED.items())
def test_expressions_compute_what_numpy_computes(text, values):
    found = expression(text).evaluate(VALUES)
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)


def test_expressions_name_what_they_read():
    read = expression("np.log(x) / Q('a b')")
    assert (read.code, read.names, read.call, read.column) == (
        "np.log(x) / Q('a b')",
        {"x", "a b"},
        None,
        None,
    )
    assert expression("Q('a b')").column == "a b"
    assert expression("class").column == "class"
    assert expression("np.log(x)").call == "np.log"


def test_text_results_become_levels_in_order():
    found = expression("np.where(x > 1, 'low', 'high')").evaluate(VALUES)
    assert (found.categories.tolist(), found.codes.tolist()) == (["high", "low"], [0, 0, 1])
    boxed = expression("C(k, levels=[3, 2, 1])").evaluate(VALUES)
    assert (boxed.categories.tolist(), boxed.codes.tolist()) == ([3, 2, 1], [2, 1, 0])


def test_own_functions_see_read_only_columns():
    def double(values, by=2):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 9.0
        return pd.Series(values * by)

    formula = parse("y ~ double(x, by=3)", {"double": double})
    assert np.array_equal(formula.factors[0].expression.evaluate(VALUES), 3 * X)
    assert expression("double(x)", {"double": double}).evaluate(VALUES).tolist() == (2 * X).tolist()


@pytest.mark.parametrize(
    ("functions", "says"),
    [
        ({"C": abs}, "'C' is built in"),
        ({"bs": abs}, "'bs' is built in"),
        ({"np": abs}, "'np' is built in"),
        ({"log": abs}, "'log' is built in"),
        ({"a b": abs}, "must be a name"),
        ({"f": 3}, "must be a name and the value a function"),
        ([abs], "must be a dict"),
    ],
)
def test_own_functions_shadow_nothing(functions, says):
    with pytest.raises(ArgumentError, match=says):
        parse("y ~ x", functions)


def test_the_same_function_may_be_passed_again():
    assert parse("y ~ log(x)", {"log": np.log}).terms[1].name() == "log(x)"


# --- refusals -----------------------------------------------------------------------------

# A formula that is refused, and words that its message must contain.
REFUSED = {
    None: "must be text",
    3: "must be text",
    "": "is empty",
    "  \n": "is empty",
    "y": "no tilde",
    "y x": "no tilde",
    "~ x": "no response",
    "y ~": "write '~ 1'",
    "1 ~ x": "is no response",
    "0 ~ x": "is no response",
    "y ~ x ~ z": "cannot be read",
    "y ∼ x": r"U\+223C.*write '~'",
    "y ～ x": "write '~'",
    "y ~ x − z": r"U\+2212.*write '-'",
    "y ~ x – z": "write '-'",
    "y ~ x × z": r"write '\*'",
    "y ~ Q(“a b”)": "write '\"'",
    "y ~ x\u00a0+ z": "plain space",
    "y ~ x\u200b": "delete it",
    "y ~ `a b`": "Backticks",
    "y ~ " + "(" * 2000 + "x" + ")" * 2000: "2000 nested parentheses",
    "y ~ " + "-" * 3000 + "x": "cannot be read|nested",
    "y ~ I(" + "-" * 3000 + "x)": "nested|not an expression",
    "y ~ I(" + "x + " * 3000 + "x)": "nested",
    "y ~ " + "x:" * 3000 + "x": "nested",
    "y ~ I(x" + ".a" * 3000 + ")": "nested|not an expression",
    "y ~ " + "x" * 30_000: "30,004 characters.*20,000",
    "y ~ (a + b + c + d + e + f + g + h + i + j + k + l + m)**13": "8,191 terms.*5,000",
    "y ~ a*b*c*d*e*f*g*h*i*j*k*l*m": "8,191 terms",
    "y ~ a:b:c:d:e:f:g:h:i:j:k": "at most 10 factors",
    "y ~ x +": r"the expression ended\n.*\n +\^",
    "y ~ (x": r"Unmatched '\('\n.*\n +\^",
    "y ~ x)": "extra|Unmatched|missing",
    "y ~ 'abc": "cannot be read",
    "y ~ x # comment": "comments",
    "y ~ 2*x": r"I\(2 \* x\)",
    "y ~ x**z": "positive integer",
    "y ~ .": "The dot.*name the columns",
    "y ~ body.mass": r'Q\("body.mass"\)',
    "y ~ weight.in.kg": r'Q\("weight.in.kg"\)',
    "y ~ np.log(class)": r'Q\("class"\)',
    "y ~ a %in% b": "write a:b",
    "y ~ x ^ 2": r"I\(x\*\*2\)",
    "k/m ~ x": r"successes\(k, m\).*trials='m'",
    "y1 + y2 + y3 ~ x": "3 responses",
    "y ~ y + x": "'y' is also a predictor",
    "y ~ x + np.log(y)": "'y' is also a predictor",
    "I(y > 0) ~ y": "on both sides",
    "successes(k, n) ~ k + n": "column k stands on both sides",
    "y ~ factor(g)": r"For R's factor\(\) write C\(x\)",
    "y ~ as.factor(g)": r"write C\(x\)",
    "y ~ ns(x, 3)": r"cr\(x",
    "y ~ expp(x)": "Did you mean 'exp'.*functions=",
    "y ~ sinh(x)": r"Write np.sinh",
    "y ~ np.logg(x)": "does not exist.*Did you mean 'log'",
    "y ~ np.mean(x)": "does not work row by row",
    "y ~ np.cumsum(x)": "does not work row by row",
    "y ~ np.matmul(x, x)": "does not work row by row",
    "y ~ np.log(x, z)": "takes 1 argument",
    "y ~ np.log(x, out=z)": "no keywords",
    "y ~ np.where(x)": "3 to 3 arguments",
    "y ~ I(x**1000)": "powers beyond 64",
    "y ~ I(x)(z)": "called by their name",
    "y ~ I(x, z)": "one argument",
    "y ~ Q(x)": "in quotes",
    "y ~ C()": "needs a column",
    "y ~ C(g, Tratment)": "Did you mean 'Treatment'",
    "y ~ C(g, Treatment(1, 2, 3))": "one setting",
    "y ~ C(g, lvls=['a'])": "no setting 'lvls'.*Did you mean 'levels'",
    "y ~ C(g, levels='ab')": "takes a list",
    "y ~ C(g, Sum, contrast=Sum)": "given twice",
    "y ~ bs(x)": "needs df= or knots=",
    "y ~ bs(x, df=z)": "must be a constant",
    "y ~ bs(x, df=2)": "at least 3",
    "y ~ bs(x, df=5, knots=[1])": "2 inner knots, not 1",
    "y ~ bs(x, df=5, degree=-1)": "degree must lie",
    "y ~ bs(x, df=5.5)": "whole number",
    "y ~ bs(x, df=10**9)": "between 1 and 200",
    "y ~ cr(x, df=4, constraints='centre')": "'center'",
    "y ~ scale(x, centre=True)": "Did you mean 'center'",
    "center(y) ~ x": "learns from the data",
    "y ~ offset(scale(x))": "learns from the data",
    "y ~ offset(x):z": "cannot interact",
    "y ~ I(offset(x))": "term of its own",
    "y ~ offset()": "takes 1 argument",
    "y ~ successes(k, n)": "whole response",
    "successes(k) ~ x": "takes 2 arguments",
    "y ~ x if z else w": "np.where",
    "y ~ I(x and z)": "write & or |",
    "y ~ I(not x)": "~x",
    "y ~ I(x in [1])": "np.isin",
    "y ~ I(x << 2)": "operator",
    "y ~ I(1j * x)": "complex",
    "y ~ np.log(*x)": "not allowed",
    "y ~ np.log(**x)": "not allowed",
}


@pytest.mark.parametrize(("text", "says"), REFUSED.items(), ids=[str(text)[:40] for text in REFUSED])
def test_refusals_name_the_culprit(text, says):
    with pytest.raises(FormulaError, match=f"(?s){says}"):
        parse(text)


def test_errors_inside_factors_keep_the_caret():
    with pytest.raises(FormulaError, match=r"\n    y ~ x \+ open\('f'\)\n            \^{9}$"):
        parse("y ~ x + open('f')")


# A call that would leave a trace, dressed in many ways.
DANGEROUS = [
    "__import__('os').system('touch TRACE')",
    "__import__('os').environ.setdefault('TRACE', '1')",
    "().__class__.__bases__[0].__subclasses__()",
    "''.__class__",
    "x.__class__",
    "x.to_csv('TRACE')",
    "x.tofile('TRACE')",
    "open('TRACE', 'w')",
    "eval('1')",
    "exec('import os')",
    "compile('1', '', 'eval')",
    "getattr(x, 'tofile')('TRACE')",
    "globals()",
    "np.load('x')",
    "np.save('TRACE', x)",
    "np.fromfile('x')",
    "np.lib.npyio.os.system('touch TRACE')",
    "np.f2py.os",
    "np.frompyfunc(x, 1, 1)",
    "np.vectorize(x)",
    "np.add.reduce(x)",
    "np.log.__class__",
    "np.copyto(x, 0)",
    "np.put(x, 0, 9)",
    "np.log(x, x)",
    "np.log(x, out=x)",
    "(lambda: 1)()",
    "I((lambda v: v)(x))",
    "I([v for v in x])",
    "I(v for v in x)",
    "I({v for v in x})",
    "I({1: x}[1])",
    "I(x[0])",
    "I(f'{x}')",
    "I((v := x))",
    "I(yield)",
    "I(await x)",
    "I(*x)",
    "I(x @ x)",
    "I('a' * 10**9)",
    "I([0] * 10**9)",
    "bs(x, knots=[0] * 10**9)",
    "x; import os",
    "x\\\n; import os",
    "breakpoint()",
    "exit()",
    "C(x, contrast=open('TRACE', 'w'))",
    "bs(x, df=open('TRACE', 'w'))",
    "Q(open('TRACE', 'w'))",
    "Q('x'.__class__)",
    "offset(open('TRACE', 'w'))",
]


@pytest.mark.parametrize("text", DANGEROUS)
def test_nothing_in_a_formula_is_executed(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = X.copy()
    with pytest.raises(BridgeError):
        formula = parse(f"y ~ {text}")
        [factor.expression.evaluate(VALUES) for factor in formula.factors]
    with pytest.raises(BridgeError):
        expression(text).evaluate(VALUES)
    assert "TRACE" not in os.environ
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(X, before)


@pytest.mark.parametrize("text", ["9**9**9**9**9", "64**64**64**64", "2**63 * k + 2**64", "10**60 * 10**60"])
def test_constants_stay_small(text):
    assert np.asarray(expression(text).evaluate(VALUES)).dtype == float


def test_long_formulas_give_short_messages():
    many = " + ".join(f"v{i}" for i in range(2000))
    for text in (
        f"{many}",
        f"y ~ {many} + x[0]",
        f"y ~ {many} + I({many})",
        f"y ~ {many} + )",
        f"y ~ {many} + −x",
    ):
        with pytest.raises(FormulaError) as caught:
            parse(text)
        assert len(str(caught.value)) < 700


def test_names_come_from_the_data_alone():
    captured = X
    with pytest.raises(DataError, match="no column 'captured'"):
        parse("y ~ np.log(captured)").factors[0].expression.evaluate(VALUES)
    with pytest.raises(FormulaError, match="'captured' is not known"):
        parse("y ~ captured(x)")
    assert captured is X


@settings(max_examples=150)
@given(st.text(alphabet="yxgC01()[]~+-*/:.,'\"=<>&|^%#\\ \n\tnplogIQbs@{}λ∼", max_size=40))
def test_any_text_is_read_or_refused(text):
    for read in (parse, one_sided, expression):
        with contextlib.suppress(FormulaError, FormulaWarning):
            read(text)


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from(["x", "k", "b", "g", "2", "0.5", "'a'", "+", "-", "*", "**", "/", "//", "%", "(", ")", "&"])
        | st.sampled_from(["==", "<", "~", "np.log", "I", "C", ",", "np.where", "[", "]", "np.power"]),
        max_size=12,
    )
)
def test_any_expression_is_computed_or_refused(words):
    with contextlib.suppress(BridgeError):
        expression(" ".join(words)).evaluate(VALUES)


# --- refusals of values, warnings ---------------------------------------------------------

MISUSED = {
    "g + 1": r"needs numbers.*levels 'b', 'a'",
    "np.log(g)": "needs numbers",
    "-b": "write ~x",
    "b + b": r"1 \* a \+ 1 \* b",
    "x & b": "join conditions",
    "~x": "join conditions",
    "x == 'a'": "compares numbers with text",
    "g == 1.5 * x": "compares levels with numbers",
    "g < 'b'": "== and != only",
    "x + 'a'": "is no number",
    "C(g) + 1": "has no arithmetic",
    "absent + 1": "no column 'absent'",
    "clas": "Did you mean 'class'",
}


@pytest.mark.parametrize(("text", "says"), MISUSED.items())
def test_values_of_the_wrong_kind_are_refused(text, says):
    with pytest.raises(DataError, match=says):
        expression(text).evaluate(VALUES)


def test_a_power_of_one_variable_warns_every_time_and_once():
    for _ in range(2):
        with pytest.warns(FormulaWarning, match=r"x\*\*2 .* means x alone.*I\(x\*\*2\)") as caught:
            parse("y ~ x**2 + z**3 + z")
        assert len(caught) == 1
    assert [term.name() for term in parse("y ~ (x + z)**2").terms] == ["Intercept", "x", "z", "x:z"]
