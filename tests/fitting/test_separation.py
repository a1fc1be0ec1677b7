"""Separation: proved where it is, refuted where it is not, and put into words."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import patsy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import cases

import glmnet_bridge as gb
from glmnet_bridge.data.rows import ArraySource, Layout, Rows
from glmnet_bridge.fitting import cones, irls, linalg, separation
from glmnet_bridge.fitting.separation import prove, sides
from glmnet_bridge.model import families
from glmnet_bridge.model.models import Model
from glmnet_bridge.model.networks import single_unit

LOGIT, POISSON = families.binomial(), families.poisson()
STATES = {"finite": "finite", "+Inf": "+inf", "-Inf": "-inf", "either": "either", "aliased": "aliased"}


def rows_of(matrix, y=None, weights=None) -> Rows:
    matrix = np.asarray(matrix, dtype=float)
    n = len(matrix)
    y = np.zeros(n) if y is None else np.asarray(y, dtype=float)
    return Rows(ArraySource(matrix), y.reshape(n, 1), np.ones(n) if weights is None else np.asarray(weights, float))


def examine(matrix, y, family=LOGIT, weights=None):
    rows = rows_of(matrix, y, weights)
    counted = linalg.rows_triangle(rows, lambda block: (block.weights > 0) * 1.0)
    return prove(rows, sides(family, rows.response), linalg.rank(counted).kept)


def with_ones(*columns) -> np.ndarray:
    return np.column_stack([np.ones(len(columns[0])), *columns])


def confirmed(found, matrix, way) -> None:
    """Rows that go off go their way, the others do not move."""
    eta = np.asarray(matrix, dtype=float) @ found.direction
    limit = 1e-9 * np.abs(eta).max()
    assert (way * eta > limit).tolist() == found.goes_off.tolist()
    assert np.abs(eta[~found.goes_off]).max(initial=0.0) <= limit


# --- against R's linear programmes ------------------------------------------------------------------


def reference(name):
    """Matrix, response, weights, names and family of a case."""
    case = cases.load(name)
    model, data = case["model"], cases.frame(case)
    if "subset" in case:
        data = data.query(case["subset"]["py"])
    left, right = model["patsy"].split("~")
    design = patsy.dmatrix(right, data)
    weights = np.ones(len(data)) if "weights" not in model else data[model["weights"]["py"]].to_numpy(float)
    if model["response"] == "grouped":
        yes, no = (data[part.strip()].to_numpy(float) for part in left.split("+"))
        y, weights = yes / (yes + no), yes + no
    else:
        y = data[left.strip()].to_numpy(float)
    family = families.named(model["family"], model["link"])
    return np.asarray(design), y, weights, design.design_info.column_names, family


@pytest.mark.parametrize("name", cases.names("separation"))
def test_states_are_those_of_r(name):
    matrix, y, weights, names, family = reference(name)
    expected = cases.load(name)["ref"]["separation"]
    found = examine(matrix, y, family, weights)
    assert (found is not None) == expected["any"]
    if found is None:
        assert set(expected["coef"]) <= {"finite", "aliased"}
        return
    assert list(found.status) == [STATES[state] for state in expected["coef"]]
    assert found.goes_off.sum() == expected["n_separated_rows"] == sum(found.counts[:2])
    assert found.complete == expected["complete"]
    if (weights > 0).all():
        confirmed(found, matrix, sides(family, y))
    words = found.sentence(names, family)
    for column, state in zip(names, found.status, strict=True):
        assert (f"{column} -> {state}" in words) == (state in ("+inf", "-inf"))


def test_sentence_names_term_reason_rest_and_next_step():
    matrix, y, _, names, family = reference("sep_endometrial")
    assert examine(matrix, y).sentence(names, family) == (
        "NV -> +inf: 13 rows are predicted perfectly (NV = 1 has only events). Intercept, PI, EH stay finite. "
        + separation.NEXT
    )
    assert "ridge" in separation.NEXT


# --- sides: where a likelihood rises for ever -------------------------------------------------------


@pytest.mark.parametrize("name", [f"{family}/{link}" for family, link in families.KERNELS if family != "multinomial"])
def test_sides_are_where_the_likelihood_rises_for_ever(name):
    """A side means: the likelihood of the row rises all the way, to what it can reach at most."""
    family = families.named(*name.split("/", 1))
    y = np.array([0.0, 1.0, 0.25 if family.name == "binomial" else 3.0])
    found = sides(family, y[:, None])
    if family.distribution.support == "positive":
        assert found is None
        return
    eta = np.array([0.0, 1.0, 4.0, 16.0, 30.0])
    for value, side in zip(y, np.zeros(3) if found is None else found, strict=True):
        for way in (1.0, -1.0):
            loglik = family.local(np.full((5, 1), value), way * eta[:, None]).loglik[:, 0]
            # 2e-2, because the tails of the Cauchy distribution are long
            rises = np.isfinite(loglik[1:]).all() and (np.diff(loglik[1:]) >= 0).all() and loglik[-1] > -2e-2
            if name != "gaussian/inverse":  # nears 0 at both ends, so no direction is its own
                assert rises == (side == way), (value, way)
    assert found is None or found.dtype == np.int8


def test_values_below_zero_go_off_under_a_log_link():
    assert sides(families.gaussian("log"), np.array([-2.0, 0.0, 2.0])).tolist() == [-1, -1, 0]


# --- separation of every kind -----------------------------------------------------------------------


def test_complete_separation():
    x = np.arange(10.0)
    found = examine(with_ones(x), x > 4)
    assert found.status == ("-inf", "+inf") and found.complete
    assert found.counts == (5, 5, 0)
    assert 4 < found.threshold < 5 and found.direction[1] == 1.0
    assert "all 10 rows are predicted perfectly (x > 4" in found.sentence(["Intercept", "x"], LOGIT)
    assert "No term stays finite" in found.sentence(["Intercept", "x"])


def test_quasi_separation_at_a_tie():
    x, y = np.array([1.0, 2, 3, 4, 4, 5, 6]), np.array([0, 0, 0, 0, 1, 1, 1])
    found = examine(with_ones(x), y)
    assert found.goes_off.tolist() == [True, True, True, False, False, True, True]
    assert found.direction.tolist() == [-4.0, 1.0]
    assert "x > 4 has only events, < 4 only non-events, = 4 the rest" in found.sentence(["Intercept", "x"], LOGIT)


def test_a_combination_that_no_column_shows():
    rng = np.random.default_rng(1)
    x = rng.integers(-20, 21, size=(400, 3)).astype(float)
    eta = 10 * x[:, 0] - 3 * x[:, 1]
    y = np.where(eta == 0, rng.integers(0, 2, 400), eta > 0)
    # ties on the border leave only one direction: the equation is exact
    x[:8, :2], y[:8] = [[3, 10], [-3, -10], [6, 20], [0, 0]] * 2, [0] * 4 + [1] * 4
    matrix = with_ones(x)
    found = examine(matrix, y)
    assert found.status == ("finite", "+inf", "-inf", "finite")
    assert found.direction.tolist() == [0.0, 10.0, -3.0, 0.0]
    assert "10*x1 - 3*x2 > 0 has only events" in found.sentence(["Intercept", "x1", "x2", "x3"], LOGIT)
    confirmed(found, matrix, 2 * y - 1)


def level_frame(seed=3):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"g": rng.choice(list("abcd"), 300), "z": rng.normal(size=300)})
    return frame, rng


@pytest.mark.parametrize(("level", "event"), [("c", 0.0), ("d", 1.0)])
def test_a_level_with_events_only_or_none(level, event):
    frame, rng = level_frame()
    y = np.where(frame["g"] == level, event, rng.integers(0, 2, 300))
    design = patsy.dmatrix("g + z", frame)
    found = examine(design, y)
    place = design.design_info.column_names.index(f"g[T.{level}]")
    state = "+inf" if event else "-inf"
    assert found.status == tuple(state if j == place else "finite" for j in range(5))
    assert (found.goes_off == (frame["g"] == level)).all()
    words = found.sentence(design.design_info.column_names, LOGIT)
    assert f"g[T.{level}] -> {state}: " in words
    assert f"(g[T.{level}] = 1 has only {'events' if event else 'non-events'})" in words


def test_the_reference_level_takes_the_intercept_along():
    frame, rng = level_frame()
    y = np.where(frame["g"] == "a", 0, rng.integers(0, 2, 300))
    design = patsy.dmatrix("g + z", frame)
    found = examine(design, y)
    assert found.status == ("-inf", "+inf", "+inf", "+inf", "finite")
    assert found.direction.tolist() == [-1.0, 1.0, 1.0, 1.0, 0.0]
    words = found.sentence(design.design_info.column_names, LOGIT)
    assert "g[T.b] + g[T.c] + g[T.d] < 1 has only non-events" in words


def test_two_levels_are_named_one_by_one():
    frame, rng = level_frame()
    y = np.where(frame["g"] == "b", 0, np.where(frame["g"] == "d", 1, rng.integers(0, 2, 300)))
    design = patsy.dmatrix("g + z", frame)
    found = examine(design, y)
    assert found.status == ("finite", "-inf", "finite", "+inf", "finite")
    words = found.sentence(design.design_info.column_names, LOGIT)
    assert "g[T.b] = 1 has only non-events, g[T.d] = 1 has only events" in words


def test_a_level_whose_counts_are_all_zero():
    frame, rng = level_frame()
    y = np.where(frame["g"] == "b", 0, rng.poisson(1.2, 300))
    design = patsy.dmatrix("g * z", frame)
    found = examine(design, y, POISSON)
    names = design.design_info.column_names
    state = dict(zip(names, found.status, strict=True))
    # within the level the slope may go either way, if the level's intercept goes fast enough
    assert state.pop("g[T.b]") == "-inf" and state.pop("g[T.b]:z") == "either"
    assert set(state.values()) == {"finite"}
    assert found.direction[names.index("g[T.b]:z")] == 0.0
    assert "are fitted as exactly 0 (g[T.b] = 1 has only counts of zero)" in found.sentence(names, POISSON)


def test_zero_counts_among_positive_ones_separate_nothing():
    rng = np.random.default_rng(0)
    matrix = with_ones(rng.normal(size=100), rng.normal(size=100))
    assert examine(matrix, rng.poisson(0.3, 100), POISSON) is None


@pytest.mark.parametrize(("family", "y", "state"), [(LOGIT, 1.0, "+inf"), (LOGIT, 0.0, "-inf"), (POISSON, 0.0, "-inf")])
def test_a_response_of_one_kind(family, y, state):
    found = examine(np.ones((5, 1)), np.full(5, y), family)
    assert found.status == (state,) and found.complete and found.direction.tolist() == [2 * (state == "+inf") - 1]
    assert "Intercept -> " in found.sentence(["Intercept"], family) and "only" in found.sentence(["Intercept"])
    wider = examine(with_ones(np.arange(5.0)), np.full(5, y), family)
    assert wider.status == (state, "either")
    assert "x runs off too, with either sign" in wider.sentence(["Intercept", "x"], family)


def test_groups_with_both_outcomes_stay():
    x = np.array([0.0, 1, 2])
    assert examine(with_ones(x), [0.0, 0.5, 1.0]).goes_off.tolist() == [True, False, True]
    assert examine(with_ones(x), [0.0, 0.5, 0.9]) is None


def test_under_a_log_link_events_are_bounded():
    """Events of a log-binomial model are best at the edge eta = 0: only a level without events runs off."""
    log = families.binomial("log")
    group = np.repeat([0.0, 1.0], 5)
    y = np.array([0, 0, 1, 1, 0, 0, 0, 0, 0, 0])
    assert examine(with_ones(group), y, log).status == ("finite", "-inf")
    assert examine(with_ones(group), np.where(group == 1, 1, y), log) is None
    assert examine(with_ones(group), np.where(group == 1, 1, y), LOGIT).status == ("finite", "+inf")


def test_rows_of_weight_zero_do_not_count():
    x = np.arange(10.0)
    y = (x > 4).astype(float)
    y[2], y[7] = 1, 0
    assert examine(with_ones(x), y) is None
    weights = np.ones(10)
    weights[[2, 7]] = 0
    found = examine(with_ones(x), y, weights=weights)
    assert found.status == ("-inf", "+inf")
    assert not found.goes_off[[2, 7]].any() and found.goes_off.sum() == 8
    assert found.complete


def test_aliased_columns_take_no_part():
    x = np.arange(10.0)
    found = examine(with_ones(x, 2 * x, x % 2), x > 4)
    assert found.status[2] == "aliased" and found.direction[2] == 0.0
    # also where columns were told to be independent that are not in the rows that count
    rows = rows_of(with_ones(x, np.arange(11.0)[:10] * 2), x > 4)
    assert prove(rows, sides(LOGIT, rows.response), np.arange(3)).status == ("-inf", "+inf", "aliased")


def test_nothing_to_prove():
    rows = rows_of(np.ones((3, 1)), [0.0, 1, 1], weights=[0, 0, 0])
    assert prove(rows, sides(LOGIT, rows.response), np.array([0])) is None
    rows = rows_of(np.ones((3, 1)), [2.0, 1, 1])
    assert prove(rows, sides(POISSON, rows.response), np.array([0])) is None
    assert prove(rows, sides(LOGIT, rows.response), np.array([], dtype=int)) is None


# --- no false alarm ---------------------------------------------------------------------------------


def moved(x, how):
    """The column in other units."""
    return {"as it is": x, "tiny": 1e-8 * x, "huge": 1e8 * x, "far": 1e6 + x}[how]


@pytest.mark.parametrize("how", ["as it is", "tiny", "huge", "far"])
@pytest.mark.parametrize("overlap", [1e-3, 1e-6, -1e-6, -1e-3])
def test_one_row_decides(overlap, how):
    """200 rows split at 0 and one event that lies beyond the last non-event, or just not."""
    x = np.linspace(-1, 1, 200)
    y = (x > 0).astype(float)
    x, y = np.append(x, x[99] - overlap), np.append(y, 1.0)
    found = examine(with_ones(moved(x, how)), y)
    assert (found is None) == (overlap > 0)
    assert found is None or (found.status[1] == "+inf" and "inf" in found.status[0])


@pytest.mark.parametrize("overlap", [1e-4, 1e-7, 1e-10, -1e-4, -1e-7])
def test_many_rows_at_the_border(overlap):
    """In several dimensions, with columns that are nearly collinear and a value far out."""
    rng = np.random.default_rng(7)
    z, w = rng.normal(size=(2, 60))
    way = np.repeat([-1.0, 1.0], 30)
    border = np.where(np.arange(60) % 2 == 0, -overlap, 0.5) * way
    matrix = with_ones(z, z + 1e-3 * w, border + 2 * z - w)
    outlier = np.array([[1.0, 1e6, 1e6, 5e6]])
    found = examine(np.vstack([matrix, outlier]), np.append(way > 0, True))
    assert (found is None) == (overlap > 0)


def fitted(matrix, y, weights=None):
    names = tuple("abc"[: matrix.shape[1]])
    model, rows = Model(names, single_unit(names), LOGIT), rows_of(matrix, y, weights)
    return irls.newton(irls.Objective(lambda theta, want: model.sums(rows, theta, want)), np.zeros(len(names))).end


def test_steep_but_finite():
    """Coefficients of 30 and more, few rows that overlap: a maximum all the same."""
    rng = np.random.default_rng(5)
    x = rng.uniform(size=300)
    y = (rng.uniform(size=300) < 1 / (1 + np.exp(-40 * (x - 0.5)))).astype(float)
    end = fitted(with_ones(x), y)
    assert end.decrement < 1e-8 and end.theta[1] > 30
    assert examine(with_ones(x), y) is None


def test_six_patterns_have_a_maximum(references):
    """Undamped IRLS runs off to 1e15 on these data."""
    given = json.loads((references / "six_patterns.json").read_text())
    x, y, count = (np.array(given[key], dtype=float) for key in ("x", "y", "count"))
    assert examine(with_ones(x), y, weights=count) is None
    assert examine(with_ones(np.repeat(x, count.astype(int))), np.repeat(y, count.astype(int))) is None
    end = fitted(with_ones(x), y, count)
    np.testing.assert_allclose(end.theta, given["coef"], atol=6e-6)
    assert -2 * end.sums.loglik == pytest.approx(given["deviance"], abs=6e-5)


# --- against brute force ----------------------------------------------------------------------------


def rays(matrix, way):
    """All extreme directions of the cone, in whole numbers: those that p - 1 rows leave where they are."""
    p = matrix.shape[1]
    out = []
    for few in itertools.combinations(matrix.tolist(), p - 1):
        d = [1] if p == 1 else [-few[0][1], few[0][0]] if p == 2 else [int(v) for v in np.cross(*few)]
        for ray in (np.array(d), -np.array(d)):
            eta = matrix @ ray
            if ray.any() and (way * eta >= 0).all() and (eta[way == 0] == 0).all():
                out.append(ray)
    return out


@st.composite
def small_problems(draw):
    p = draw(st.sampled_from([2, 2, 2, 3]))
    n = draw(st.integers(p, 9))
    matrix = np.array(draw(st.lists(st.lists(st.integers(-3, 3), min_size=p, max_size=p), min_size=n, max_size=n)))
    if draw(st.booleans()):
        matrix[:, 0] = 1
    way = np.array(draw(st.lists(st.sampled_from([-1, 1, -1, 1, 0]), min_size=n, max_size=n)))
    if draw(st.booleans()):
        split = np.sign(matrix @ np.array(draw(st.lists(st.integers(-2, 2), min_size=p, max_size=p))))
        way = np.where(split != 0, split, way)
    return matrix, way


@pytest.mark.parametrize("few", [True, False], ids=["distinct rows", "block by block"])
@settings(max_examples=150)
@given(problem=small_problems())
def test_brute_force_agrees(problem, few):
    matrix, way = problem
    p = matrix.shape[1]
    if np.linalg.matrix_rank(matrix) < p:
        return
    known = rays(matrix, way)
    with pytest.MonkeyPatch.context() as patch:
        if not few:
            patch.setattr(separation, "DISTINCT", 0)
        found = prove(rows_of(matrix), way, np.arange(p))
    assert (found is None) == (not known)
    if found is None:
        return
    assert found.goes_off.tolist() == (matrix @ sum(known) != 0).tolist()
    signs = [(any(ray[j] > 0 for ray in known), any(ray[j] < 0 for ray in known)) for j in range(p)]
    words = {(True, True): "either", (True, False): "+inf", (False, True): "-inf", (False, False): "finite"}
    assert found.status == tuple(words[sign] for sign in signs)
    confirmed(found, matrix, way)


# --- in a fit: proved wherever Newton does not converge ------------------------------------------------


def quasi(n=60):
    """A level `x2` with only events, and the offsets that a fit of it is given."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"x1": rng.normal(size=n), "x2": (np.arange(n) < 8) * 1.0, "y": rng.integers(0, 2, n)})
    frame.loc[frame["x2"] == 1, "y"] = 1
    return frame, rng


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
@pytest.mark.parametrize("size", [1.0, 30.0, 200.0])
def test_offsets_have_no_say(link, size):
    frame, rng = quasi()
    frame["o"] = size * rng.normal(size=len(frame))
    with pytest.warns(gb.errors.SeparationWarning, match="x2"):
        fit = gb.glm("y ~ x1 + x2", frame, link=link, offset="o")
    assert fit.separation.tolist() == ["finite", "finite", "+inf"]


@pytest.mark.parametrize("largest", [50.0, 1e8])
def test_sizes_of_weights_have_no_say(largest):
    frame, rng = quasi()
    frame["x3"] = 2 * frame["x1"]
    frame["w"] = largest * 10.0 ** rng.uniform(-10, 0, len(frame))
    with pytest.warns() as seen:
        fit = gb.glm("y ~ x1 + x2 + x3", frame, prior_weights="w")
    assert {each.category for each in seen} == {gb.errors.SeparationWarning, gb.errors.AliasWarning}
    assert fit.separation.tolist() == ["finite", "finite", "+inf", "aliased"]


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_at_the_step_limit(steps):
    frame, _ = quasi()
    with pytest.warns(gb.errors.SeparationWarning, match="What stays finite is not at its optimum, but"):
        fit = gb.glm("y ~ x1 + x2", frame, max_steps=steps)
    assert fit.outcome == "separated" and fit.params["x2"] == np.inf
    assert "the finite part has not converged" in " ".join(repr(fit).split())
    with pytest.warns(gb.errors.SeparationWarning) as seen:
        whole = gb.glm("y ~ x1 + x2", frame)
    assert "not at its optimum" not in str(seen[0].message) and "finite part converged" in " ".join(repr(whole).split())


def test_beside_a_maximum_on_the_edge():
    """Log link: a level without events runs off, a level with only events lies on the edge."""
    g = np.repeat(list("abc"), 20)
    y = np.where(g == "a", np.arange(60) % 2, g == "c")
    with pytest.warns(gb.errors.SeparationWarning, match="b"):
        fit = gb.glm("y ~ g", {"g": g, "y": y}, link="log")
    assert fit.separation.tolist() == ["finite", "-inf", "finite"]
    np.testing.assert_allclose(fit.params.iloc[[0, 2]], [-np.log(2), np.log(2)], atol=1e-6)


def test_where_no_start_is_found():
    """exp(1000) is no number, so there is nothing to start from, but what separates the rows is proved all the same."""
    x = np.array([0.0, 0, 0, 1, 1, 1])
    counts, offset = np.array([1.0, 2, 1, 0, 0, 0]), np.array([0.0, 0, 0, 900, -900, 0])
    with pytest.warns(gb.errors.SeparationWarning, match="x1"):
        fit = gb.fit(x, counts, "poisson", offset=offset)
    assert fit.params.tolist() == [pytest.approx(np.log(4 / 3)), -np.inf]


def test_no_column_left():
    """The only column is 0 in all rows that count: nothing can move, and nothing fails."""
    X, y, weights = np.array([[0.0], [0.0], [1.0]]), np.array([0.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0])
    with pytest.warns(gb.errors.AliasWarning):
        fit = gb.fit(X, y, prior_weights=weights, intercept=False)
    assert fit.separation.tolist() == ["aliased"] and fit.deviance == pytest.approx(4 * np.log(2))


# --- size -------------------------------------------------------------------------------------------


class Cells:
    """Rows of factors: one cell of a table each."""

    def __init__(self, table, cell):
        self.n, self.cell = len(cell), cell
        self.layout = Layout(np.zeros(0, dtype=int), np.arange(table.shape[1]), table)

    def read(self, start, stop):
        return np.zeros((stop - start, 0)), self.cell[start:stop]


def test_many_rows_of_few_kinds_collapse():
    rng = np.random.default_rng(0)
    levels = np.indices((6, 9)).reshape(2, -1).T
    table = patsy.dmatrix("a + b", {"a": levels[:, 0].astype(str), "b": levels[:, 1].astype(str)})
    names, table = table.design_info.column_names, np.asarray(table)
    cell = rng.integers(0, 54, 200_000)
    y = np.where(levels[cell, 1] == 4, 0, rng.integers(0, 2, len(cell)))
    rows = Rows(Cells(table, cell), y[:, None].astype(float), np.ones(len(cell)))
    found = prove(rows, sides(LOGIT, y), np.arange(table.shape[1]))
    assert found.status[names.index("b[T.4]")] == "-inf"
    assert found.status.count("finite") == len(names) - 1
    assert (found.goes_off == (levels[cell, 1] == 4)).all()
    y[np.flatnonzero(found.goes_off)[0]] = 1
    assert prove(rows, sides(LOGIT, y), np.arange(table.shape[1])) is None


@pytest.mark.parametrize("last", ["separated", "one row against it"])
def test_long_continuous_data_are_cut(last, monkeypatch):
    """The programmes see a small part of the rows, the answer is about all."""
    monkeypatch.setattr(separation, "DISTINCT", 0)
    rng = np.random.default_rng(2)
    matrix = with_ones(*rng.normal(size=(4, 60_000)))
    eta = matrix @ np.array([0.3, 1.0, -1.0, 0.5, 0.0])
    y = (eta > 0).astype(float)
    if last != "separated":
        far = int(np.argmin(eta))
        matrix[far, 1:] *= 0.5  # a row well inside the other class, but not one that catches the eye
        y[far] = 1.0
    seen = []
    solve = cones._solve
    monkeypatch.setattr(cones, "_solve", lambda z, *rest: seen.append(len(z)) or solve(z, *rest))
    found = examine(matrix, y)
    assert (found is not None) == (last == "separated")
    assert max(seen) < 4000
    if found is not None:
        assert found.complete
        assert found.status[1:4] == ("+inf", "-inf", "+inf")
        confirmed(found, matrix, 2 * y - 1)


def test_rows_mistaken_for_each_other_change_nothing(monkeypatch):
    """If the table of distinct rows lacks one, the check on all rows finds it."""
    x = np.arange(20.0)
    y = (x > 9).astype(float)
    y[3] = 1.0
    lacking = separation._distinct

    def without_row_three(rows, signs, counted):
        counted = counted.copy()
        counted[3] = False
        return lacking(rows, signs, counted)

    monkeypatch.setattr(separation, "_distinct", without_row_three)
    assert examine(with_ones(x), y) is None


# --- the solver is not believed ---------------------------------------------------------------------


def test_a_direction_that_owes_itself_to_the_tolerance_is_refused(monkeypatch):
    """A solver that answers within its tolerance, but wrongly: the check on the rows refutes it."""
    x = np.linspace(-1, 1, 50)
    x, y = np.append(x, [1e-6, -1e-6]), np.append(x > 0, [False, True])
    true = examine(with_ones(x), y)
    monkeypatch.setattr(cones, "_solve", lambda z, objective, ties: (np.array([0.0, 1e-4]), 0.0))
    assert true is None and examine(with_ones(x), y) is None


def test_a_solver_that_fails_proves_nothing(monkeypatch):
    import scipy.optimize

    x = np.arange(10.0)

    def fails(*arguments, **options):
        return scipy.optimize.OptimizeResult(x=None, status=4)

    monkeypatch.setattr(scipy.optimize, "linprog", fails)
    assert examine(with_ones(x), x > 4) is None
