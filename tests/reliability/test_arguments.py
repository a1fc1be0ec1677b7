"""Arguments: misspelt, of the wrong type, out of range."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reliability.hostile import frame, put, refused, same, warned

import glmnet_bridge as gb
from glmnet_bridge.errors import BridgeError

DATA = frame()


def family(name: str, link: str | None = None) -> Any:
    """A family of statsmodels; it warns of its own choices."""
    import warnings

    from statsmodels.genmod import families as others

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(others, name)() if link is None else getattr(others, name)(getattr(others.links, link)())


REFUSED = {
    "a_bad_link": ({"link": "logitt"}, ["'logitt'", "logit, probit", "Did you mean 'logit'?"]),
    "a_link_of_another_family": ({"family": "poisson", "link": "logit"}, ["poisson", "'logit'", "log, sqrt, identity"]),
    "a_link_number": ({"link": 1}, ["link is 1", "logit"]),
    "a_link_list": ({"link": ["logit"]}, ["link is a list"]),
    "a_bad_family": ({"family": "poison"}, ["'poison'", "Did you mean 'poisson'?"]),
    "a_family_none": ({"family": None}, ["family is None", "binomial, gaussian"]),
    "a_family_number": ({"family": 1}, ["family is 1"]),
    "a_family_frame": ({"family": DATA}, ["family is a DataFrame"]),
    "a_family_elsewhere": ({"family": family("NegativeBinomial")}, ["negativebinomial", "binomial, gaussian"]),
    "a_tweedie": ({"family": family("Tweedie")}, ["tweedie"]),
    "a_typo": ({"prior_weight": 1}, ["prior_weight'", "Did you mean 'prior_weights'?"]),
    "a_weights": ({"weights": 1}, ["'weights'", "prior_weights (R's weights) or freq_weights"]),
    "a_var_weights": ({"var_weights": 1}, ["'var_weights'", "prior_weights"]),
    "a_maxiter": ({"maxiter": 9}, ["'maxiter'", "max_steps"]),
    "a_alpha": ({"alpha": 1.0}, ["'alpha'", "gb.penalties.ridge"]),
    "a_nonsense": ({"qqqq": 1}, ["glm() has no argument 'qqqq'"]),
    "a_data_twice": ({"data": DATA}, ["multiple values for argument 'data'", "formula, data, family, link"]),
    "a_steps_negative": ({"max_steps": -1}, ["max_steps=-1", "zero or more"]),
    "a_steps_text": ({"max_steps": "a"}, ["max_steps='a'"]),
    "a_steps_half": ({"max_steps": 2.5}, ["max_steps=2.5"]),
    "a_steps_true": ({"max_steps": True}, ["max_steps=True"]),
    "a_tol_zero": ({"tol": 0}, ["tol=0", "1e-9"]),
    "a_tol_large": ({"tol": 2}, ["tol=2"]),
    "a_tol_negative": ({"tol": -1e-9}, ["tol=-1e-09"]),
    "a_tol_text": ({"tol": "small"}, ["tol='small'"]),
    "a_tol_nan": ({"tol": np.nan}, ["tol=nan"]),
    "a_penalty_number": ({"penalty": 1.0}, ["penalty=1.0", "gb.penalties.ridge"]),
    "a_penalty_text": ({"penalty": "ridge"}, ["penalty='ridge'", "gb.penalties.ridge"]),
    "a_missing": ({"missing": "omit"}, ["missing='omit'", "'drop' or 'raise'"]),
    "a_start_short": ({"start": [1.0]}, ["start=", "2 finite numbers", "Intercept, x1", "has 1"]),
    "a_start_long": ({"start": [1.0, 2.0, 3.0]}, ["start=", "has 3"]),
    "a_start_number": ({"start": 0.0}, ["start=", "has 1"]),
    "a_start_nan": ({"start": [np.nan, 1.0]}, ["start=", "nan"]),
    "a_start_inf": ({"start": [np.inf, 1.0]}, ["start=", "1e100"]),
    "a_start_beyond": ({"start": [1e308, 1e308]}, ["start=", "1e100"]),
    "a_start_text": ({"start": "ab"}, ["start=", "something else than numbers"]),
    "a_start_texts": ({"start": ["a", "b"]}, ["start=", "something else than numbers"]),
    "a_start_complex": ({"start": [1j, 2]}, ["start=", "something else than numbers"]),
    "a_start_unknown_name": ({"start": {"Intercept": 1.0, "x2": 0.0}}, ["start=", "'x2'", "Did you mean 'x1'?"]),
    "a_start_name_lacks": ({"start": pd.Series({"x1": 1.0})}, ["start=", "lacks 'Intercept'"]),
    "a_start_outside": ({"family": "gamma", "start": [-5.0, 0.0]}, ["start", "valid linear predictor"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    given, parts = REFUSED[name]
    formula = "p ~ x1" if name == "a_start_outside" else "y ~ x1"
    refused(lambda: gb.glm(formula, DATA, **given), *parts)


def test_calls_that_do_not_fit() -> None:
    refused(lambda: gb.glm("y ~ x1"), "glm()", "'data'")
    refused(lambda: gb.glm("y ~ x1", DATA, "binomial", "logit", np.ones(60)), "too many positional", "all else by name")
    refused(lambda: gb.fit(DATA[["x1"]]), "fit()", "'y'")
    refused(lambda: gb.bridge("y ~ x1"), "bridge()", "'data'")


@pytest.mark.parametrize("strength", [-1, np.nan, np.inf, "a", None])
def test_strength_of_a_penalty(strength: object) -> None:
    refused(lambda: gb.penalties.ridge(strength), "ridge(", "zero or more")


def test_a_maxiter_too_small() -> None:
    for steps in (0, 1, np.int64(2)):
        fit = warned(
            lambda steps=steps: gb.glm("y ~ x1", DATA, max_steps=steps),
            f"after {steps} step",
            "max_steps=",
            "standard errors",
        )
        assert fit.outcome == "step limit" and not fit.converged and fit.distance_to_mle > 1e-5
    refused(lambda: gb.glm("y ~ x1", DATA, max_steps=1, strict=True), "max_steps=")
    newton = warned(lambda: gb.glm("y ~ x1", DATA, max_steps=0, start={"x1": 0.3, "Intercept": 0.1}), "0 steps")
    np.testing.assert_allclose(newton.params, [0.1, 0.3], rtol=1e-15)


def test_few_steps_among_many_rows() -> None:
    x = np.random.default_rng(0).normal(size=30_000)
    data = pd.DataFrame({"x": x, "y": (x + np.random.default_rng(1).logistic(size=30_000) > 1) * 1})
    fit = warned(lambda: gb.glm("y ~ x", data, max_steps=0, start=[0.5, 0.25]), "0 steps", "max_steps=")
    assert fit.params.tolist() == [0.5, 0.25]
    warned(lambda: gb.glm("y ~ x", data, max_steps=1), "1 step", "max_steps=")


@pytest.mark.parametrize(
    "given",
    [
        {"family": gb.families.poisson}, {"family": gb.families.poisson()}, {"family": " Poisson "},
        {"family": family("Poisson")}, {"family": type(family("Poisson"))}, {"family": "poisson", "link": "LOG"},
        {"family": family("Poisson", "Log")}, {"family": "poisson", "link": type(family("Poisson").link)},
        {"family": "poisson", "tol": np.float32(1e-6)}, {"family": "poisson", "max_steps": np.int64(30)},
        {"family": "poisson", "start": pd.Series({"x1": 0.5, "Intercept": 0.1})},
        {"family": "poisson", "tol": 1e-300}, {"family": "poisson", "penalty": gb.penalties.ridge(0)},
        {"family": "poisson", "start": (0, 0)}, {"family": "poisson", "offset": 0},
        {"family": "poisson", "prior_weights": 1},
    ],
)  # fmt: skip
def test_the_same_in_other_words(given: dict[str, Any]) -> None:
    same(gb.glm("k ~ x1", DATA, **given), gb.glm("k ~ x1", DATA, "poisson"), rtol=1e-9)


PLAIN = gb.glm("y ~ x1", DATA)
# number -> what comes of it, through each argument that takes one
TAKERS = {
    "tol": (0.25, lambda at: gb.glm("y ~ x1", DATA, tol=at).params),
    "max_steps": (30, lambda at: gb.glm("y ~ x1", DATA, max_steps=at).params),
    "offset": (2, lambda at: gb.glm("y ~ x1", DATA, offset=at).params),
    "prior_weights": (2, lambda at: gb.fit(DATA[["x1"]], DATA["y"], prior_weights=at).bse),
    "strength": (2, lambda at: gb.penalties.ridge(at).strength),
    "translated": (2, lambda at: gb.penalties.translate("sklearn C", at).l2),
    "rows": (60, lambda at: gb.penalties.translate("glmnet lambda", 0.1, n=at, l1_ratio=0).l2),
    "rows_into": (60, lambda at: gb.penalties.translate("sklearn C", 2.0).into("sklearn SGD alpha", n=at)),
    "l1_ratio": (0.25, lambda at: gb.penalties.translate("sklearn C", 0.3, l1_ratio=at).l1),
    "sd": (0.25, lambda at: gb.penalties.translate("glmnet lambda", 0.1, n=60, l1_ratio=0.5, response_sd=at).l2),
    "penalty_momentum": (0.25, lambda at: gb.penalties.translate("keras SGD weight_decay", 0.1, n=60, momentum=at).l2),
    "level": (0.25, lambda at: PLAIN.conf_int(level=at)),
    "alpha": (0.25, lambda at: PLAIN.conf_int(alpha=at)),
    "threshold": (0.25, lambda at: PLAIN.predict(kind="class", threshold=at)),
    "simulated": (6, lambda at: gb.simulate("y ~ x1", {"Intercept": 0, "x1": 1}, at, seed=1)),
    "dispersion": (
        2,
        lambda at: gb.simulate("z ~ x1", {"Intercept": 0, "x1": 1}, 6, family="gaussian", dispersion=at, seed=1),
    ),
    **{
        name: (number, lambda at, name=name: trained(**{name: at}))
        for name, number in {
            "epochs": 2, "batch_size": 20, "learning_rate": 0.25, "momentum": 0.25, "validation": 0.25,
            "patience": 2, "random_state": 3,
        }.items()
    },
}  # fmt: skip


def trained(**given: Any) -> Any:
    """The weights after a few epochs."""
    settings = {"train": "momentum", "epochs": 3, "random_state": 1, **given}
    if "patience" in given:
        settings["validation"] = 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gb.network("y ~ x1", DATA, **settings).params


@pytest.mark.parametrize("name", TAKERS)
def test_numbers_of_numpy_are_numbers(name: str) -> None:
    """Sums, counts and cells of a frame are numpy's: they mean what Python's mean, to the last digit."""
    number, call = TAKERS[name]
    kinds = (np.int64, np.uint8, np.int32) if isinstance(number, int) else (np.float64, np.float32, np.float16)
    wanted = call(number)
    for kind in (*kinds, np.array):
        np.testing.assert_array_equal(call(kind(number)), wanted)


@pytest.mark.parametrize("name", TAKERS)
def test_what_only_resembles_a_number_is_refused(name: str) -> None:
    for value in (True, np.bool_(True), np.timedelta64(5, "s"), 2 + 0j, np.complex128(0.25), np.str_("0.25")):
        if name in ("offset", "prior_weights") and isinstance(value, str):
            continue  # text is an expression there
        with pytest.raises(BridgeError):
            TAKERS[name][1](value)


def test_families_keep_no_state() -> None:
    shared = family("Binomial")
    one = gb.glm("successes(k, m) ~ x1", put(m=DATA["k"] + 5), shared)
    before = one.deviance
    gb.glm("y ~ x1", DATA, shared)
    assert one.deviance == before and gb.glm("successes(k, m) ~ x1", put(m=DATA["k"] + 5), shared).deviance == before


X, Y = DATA[["x1", "x2"]].to_numpy(), DATA["y"].to_numpy()


def spoilt(value: float) -> np.ndarray:
    matrix = X.copy()
    matrix[3, 1] = value
    return matrix


ARRAYS = {
    "x_ragged": (lambda: gb.fit([[1, 2], [3]], [0, 1]), ["X is a ragged list"]),
    "x_nan": (lambda: gb.fit(spoilt(np.nan), Y), ["'x2' is nan in row 3"]),
    "x_inf": (lambda: gb.fit(spoilt(np.inf), Y), ["'x2'", "infinite"]),
    "x_masked": (lambda: gb.fit(np.ma.masked_greater(X, 1.5), Y), ["'x1' is nan in row"]),
    "x_complex": (lambda: gb.fit(X + 1j, Y), ["X holds complex"]),
    "x_text": (lambda: gb.fit(X.astype(str), Y), ["X holds text"]),
    "x_dates": (lambda: gb.fit(pd.date_range("2020", periods=60), Y), ["X holds dates"]),
    "x_factor": (lambda: gb.fit(DATA[["x1", "g"]], Y), ["'g'", "gb.glm"]),
    "x_objects": (lambda: gb.fit(np.array([[object()]] * 60), Y), ["'x1'", "object"]),
    "x_3d": (lambda: gb.fit(X[:, :, None], Y), ["3 dimensions"]),
    "x_number": (lambda: gb.fit(5, Y), ["X is of type int"]),
    "x_none": (lambda: gb.fit(None, Y), ["NoneType"]),
    "x_no_rows": (lambda: gb.fit(np.empty((0, 2)), []), ["no rows"]),
    "x_no_columns": (lambda: gb.fit(np.empty((60, 0)), Y, intercept=False), ["no columns"]),
    "x_sparse": (lambda: gb.fit(sparse(), Y), ["sparse", ".toarray()"]),
    "x_formula": (lambda: gb.fit("y ~ x1", DATA), ["gb.glm takes a formula"]),
    "x_name_twice": (lambda: gb.fit(DATA[["x1", "x1"]], Y), ["'x1'", "rename"]),
    "x_with_intercept": (
        lambda: gb.fit(DATA[["x1"]].assign(Intercept=1.0), Y),
        ["'Intercept'", "leave this column out"],
    ),
    "y_too_short": (lambda: gb.fit(X, Y[:-1]), ["y= has 59 values", "60 rows"]),
    "y_number": (lambda: gb.fit(X, 1), ["y= is 1"]),
    "y_none": (lambda: gb.fit(X, None), ["y= is None"]),
    "y_row": (lambda: gb.fit(X, Y[None, :]), ["y= has shape (1, 60)"]),
    "y_three_columns": (lambda: gb.fit(X, np.eye(60, 3)), ["y= has shape (60, 3)"]),
    "y_nan": (lambda: gb.fit(X, np.where(np.arange(60) == 3, np.nan, Y)), ["y is missing in row 3"]),
    "y_masked": (lambda: gb.fit(X, np.ma.masked_array(Y, mask=np.arange(60) == 3)), ["y is missing in row 3"]),
    "names_twice": (lambda: gb.fit(X, Y, names=["a", "a"]), ["'a'", "names="]),
    "names_too_few": (lambda: gb.fit(X, Y, names=["a"]), ["names= has 1", "2 columns"]),
    "names_text": (lambda: gb.fit(X, Y, names="ab"), ["names='ab'", "list"]),
    "names_number": (lambda: gb.fit(X, Y, names=5), ["names=5"]),
    "names_none_inside": (lambda: gb.fit(X, Y, names=[None, "a"]), ["names= has None"]),
    "names_intercept": (lambda: gb.fit(X, Y, names=["Intercept", "a"], intercept=False), ["'Intercept'", "rename"]),
    "intercept_text": (lambda: gb.fit(X, Y, intercept="no"), ["intercept='no'"]),
    "weights_by_name": (lambda: gb.fit(X, Y, prior_weights="w"), ["prior_weights='w'", "no columns"]),
    "weights_nan": (lambda: gb.fit(X, Y, prior_weights=np.r_[np.nan, np.ones(59)]), ["prior_weights= is nan in row 0"]),
    "formula_keyword": (lambda: gb.fit(X, Y, missing="drop"), ["no argument 'missing'"]),
}


def sparse() -> object:
    from scipy.sparse import csr_matrix

    return csr_matrix(X)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_refused(name: str) -> None:
    call, parts = ARRAYS[name]
    refused(call, *parts)


def read_only(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.flags.writeable = False
    return values


FORMS = {
    "lists": lambda: (X.tolist(), Y.tolist()),
    "tuples": lambda: (tuple(map(tuple, X)), tuple(Y)),
    "fortran": lambda: (np.asfortranarray(X), Y),
    "read_only": lambda: (read_only(X), read_only(Y)),
    "strided": lambda: (np.repeat(X, 2, axis=0)[::2], np.repeat(Y, 2)[::2]),
    "backwards": lambda: (X[::-1], Y[::-1]),
    "big_endian": lambda: (X.astype(">f8"), Y.astype(">i4")),
    "longdouble": lambda: (X.astype("longdouble"), Y.astype(float)),
    "objects": lambda: (X.astype(object), Y.astype(object)),
    "column": lambda: (X, Y[:, None]),
    "booleans": lambda: (X, Y == 1),
    "texts": lambda: (X, np.where(Y == 1, "yes", "no")),
    "frame": lambda: (DATA[["x1", "x2"]], DATA[["y"]]),
    "labelled": lambda: (DATA[["x1", "x2"]], DATA["y"]),
    "nullable": lambda: (DATA[["x1", "x2"]].convert_dtypes(), DATA["y"].astype("Int64")),
    "arrow": lambda: (DATA[["x1", "x2"]].astype("double[pyarrow]"), DATA["y"]),
    "sparse_frame": lambda: (DATA[["x1", "x2"]].astype("Sparse[float]"), DATA["y"]),
    "dict": lambda: ({"x1": X[:, 0], "x2": X[:, 1]}, Y),
    "records": lambda: (DATA[["x1", "x2"]].to_records(index=False), Y),
    "weighted": lambda: (X, np.column_stack([Y, 1 - Y])),
}


@pytest.mark.parametrize("name", FORMS)
def test_arrays_in_any_form(name: str) -> None:
    x, y = FORMS[name]()
    same(gb.fit(x, y), gb.glm("y ~ x1 + x2", DATA))


def test_arrays_of_other_packages() -> None:
    import polars
    import pyarrow

    plain = gb.glm("y ~ x1 + x2", DATA)
    same(gb.fit(polars.from_pandas(DATA[["x1", "x2"]]), polars.from_pandas(DATA["y"])), plain)
    same(gb.fit(pyarrow.Table.from_pandas(DATA[["x1", "x2"]]), Y), plain)


@pytest.mark.parametrize("dtype", ["f4", "f2", "i1", "u1", "i8", "?"])
def test_arrays_of_small_types(dtype: str) -> None:
    small = (X > 0 if dtype == "?" else np.abs(20 * X)).astype(dtype)
    same(gb.fit(small, Y), gb.fit(small.astype(float), Y))


def test_mixed_frames_and_single_columns() -> None:
    mixed = pd.DataFrame({"x1": X[:, 0], "up": X[:, 1] > 0, "k": DATA["k"].astype("Int8")})
    same(gb.fit(mixed, Y), gb.fit(mixed.astype(float), Y))
    for one in (X[:, 0], X[:, :1], X[:, 0].tolist(), DATA["x1"]):
        same(gb.fit(one, Y), gb.glm("y ~ x1", DATA))


def test_arrays_with_a_constant_column() -> None:
    fit = warned(lambda: gb.fit(np.column_stack([np.ones(60), X]), Y), "x1 = Intercept")
    np.testing.assert_allclose(fit.params.dropna(), gb.fit(X, Y).params, rtol=1e-12)
    own = gb.fit(np.column_stack([np.ones(60), X]), Y, intercept=False, names=["const", "a", "b"])
    np.testing.assert_allclose(own.params, gb.fit(X, Y).params, rtol=1e-9)


def test_no_columns_but_the_intercept() -> None:
    same(gb.fit(np.empty((60, 0)), Y), gb.glm("y ~ 1", DATA))


def test_arrays_are_not_touched() -> None:
    matrix, response = X.copy(), Y.copy()
    gb.fit(matrix, response)
    assert (matrix == X).all() and (response == Y).all()


def test_one_bad_value_among_many_rows() -> None:
    matrix = np.random.default_rng(0).normal(size=(60_000, 4))
    matrix[41_234, 2] = np.nan
    refused(lambda: gb.fit(matrix, np.arange(60_000) % 2), "'x3'", "row 41234")
