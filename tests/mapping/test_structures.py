"""Every kind of network: the exact map against differentiation, refits, and the network run by itself."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import AliasWarning
from glmnet_bridge.mapping.correspondences import run_layers
from glmnet_bridge.model.layers import Affine, Normalise

sys.path.insert(0, str(Path(__file__).parent))
from structures import FRAME, STRUCTURES, Structure, network  # noqa: E402

pytestmark = pytest.mark.filterwarnings(f"ignore::{AliasWarning.__module__}.AliasWarning")
EACH = pytest.mark.parametrize("name", STRUCTURES)


@pytest.fixture(scope="module")
def bridges() -> dict[str, gb.Bridge]:
    return {}


def bridge(name: str, known: dict) -> tuple[Structure, gb.Bridge]:
    case = STRUCTURES[name]
    if name not in known:
        known[name] = gb.bridge(case.formula, FRAME, network=case.network, inputs=case.inputs, start=case.theta())
    return case, known[name]


def raw_inputs(case: Structure) -> np.ndarray:
    """What the network is fed, built without the package."""
    if isinstance(case.inputs, np.ndarray):
        table = case.inputs if case.inputs.ndim == 2 else case.inputs[:, None]
        return np.asarray(table, dtype=float)
    return np.column_stack([_column(name) for name in case.network.inputs.names])


def _column(name: str) -> np.ndarray:
    if name in FRAME and FRAME[name].dtype.kind in "fib":
        return FRAME[name].to_numpy(dtype=float)
    inner = name.replace("C(", "").replace(")", "").replace("T.", "")
    if ":" in name:
        return _column(name.split(":")[0]) * _column(name.split(":")[1])
    if "[" in inner:
        variable, level = inner.rstrip("]").split("[")
        return (FRAME[variable].astype(str) == level).to_numpy(dtype=float)
    return FRAME.eval(name[2:-1]).to_numpy(dtype=float)


def columns(br: gb.Bridge) -> np.ndarray:
    source = br.network.sample.source
    dense = br.network.rows.block(0, source.n).columns
    return dense.matrix()


@EACH
def test_the_map_reads_what_stands_there(name, bridges):
    case, br = bridge(name, bridges)
    relations = dict(zip(br.table.glm_term, br.table.relation, strict=True))
    assert {term: relations[term] for term in case.relations} == case.relations
    expressions = dict(zip(br.table.glm_term, br.table.expression, strict=True))
    assert {term: expressions[term] for term in case.expressions} == case.expressions
    assert len(br.redundant) == case.redundant
    assert tuple(tie.text for tie in br.correspondence.ties) == case.ties
    assert br.correspondence.folded == case.folded


@EACH
def test_folding_is_running_the_network(name, bridges):
    case, br = bridge(name, bridges)
    eta = run_layers(case.network, raw_inputs(case), case.theta())[:, 0]
    beta = np.nan_to_num(br.correspondence.coefficients)
    np.testing.assert_allclose(columns(br) @ beta, eta, rtol=0, atol=1e-11 * (1 + np.abs(eta).max()))
    np.testing.assert_allclose(br.network.predict(kind="link"), eta, rtol=0, atol=1e-11 * (1 + np.abs(eta).max()))
    assert br.checks.rows < 1e-12 and br.checks.random < 1e-12


@EACH
def test_exact_matrix_is_the_numerical_one(name, bridges):
    """Derivatives of eta in the weights, by differences, written over the independent columns."""
    case, br = bridge(name, bridges)
    theta, inputs, step = case.theta(), raw_inputs(case), 1e-3
    slopes = [
        (run_layers(case.network, inputs, theta + move) - run_layers(case.network, inputs, theta - move))[:, 0]
        / (2 * step)
        for move in step * np.eye(len(theta))
    ]
    kept = br.correspondence.kept
    matrix = columns(br)[:, kept]
    solved = np.linalg.lstsq(matrix, np.array(slopes).T, rcond=None)[0]
    np.testing.assert_allclose(br.correspondence.jacobian[kept], solved, rtol=0, atol=1e-9)
    if sum(layer.parameters > 0 for layer in case.network.layers) == 1:
        np.testing.assert_allclose(br.correspondence.matrix, br.correspondence.jacobian, rtol=0, atol=1e-13)


@EACH
def test_redundant_directions_change_nothing(name, bridges):
    case, br = bridge(name, bridges)
    inputs, theta, null = raw_inputs(case), case.theta(), br.correspondence.null
    here = run_layers(case.network, inputs, theta)
    for direction in null.T:
        step = 1e-6 * direction / np.abs(direction).max()
        there = run_layers(case.network, inputs, theta + step)
        assert np.abs(there - here).max() < 1e-10 * (1 + np.abs(inputs).max())
    rank = np.linalg.matrix_rank(br.correspondence.jacobian[br.correspondence.kept])
    assert null.shape[1] + rank == len(theta)
    marked = set(br.table.loc[br.table.glm_term == "", "network_term"])
    moved = {br.correspondence.weights[i] for i in np.flatnonzero(np.abs(null).max(axis=1, initial=0.0) > 0)}
    assert marked == moved


@EACH
def test_distances_are_those_of_an_independent_refit(name, bridges):
    """statsmodels on the independent columns of formula and network together."""
    import statsmodels.api as sm

    _, br = bridge(name, bridges)
    kept = br.correspondence.kept
    matrix = columns(br)[:, kept]
    fitted = sm.GLM(FRAME["y"].to_numpy(), matrix, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=100)
    found = br.distances
    np.testing.assert_allclose(found.mle[kept], fitted.params, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(found.errors[kept], fitted.bse, rtol=1e-6)
    expected = (br.correspondence.coefficients[kept] - fitted.params) / fitted.bse
    np.testing.assert_allclose(found.by_refit[kept], expected, rtol=1e-5, atol=1e-6)
    assert br.union.deviance == pytest.approx(fitted.deviance, abs=1e-8)
    assert br.network.deviance - br.union.deviance == pytest.approx(found.excess, abs=1e-9)


@EACH
def test_each_row_is_consistent_in_itself(name, bridges):
    _, br = bridge(name, bridges)
    known = br.table.dropna(subset=["distance"])
    assert len(known)
    np.testing.assert_allclose(known.distance, (known.as_glm - known.glm) / known.std_error, rtol=1e-12)
    single = known.dropna(subset=["network"]).merge(br.links, on=["glm_term", "network_term"])
    offset = pd.Series(br.correspondence.constant, index=br.correspondence.columns)[single.glm_term].to_numpy()
    np.testing.assert_allclose(single.as_glm, single.weight * single.network + offset, rtol=1e-12)


@EACH
def test_covariance_is_the_same_by_both_routes(name, bridges):
    _, br = bridge(name, bridges)
    assert br.checks.covariance < 1e-9


@EACH
def test_the_network_counts_its_free_parameters(name, bridges):
    _, br = bridge(name, bridges)
    rank = np.linalg.matrix_rank(columns(br) @ np.nan_to_num(br.correspondence.jacobian))
    assert br.network.aic == pytest.approx(-2 * br.network.llf + 2 * rank)


@EACH
def test_the_constrained_glm_stands_beside(name, bridges):
    case, br = bridge(name, bridges)
    assert (br.constrained is None) == (not case.ties)
    if br.constrained is None:
        return
    assert br.constrained.deviance >= br.union.deviance - 1e-9
    assert br.constrained.deviance <= br.network.deviance + 1e-9
    for tie in br.correspondence.ties:
        held = tie.weights @ np.nan_to_num(br.constrained.params.to_numpy())
        assert held == pytest.approx(tie.weights @ br.correspondence.constant, abs=1e-10)
    assert br.constrained.df_resid == br.union.df_resid + len(case.ties)


@pytest.mark.parametrize("name", ["one-hot beside a bias, treatment contrasts", "two logits against one"])
def test_order_of_the_columns_does_not_matter(name, bridges):
    """The same terms in another order: the same rows of the map."""
    case, br = bridge(name, bridges)
    left, right = case.formula.split("~")
    terms = [term.strip() for term in right.split("+")]
    other = gb.bridge(
        f"{left}~ {' + '.join(reversed(terms))}", FRAME, network=case.network, start=case.theta()
    ).table.set_index(["glm_term", "network_term"])
    mine = br.table.set_index(["glm_term", "network_term"])
    pd.testing.assert_frame_equal(mine.sort_index(), other.loc[mine.index].sort_index(), rtol=1e-9)


def test_trained_to_the_end_the_network_is_the_glm():
    case = STRUCTURES["two logits against one"]
    br = gb.bridge(case.formula, FRAME, network=case.network, train="lbfgs", random_state=0, epochs=2000)
    assert br.distances.joint < 1e-6 and set(br.table.status) == {"exact", "redundant"}
    np.testing.assert_allclose(br.table.distance.dropna(), 0.0, atol=1e-6)
    assert br.network.bse.to_numpy() == pytest.approx(br.glm.bse.to_numpy(), rel=1e-5)
    assert br.verdict.startswith("The network is the GLM: its weights fold into the coefficients")


def test_a_tied_network_at_its_own_optimum_is_converged():
    case = STRUCTURES["tied inputs"]
    br = gb.bridge(case.formula, FRAME, network=case.network, inputs=case.inputs, train="lbfgs", random_state=0)
    assert br.distances.training < 1e-6 < 1.0 < br.distances.joint
    assert br.network.deviance == pytest.approx(br.constrained.deviance, abs=1e-8)
    assert br.verdict.startswith("The network is a constrained GLM at its own optimum")
    assert "b[x1] - b[x3] = 0" in br.verdict


def test_a_scaler_far_from_zero_loses_no_digits():
    """Seconds since an epoch, standardised: slope and constant are exact, not differences of large numbers."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"t": 2e5 + 0.37 * rng.normal(size=50), "y": rng.integers(0, 2, 50)})
    net = network(("t",), Normalise(np.array([2e5]), np.array([0.37])), Affine(1))
    br = gb.bridge("y ~ t", frame, network=net, start=[1.3, 0.2])
    assert br.correspondence.matrix[1, 0] == 1 / 0.37
    assert br.correspondence.matrix[0].tolist() == pytest.approx([-2e5 / 0.37, 1.0], rel=1e-15)
    eta = 1.3 * (frame.t - 2e5) / 0.37 + 0.2
    np.testing.assert_allclose(br.network.predict(kind="link"), eta, atol=1e-9)
