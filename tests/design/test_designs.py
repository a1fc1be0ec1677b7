"""Designs: the columns are those of patsy to the last bit, in blocks as in one piece, at any size."""

import itertools
import threading
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import patsy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmnet_bridge.data.rows import Columns
from glmnet_bridge.design.designs import Design
from glmnet_bridge.design.formulas import one_sided, parse
from glmnet_bridge.errors import ArgumentError, DataError, DataWarning, FormulaError

rng = np.random.default_rng(2)
N = 150
FRAME = pd.DataFrame(
    {
        "x": rng.normal(size=N),
        "z": rng.normal(size=N),
        "p": rng.random(N) + 0.5,
        "k": rng.integers(1, 6, N),
        "b": rng.random(N) < 0.4,
        "g": pd.Categorical(rng.choice(list("abc"), N)),
        "h": pd.Categorical(rng.choice(list("uvwx"), N), categories=list("xwvu"), ordered=True),
        "s": rng.choice(["lo", "mid", "hi"], N),
        "i": pd.Categorical(rng.choice([10, 20, 5], N)),
        "a b": rng.normal(size=N),
    }
)


def values(frame):
    """The columns as the data stage hands them over."""
    found = {}
    for name in frame:
        column = frame[name]
        is_number = column.dtype != object and column.dtype.kind in "fib"
        found[name] = column.to_numpy() if is_number else pd.Categorical(column)
    return found


VALUES = values(FRAME)

# The specification: for each kind of column, formulas that must give patsy's columns.
SPECIFICATION = {
    "numbers": ["x", "x + z", "k", "k + x", "1", "0 + x", "x - 1", "x + x"],
    "products": ["x:z", "x*z", "k:x", "x*z*k", "(x + z + k)**2", "x/z", "x*z - x", "z:x + x"],
    "boolean": ["b", "b + x", "0 + b", "b:x", "b*g", "x > 0", "I(x > 0):g", "I((x > 0) & ~(z < 1))"],
    "category": ["g", "h", "i", "0 + g", "0 + g + h", "g:h", "g:h - 1", "g*h", "g + g:h", "h:g + h"],
    "text": ["s", "s + g", "0 + s:g", "s*b", "s == 'lo'", "np.isin(k, [1, 2]):s"],
    "C": ["C(g)", "C(k)", "C(b)", "C(s)", "C(i)", "C(k):C(g):x", "C(np.round(x))", "C(x > 0)"],
    "contrasts": [
        "C(g, Treatment)",
        "C(g, Treatment('b'))",
        "C(g, Treatment(reference='c'))",
        "C(g, Treatment(1))",
        "C(g, Sum)",
        "C(g, Sum(omit='a'))",
        "C(h, Helmert)",
        "C(h, Diff)",
        "C(k, Poly)",
        "C(k, Poly(scores=[1, 2, 4, 8, 9]))",
        "0 + C(g, Sum) + C(h, Helmert)",
        "C(g, Sum)*C(h, Poly)",
        "C(s, levels=['mid', 'lo', 'hi'])",
        "C(s, Treatment('hi'), levels=['mid', 'lo', 'hi'])",
        "C(C(g, Sum), levels=['c', 'b', 'a'])",
        "C(g, contrast=[[1, 0], [0, 1], [-1, -1]])",
    ],
    "mixed": [
        "g*x",
        "g:x",
        "0 + g:x",
        "g*h*x",
        "x*g*h:z",
        "b:g:x:k",
        "g/x",
        "x/g",
        "k*g*b",
        "s:x + s",
        "h:b + x:h",
    ],
    "functions": [
        "np.log(p)",
        "np.exp(x)*g",
        "I(x**2)",
        "I(x*z + k)",
        "I(k**2)",
        "I(k / 2)",
        "I(k // 2) + I(k % 2)",
        "np.where(x > 0, x, 0)",
        "np.maximum(x, z)",
        "np.clip(x, -1, 1)",
        "I(-x)",
        "Q('a b') + Q(\"a b\"):g",
        "np.sin(x) + np.log1p(p)",
    ],
    "centred": ["center(x)", "center(k)", "center(x):center(z)", "center(x)*g", "center(bs(x, df=4))"],
    "scaled": [
        "scale(x)",
        "scale(k)",
        "standardize(x, ddof=1)",
        "scale(x, center=False)",
        "scale(x, rescale=False)",
        "scale(np.log(p))",
        "scale(x):z",
        "g*scale(x)*scale(z)",
        "k:scale(x):z",
        "I(scale(x)**2)",
        "scale(bs(x, df=4))",
        "center(scale(x))",
    ],
    "bs": [
        "bs(x, df=5)",
        "bs(x, 4)",
        "bs(k, df=4)",
        "bs(x, df=5, degree=2)",
        "bs(x, df=3, degree=1)",
        "bs(x, df=3, degree=0)",
        "bs(x, df=9, degree=5)",
        "bs(x, df=6, include_intercept=True) - 1",
        "bs(x, knots=[-1, 0, 1])",
        "bs(x, knots=(0.5, -0.5), lower_bound=-10, upper_bound=10)",
        "bs(x, knots=[0, 0, 1], degree=3)",
        "bs(center(x), df=4)",
        "bs(np.log(p), df=4)",
        "bs(x, df=4)*g",
        "bs(x, df=4):z:b",
    ],
    "cr, cc, te": [
        "cr(x, df=4)",
        "cr(x, df=4, constraints='center')",
        "cr(x, knots=[-1, 0, 1])*g",
        "cr(x, df=3, constraints=[[1, 2, 3, 4]])",
        "cc(x, df=4)",
        "cc(x, df=5, constraints='center')",
        "te(cr(x, df=3), cc(z, df=4)) - 1",
        "te(cr(x, df=3), cr(z, df=4), constraints='center')",
        "te(bs(x, df=4), z)",
    ],
}
FORMULAS = [formula for group in SPECIFICATION.values() for formula in group]


def same_bits(one, other):
    return one.shape == other.shape and np.array_equal(
        np.ascontiguousarray(one).view(np.int64), np.ascontiguousarray(other).view(np.int64)
    )


@pytest.mark.parametrize("formula", FORMULAS)
def test_columns_are_those_of_patsy(formula):
    expected = patsy.dmatrix(formula.replace("~(z < 1)", "(z >= 1)"), FRAME)
    info = expected.design_info
    design = Design.learn(one_sided(formula), VALUES)
    assert [name.replace("~(z < 1)", "(z >= 1)").replace("  ", " ") for name in design.names] == info.column_names
    assert same_bits(np.asarray(expected), design.matrix(VALUES))
    slices = {name.replace("~(z < 1)", "(z >= 1)").replace("  ", " "): where for name, where in design.terms}
    assert slices == dict(info.term_name_slices)


def test_columns_named_like_functions_and_keywords_are_columns():
    names = ("C", "I", "Q", "np", "bs", "class", "log", "Sum")
    data = {name: VALUES["k"] + at for at, name in enumerate(names)}
    design = Design.learn(one_sided(" + ".join(names) + " + C(C, Sum) + I(I + bs) + np.log(np) + log(log)"), data)
    found = dict(zip(design.names, design.matrix(data).T, strict=True))
    assert all(np.array_equal(found[name], data[name]) for name in names)
    assert np.array_equal(found["np.log(np)"], np.log(data["np"]))
    assert found["C(C, Sum)[S.1]"].sum() == (data["C"] == 1).sum() - (data["C"] == 5).sum()


def test_splines_are_those_of_patsy_on_new_rows():
    """At the knots, at both ends, and for few rows."""
    design = Design.learn(one_sided("bs(x, knots=[-1, 0, 1]) + cr(x, df=5) + cc(x, df=5)"), VALUES)
    info = patsy.dmatrix("bs(x, knots=[-1, 0, 1]) + cr(x, df=5) + cc(x, df=5)", FRAME).design_info
    x = np.array([-1.0, 0.0, 1.0, 0.3, FRAME.x.min(), FRAME.x.max()])
    assert same_bits(np.asarray(patsy.dmatrix(info, {"x": x})), design.matrix({"x": x}))


def test_integers_may_be_given_as_floats_and_back():
    design = Design.learn(one_sided("k*x + C(k) + bs(k, df=4)"), VALUES)
    as_float = VALUES | {"k": VALUES["k"].astype(float)}
    assert same_bits(design.matrix(as_float), design.matrix(VALUES))
    design = Design.learn(one_sided("k*x + C(k) + bs(k, df=4)"), as_float)
    assert same_bits(design.matrix(as_float), design.matrix(VALUES))


# --- blocks -------------------------------------------------------------------------------

BLOCKS = "g*h + b:x + bs(x, df=4):g + scale(z):k + C(k, Sum)*s"


@settings(max_examples=25)
@given(st.lists(st.integers(1, N), max_size=4))
def test_any_blocks_give_the_same_rows(cuts):
    design = Design.learn(one_sided(BLOCKS), VALUES)
    rows = design.encode(VALUES)
    edges = sorted({0, N, *cuts})
    parts = [
        Columns(*rows.read(start, stop), rows.layout).matrix()
        for start, stop in zip(edges[:-1], edges[1:], strict=True)
    ]
    assert same_bits(np.vstack(parts), design.matrix(VALUES))


@pytest.mark.parametrize("cells", [0, 1, 5, 13, 60, 4096])
def test_any_division_into_cells_and_columns_gives_the_same_rows(cells, monkeypatch):
    expected = Design.learn(one_sided(BLOCKS), VALUES).matrix(VALUES)
    monkeypatch.setattr("glmnet_bridge.design.encodings.MAX_CELLS", cells)
    design = Design.learn(one_sided(BLOCKS), VALUES)
    assert len(design.layout.table) <= max(cells, 1)
    assert same_bits(design.matrix(VALUES), expected)


def test_verbs_of_the_cell_table_agree_with_the_matrix():
    design = Design.learn(one_sided(BLOCKS), VALUES)
    rows = design.encode(VALUES)
    columns = Columns(*rows.read(0, N), rows.layout)
    matrix, w = design.matrix(VALUES), rng.random(N)
    assert np.allclose(columns.gram(w), matrix.T @ (matrix * w[:, None]), rtol=1e-12, atol=1e-9)


def test_threads_read_the_same_rows():
    design = Design.learn(one_sided(BLOCKS), VALUES)
    rows, expected, wrong = design.encode(VALUES), design.encode(VALUES).read(0, N), []

    def read():
        for _ in range(20):
            dense, cell = rows.read(0, N)
            if not (np.array_equal(dense, expected[0]) and np.array_equal(cell, expected[1])):
                wrong.append(1)

    threads = [threading.Thread(target=read) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert wrong == []


def test_plain_columns_are_never_copied():
    n = 200_000
    data = {f"x{i}": np.random.default_rng(i).normal(size=n) for i in range(8)} | {"k": np.arange(n)}
    design = Design.learn(one_sided(" + ".join(data) + " + x0:x1"), data)
    tracemalloc.start()
    rows = design.encode(data)
    allocated = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert allocated < 8 * n // 16  # a column would be 8 n; what code first loads is counted too
    assert np.shares_memory(rows.dense[0][0].values, data["x0"])


# --- levels -------------------------------------------------------------------------------


def test_unused_levels_are_dropped_and_told():
    g = pd.Categorical(["a", "b", "a", "b"], categories=["a", "z", "b"])
    design = Design.learn(one_sided("g"), {"g": g})
    assert design.names == ("Intercept", "g[T.b]")
    assert design.unused == {"g": ("z",)}
    assert design.matrix({"g": g})[:, 1].tolist() == [0, 1, 0, 1]


def test_a_factor_of_one_level_warns():
    with pytest.warns(DataWarning, match="One level only.*g \\('a'\\)"):
        design = Design.learn(one_sided("g + x"), {"g": pd.Categorical(["a"] * 3), "x": np.arange(3.0)})
    assert design.names == ("Intercept", "x")


def test_factors_tell_the_map_what_it_needs():
    design = Design.learn(one_sided("C(g, Sum) + x + C(k):z + I(x > 0)"), VALUES)
    first, second, third = design.factors
    assert (first.name, first.variable, first.levels) == ("C(g, Sum)", "g", ("a", "b", "c"))
    assert first.columns == ("C(g, Sum)[S.a]", "C(g, Sum)[S.b]")
    assert first.matrix.tolist() == [[1, 0], [0, 1], [-1, -1]]
    assert (second.variable, second.columns, second.matrix.shape) == ("k", (), (5, 5))
    assert (third.variable, third.levels) == ("x", (False, True))


def test_a_design_knows_what_it_reads():
    design = Design.learn(parse("p ~ x + bs(z, df=4) + offset(np.log(k))"), VALUES)
    assert design.variables == {"x", "z", "k"}
    assert design.has_intercept
    assert not Design.learn(one_sided("0 + x"), VALUES).has_intercept
    assert Design.learn(parse("p ~ 1"), VALUES).encode({}, index=FRAME.index).n == N


# --- limits -------------------------------------------------------------------------------


def wide(levels, n):
    return pd.Categorical.from_codes(np.arange(n) % levels, [f"l{i}" for i in range(levels)])


def test_too_many_columns_are_refused_before_they_exist():
    data = {"g": wide(3000, 6000), "h": wide(2999, 6000), "w": wide(10_000, 20_000)[:20_000]}
    tracemalloc.start()
    with pytest.raises(FormulaError, match=r"g:h takes 8,991,\d+ \(g 3,000 levels, h 2,999 levels\).*GB"):
        Design.learn(one_sided("g:h"), {"g": data["g"], "h": data["h"]})
    with pytest.raises(FormulaError, match=r"w takes 9,999 \(w 10,000 levels\); at most 5,000"):
        Design.learn(one_sided("w"), {"w": data["w"]})
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_interactions_of_many_factors_are_bounded():
    data = {f"a{i}": wide(2, 64) for i in range(14)}
    terms = [":".join(names) for names in itertools.islice(itertools.combinations(data, 9), 220)]
    with pytest.raises(FormulaError, match="too many interactions of many factors"):
        Design.learn(one_sided(" + ".join(terms)), data)
    data = {f"a{i}": wide(3, 60) for i in range(9)}
    with pytest.raises(FormulaError, match=r"asks for 19,683 columns .*a0 3 levels"):
        Design.learn(one_sided("0 + " + ":".join(data)), data)


def test_a_number_taken_for_a_factor_is_refused():
    with pytest.raises(DataError, match="factor of 150,000 different values.*leave it out of C"):
        Design.learn(one_sided("C(x)"), {"x": np.arange(150_000) * 0.5})


def test_a_factor_of_a_thousand_levels_is_fine():
    data = {"g": wide(1000, 5000), "x": np.arange(5000.0)}
    design = Design.learn(one_sided("g + x"), data)
    assert len(design.names) == 1001
    assert design.matrix(data).sum(axis=0)[:1000].tolist() == [5000.0] + [5.0] * 999


REFUSED = {
    "Intercept + x": "named 'Intercept'",
    "0 + offset(x)": "no columns",
    "I(1)": "is a constant",
    "np.log(absent)": "no column 'absent'",
    "C(g, Treatment('q'))": r"cannot be coded.*specified level 'q'",
    "C(g, levels=['a', 'b'])": "leaves out c",
    "C(bs(x, df=4))": "one column.*several",
    "C(3)": "one column.*constant",
    "C('a')": "column is needed",
    "center(g)": "needs numbers",
    "bs(g, df=4)": "needs numbers",
    "bs(center(bs(x, df=3)), df=4)": "takes one column",
    "scale(flat)": "constant",
    "bs(flat, df=4)": "needs a range.*1 and 1",
    "bs(x, knots=[100])": "do not lie between",
    "cr(x, df=1)": "df",
    "cr(flat, df=4)": "distinct",
    "cr(x, df=4, constraints=[[1, 2]])": "columns",
    "np.log(x - x)": r"gives -inf in 150 rows \(0, 1, 2, 3, 4 and 145 more\), as x = ",
    "np.sqrt(-p)": "gives nan in 150 rows",
    "I(x / zero)": r"gives inf|gives -inf",
    "bs(np.log(zero), df=4)": "infinite or undefined in rows 0, 1",
}


@pytest.mark.parametrize(("formula", "says"), REFUSED.items())
def test_what_cannot_be_a_column_is_refused(formula, says):
    extra = {"flat": np.ones(N), "zero": np.zeros(N), "Intercept": VALUES["x"]}
    with pytest.raises((DataError, FormulaError), match=says):
        Design.learn(one_sided(formula), VALUES | extra).encode(VALUES | extra)


def test_transforms_that_fail_name_labels_and_causes():
    index = pd.Index(["anna", "bert", "carl", "dora"])
    data = {"x": np.array([1.0, 0.0, 2.0, -1.0])}
    design = Design.learn(one_sided("np.log(x)"), data)
    with pytest.raises(DataError, match=r"'np.log\(x\)' gives -inf in 2 rows \(bert, dora\), as x = 0.0 there"):
        design.encode(data, index=index)


def test_nothing_is_learnt_from_no_rows():
    with pytest.raises(DataError, match="no rows"):
        Design.learn(one_sided("x"), {"x": np.empty(0)})


def test_own_functions_are_called_on_new_rows():
    formula = one_sided(
        "double(x):g + kind(x)", {"double": lambda v: 2 * v, "kind": lambda v: np.where(v > 0, "p", "n")}
    )
    design = Design.learn(formula, VALUES)
    head = {name: column[:3] for name, column in VALUES.items()}
    assert same_bits(design.matrix(VALUES)[:3], design.matrix(head))


# --- new rows -----------------------------------------------------------------------------

TRAIN = {
    "x": np.linspace(0, 10, 30),
    "g": pd.Categorical(list("abc") * 10),
    "k": np.arange(30) % 3,
    "b": np.arange(30) % 2 == 0,
}
NEW = {
    "x": np.array([1.0, 2.0]),
    "g": pd.Categorical(["a", "c"]),
    "k": np.array([1, 2]),
    "b": np.array([True, False]),
}
DESIGN = Design.learn(one_sided("bs(x, df=4) + g + C(k) + b + center(x):g"), TRAIN)


def as_rows(new):
    return DESIGN.matrix(NEW | new)


def test_level_order_and_absent_levels_do_not_matter():
    expected = DESIGN.matrix(NEW)
    for categories in (["c", "b", "a"], ["a", "c"], ["z", "c", "a"]):
        assert same_bits(as_rows({"g": pd.Categorical(["a", "c"], categories=categories)}), expected)
    assert same_bits(as_rows({"b": np.array([1, 0])}), expected)
    assert same_bits(as_rows({"k": pd.Categorical([1, 2])}), expected)


def test_one_row_and_no_rows():
    for size in (0, 1):
        part = {name: column[:size] for name, column in NEW.items()}
        assert same_bits(DESIGN.matrix(part), DESIGN.matrix(NEW)[:size])


TRAPS = {
    "unseen level": (
        {"g": pd.Categorical(["a", "d"])},
        r"Column 'g' has level 'd' in the new data \(row r2\); the model learnt a, b, c\..*Drop those rows",
    ),
    "unseen number": ({"k": np.array([7, 9])}, r"Column 'k' has levels 7, 9 in the new data \(rows r1, r2\)"),
    "text for numbers": ({"x": pd.Categorical(["1", "2"])}, "needs numbers"),
    "numbers for text": (
        {"g": np.array([1.0, 2.0])},
        "'g' is a number in the new data; the model learnt the levels a, b, c",
    ),
    "outside the knots": (
        {"x": np.array([1.0, 12.5])},
        r"Column 'x' lies outside .*0 to 10: 12.5 \(row r2\)",
    ),
}


@pytest.mark.parametrize(("new", "says"), TRAPS.values(), ids=list(TRAPS))
def test_new_rows_that_do_not_fit_are_named(new, says):
    with pytest.raises(DataError, match=says):
        DESIGN.encode(NEW | new, index=pd.Index(["r1", "r2"]))


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="no column 'k'.*Did you mean 'kk'"):
        DESIGN.encode({name: column for name, column in NEW.items() if name != "k"} | {"kk": NEW["k"]})


def test_text_for_a_plain_number_is_named():
    design = Design.learn(one_sided("x"), TRAIN)
    with pytest.raises(DataError, match="Column 'x' holds text or categories in the new data"):
        design.encode({"x": pd.Categorical(["1", "2"])})


@pytest.mark.parametrize(
    "formula", ["bs(x, df=4) + g + C(k)", "0 + bs(x, df=4)", "g", "bs(x, df=4):g", "center(bs(x, df=4))"]
)
def test_unseen_rows_are_nan_on_request(formula):
    design = Design.learn(one_sided(formula), TRAIN)
    new = {"x": np.array([1.0, 50.0, 3.0]), "g": pd.Categorical(["a", "b", "d"]), "k": np.array([1, 1, 9])}
    bad = np.array([False, "x" in formula, "g" in formula])
    rows = design.encode(new, unseen="nan")
    columns = Columns(*rows.read(0, 3), rows.layout)
    found = columns.matrix()
    assert np.isnan(found[bad]).all()
    assert np.isfinite(found[~bad]).all()
    beta = np.zeros((found.shape[1], 1))
    assert np.array_equal(np.isnan(columns.dot(beta))[:, 0], bad)
    assert same_bits(found[:1], design.matrix({name: column[:1] for name, column in new.items()}))


def test_a_logarithm_of_zero_is_nan_on_request():
    design = Design.learn(one_sided("np.log(x) + g"), {"x": np.array([1.0, 2.0]), "g": pd.Categorical(["a", "b"])})
    found = design.matrix({"x": np.array([0.0, 2.0]), "g": pd.Categorical(["b", "b"])}, unseen="nan")
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == [1.0, 1.0, np.log(2.0)]
    with pytest.raises(ArgumentError, match="unseen='drop' is unknown"):
        design.matrix({}, unseen="drop")


def test_valid_data_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Design.learn(one_sided("np.log(p) + g*b + bs(x, df=5) + scale(k)"), VALUES).matrix(VALUES)
