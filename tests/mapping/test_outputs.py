"""Networks of several outputs: softmax and logits against a base, mapped class by class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import AliasWarning, ArgumentError
from glmnet_bridge.mapping.correspondences import run_layers
from glmnet_bridge.model.layers import Activation, Affine, Contrast, Normalise
from glmnet_bridge.model.networks import Inputs, Network, dense_entries

pytestmark = pytest.mark.filterwarnings(f"ignore::{AliasWarning.__module__}.AliasWarning")
CLASSES = ("home", "ward", "icu")
ONE_HOT = ("g[a]", "g[b]", "g[c]")


def made(n: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(17)
    frame = pd.DataFrame(
        {"x": random.normal(size=n), "z": random.normal(40.0, 3.0, n), "g": random.choice(list("abc"), n)}
    )
    eta = np.column_stack([np.zeros(n), 0.3 + 0.8 * frame.x, 0.1 * (frame.z - 40) - 0.6 * (frame.g == "b")])
    own = (eta + random.gumbel(size=eta.shape)).argmax(axis=1)
    return frame.assign(y=pd.Categorical.from_codes(own, CLASSES))


FRAME = made()


def network(inputs: tuple[str, ...], *layers: Any, outputs: tuple[str, ...] = ()) -> Network:
    return Network(Inputs(inputs), layers, dense_entries(layers, inputs, outputs))


def softmax(*inputs: str, base: int = 0) -> Network:
    """Three units, named, and their differences to the base."""
    layers = (Affine(len(inputs), 3), Contrast(3, base))
    entries = dense_entries(layers[:1], inputs, CLASSES)
    return Network(Inputs(inputs), layers, entries)


@dataclass(frozen=True)
class Structure:
    formula: str
    network: Network
    relations: dict[str, str] = field(default_factory=dict)
    expressions: dict[str, str] = field(default_factory=dict)
    redundant: int = 0
    ties: tuple[str, ...] = ()
    inputs: Any = None
    base: str = "home"

    def theta(self) -> np.ndarray:
        return np.random.default_rng(3).normal(size=self.network.parameters) * 0.2


STRUCTURES = {
    "softmax": Structure(
        "y ~ x + z",
        softmax("x", "z"),
        {"ward: Intercept": "combined", "ward: x": "combined", "icu: z": "combined"},
        {
            "ward: Intercept": "bias[ward] - bias[home]",
            "ward: x": "kernel[x, ward] - kernel[x, home]",
            "icu: z": "kernel[z, icu] - kernel[z, home]",
        },
        redundant=3,
    ),
    "softmax, another base": Structure(
        "y ~ x",
        softmax("x", base=2),
        expressions={"home: x": "kernel[x, home] - kernel[x, icu]", "ward: x": "kernel[x, ward] - kernel[x, icu]"},
        redundant=2,
        base="icu",
    ),
    "a unit for each class after the base": Structure(
        "y ~ x + C(g)",
        network(("x", "C(g)[T.b]", "C(g)[T.c]"), Affine(3, 2), outputs=("ward", "icu")),
        {"ward: Intercept": "same", "icu: C(g)[T.c]": "same"},
        {"icu: C(g)[T.c]": "kernel[C(g)[T.c], icu]", "ward: Intercept": "bias[ward]"},
    ),
    "one-hot before a softmax": Structure(
        "y ~ C(g)",
        softmax(*ONE_HOT),
        {"ward: Intercept": "combined", "icu: C(g)[T.b]": "combined"},
        {
            "icu: C(g)[T.b]": "kernel[g[a], home] + kernel[g[b], icu] - kernel[g[a], icu] - kernel[g[b], home]",
        },
        redundant=6,
    ),
    "standardised": Structure(
        "y ~ x + z",
        network(("x", "z"), Normalise(np.array([0.1, 40.0]), np.array([2.0, 4.0])), Affine(2, 3), Contrast(3)),
        {"ward: x": "combined"},
        {"ward: x": "0.5*kernel[x, 1] - 0.5*kernel[x, 0]"},
        redundant=3,
    ),
    "an input outside the formula": Structure(
        "y ~ x",
        softmax("x", "z"),
        {"ward: x": "combined", "ward: z": "network only", "icu: z": "network only"},
        redundant=3,
    ),
    "a term that is no input": Structure(
        "y ~ x + z",
        softmax("x"),
        {"ward: x": "combined", "ward: z": "glm only", "icu: z": "glm only"},
        redundant=2,
        ties=("b[ward: z] = 0", "b[icu: z] = 0"),
    ),
    "tied inputs": Structure(
        "y ~ x + z",
        network(("I(x + z)",), Affine(1, 2), outputs=("ward", "icu")),
        {"ward: x": "tied", "icu: z": "tied", "ward: Intercept": "same"},
        ties=("b[ward: x] - b[ward: z] = 0", "b[icu: x] - b[icu: z] = 0"),
        inputs="I(x + z)",
    ),
    "no intercept, a bias": Structure(
        "y ~ 0 + x",
        network(("x",), Affine(1, 2), outputs=("ward", "icu")),
        {"ward: x": "same", "icu: Intercept": "network only"},
    ),
    "linear layers": Structure(
        "y ~ x + z",
        network(("x", "z"), Affine(2, 3, name="hidden"), Affine(3, 3, name="output"), Contrast(3)),
        {"ward: x": "same"},
        {"ward: x": "folded kernel[x, ward]", "icu: Intercept": "folded bias[icu]"},
        redundant=15,
    ),
    "one hidden unit": Structure(
        "y ~ x + z",
        network(("x", "z"), Affine(2, 1, name="hidden"), Affine(1, 3, name="output"), Contrast(3)),
        {"ward: x": "same"},
        redundant=4,
    ),
    "a formula with aliased columns": Structure(
        "y ~ x + z + I(x + z)",
        softmax("x", "z"),
        {"ward: x": "combined", "ward: I(x + z)": "glm only"},
        {"ward: I(x + z)": "aliased: ward: I(x + z) = x + z"},
        redundant=3,
    ),
}
EACH = pytest.mark.parametrize("name", STRUCTURES)


@pytest.fixture(scope="module")
def bridges() -> dict[str, gb.Bridge]:
    return {}


def bridge(name: str, known: dict) -> tuple[Structure, gb.Bridge]:
    case = STRUCTURES[name]
    if name not in known:
        known[name] = gb.bridge(
            case.formula, FRAME, "multinomial", network=case.network, inputs=case.inputs, start=case.theta(),
            base=case.base,
        )  # fmt: skip
    return case, known[name]


def raw_inputs(case: Structure) -> np.ndarray:
    def column(name: str) -> np.ndarray:
        if name == "I(x + z)":
            return (FRAME.x + FRAME.z).to_numpy()
        if "[" in name:
            return (FRAME.g == name.rstrip("]")[-1]).to_numpy(dtype=float)
        return FRAME[name].to_numpy()

    return np.column_stack([column(name) for name in case.network.inputs.names])


def columns(br: gb.Bridge) -> np.ndarray:
    return br.network.rows.block(0, len(FRAME)).columns.matrix()


def by_class(values: np.ndarray) -> np.ndarray:
    """Coefficients class by class as (q, 2)."""
    return values.reshape(2, -1).T


@EACH
def test_the_map_reads_what_stands_there(name, bridges):
    case, br = bridge(name, bridges)
    table = br.table.set_index("glm_term")
    assert {term: table.relation[term] for term in case.relations} == case.relations
    assert {term: table.expression[term] for term in case.expressions} == case.expressions
    assert len(br.redundant) == case.redundant
    assert tuple(tie.text for tie in br.correspondence.ties) == case.ties
    labels = [label for label in br.table.glm_term if label]
    assert labels == [f"{level}: {name}" for level in br.network.estimate.model.outputs for name in
                      br.network.estimate.model.columns]  # fmt: skip


@EACH
def test_folding_is_running_the_network(name, bridges):
    case, br = bridge(name, bridges)
    eta = run_layers(case.network, raw_inputs(case), case.theta())
    beta = by_class(np.nan_to_num(br.correspondence.coefficients))
    np.testing.assert_allclose(columns(br) @ beta, eta, rtol=0, atol=1e-11 * (1 + np.abs(eta).max()))
    np.testing.assert_allclose(br.network.predict(kind="link"), eta, rtol=0, atol=1e-11 * (1 + np.abs(eta).max()))
    assert br.checks.rows < 1e-12 and br.checks.random < 1e-12


@EACH
def test_exact_matrix_is_the_numerical_one(name, bridges):
    case, br = bridge(name, bridges)
    theta, inputs, step = case.theta(), raw_inputs(case), 1e-3
    slopes = [
        (run_layers(case.network, inputs, theta + move) - run_layers(case.network, inputs, theta - move)) / (2 * step)
        for move in step * np.eye(len(theta))
    ]
    kept = br.correspondence.terms.independent
    matrix = columns(br)[:, kept]
    solved = [np.linalg.lstsq(matrix, slope, rcond=None)[0].T.ravel() for slope in slopes]
    np.testing.assert_allclose(
        br.correspondence.jacobian[br.correspondence.kept], np.array(solved).T, rtol=0, atol=1e-9
    )


@EACH
def test_redundant_directions_change_nothing(name, bridges):
    case, br = bridge(name, bridges)
    inputs, theta, null = raw_inputs(case), case.theta(), br.correspondence.null
    here = run_layers(case.network, inputs, theta)
    for direction in null.T:
        there = run_layers(case.network, inputs, theta + 1e-6 * direction / np.abs(direction).max())
        assert np.abs(there - here).max() < 1e-10 * (1 + np.abs(inputs).max())
    rank = np.linalg.matrix_rank(br.correspondence.jacobian[br.correspondence.kept])
    assert null.shape[1] + rank == len(theta)


@EACH
def test_distances_are_those_of_an_independent_refit(name, bridges):
    """statsmodels' MNLogit on the independent columns of formula and network together."""
    import statsmodels.api as sm

    case, br = bridge(name, bridges)
    order = [case.base, *(level for level in CLASSES if level != case.base)]
    own = FRAME.y.map({level: code for code, level in enumerate(order)}).astype(int).to_numpy()
    matrix = columns(br)[:, br.correspondence.terms.independent]
    fitted = sm.MNLogit(own, matrix).fit(disp=0, method="newton", tol=1e-14, maxiter=100)
    kept, found = br.correspondence.kept, br.distances
    mle, errors = np.asarray(fitted.params).T.ravel(), np.asarray(fitted.bse).T.ravel()
    np.testing.assert_allclose(found.mle[kept], mle, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.errors[kept], errors, rtol=1e-6)
    expected = (br.correspondence.coefficients[kept] - mle) / errors
    np.testing.assert_allclose(found.by_refit[kept], expected, rtol=1e-5, atol=1e-6)
    assert br.union.llf == pytest.approx(fitted.llf, abs=1e-8)
    assert br.network.deviance - br.union.deviance == pytest.approx(found.excess, abs=1e-9)
    table = br.table.dropna(subset=["distance"])
    np.testing.assert_allclose(table.distance, (table.as_glm - table.glm) / table.std_error, rtol=1e-12)


@EACH
def test_covariance_is_the_same_by_both_routes(name, bridges):
    _, br = bridge(name, bridges)
    assert br.checks.covariance < 1e-9


@EACH
def test_the_network_counts_its_free_parameters(name, bridges):
    _, br = bridge(name, bridges)
    slopes = br.correspondence.jacobian[br.correspondence.kept]
    assert br.network.aic == pytest.approx(-2 * br.network.llf + 2 * np.linalg.matrix_rank(slopes))


@EACH
def test_it_can_be_shown(name, bridges):
    _, br = bridge(name, bridges)
    assert br.verdict and repr(br) and "softmax" in str(br.summary()) and "<table" in br._repr_html_()


def test_the_redundancy_of_the_softmax_is_named(bridges):
    _, br = bridge("softmax", bridges)
    assert br.redundant.direction.tolist() == [
        "kernel[x, home] + kernel[x, ward] + kernel[x, icu]",
        "kernel[z, home] + kernel[z, ward] + kernel[z, icu]",
        "bias[home] + bias[ward] + bias[icu]",
    ]
    assert set(br.redundant.description) == {
        "adding one number to the weights of all classes changes no prediction (softmax)"
    }


# --- weights at the optimum ----------------------------------------------------------------------------


def test_planted_weights_are_exact():
    """The estimate written into a softmax, with any number added to all classes of an input."""
    glm = gb.glm("y ~ x + z", FRAME, "multinomial")
    slopes = by_class(glm.params.to_numpy())  # Intercept, x, z by ward, icu
    kernel = np.column_stack([np.zeros(2), slopes[1:]]) + np.array([[5.0], [-3.0]])
    theta = np.concatenate([kernel.ravel(), 7.0 + np.r_[0.0, slopes[0]]])
    br = gb.bridge("y ~ x + z", FRAME, "multinomial", network=softmax("x", "z"), start=theta)
    assert np.abs(br.distances.by_refit).max() < 1e-12
    assert br.network.converged and br.network.llf == pytest.approx(glm.llf, rel=1e-14)
    np.testing.assert_allclose(br.network.bse, glm.bse, rtol=1e-8)
    assert br.verdict.startswith("The network is the GLM: its weights fold into the coefficients")
    assert set(br.table.status[:6]) == {"exact"}


def test_a_trained_softmax_is_the_glm():
    br = gb.bridge("y ~ x + z", FRAME, "multinomial", network=softmax("x", "z"), train="lbfgs")
    assert np.abs(br.distances.by_refit).max() < 1e-6
    assert br.network.outcome == "converged"


def test_one_hidden_unit_binds_the_coefficients():
    """A matrix of slopes of rank 1 has one free number less: no tie says so, the verdict does."""
    case = STRUCTURES["one hidden unit"]
    br = gb.bridge(case.formula, FRAME, "multinomial", network=case.network, start=case.theta(), train="lbfgs")
    assert br.correspondence.narrow == 1 and br.constrained is None
    assert "narrow layers leave 5 directions to 6 coefficients" in br.verdict
    assert br.distances.training < 1e-4 < br.distances.joint


def test_both_views_of_a_glm_are_one_estimate():
    br = gb.bridge("y ~ x + C(g)", FRAME, "multinomial")
    assert br.glm.estimate is br.network.estimate
    assert br.network.weights().entry.tolist()[:4] == [
        "bias[ward]", "bias[icu]", "kernel[C(g)[T.b], ward]", "kernel[C(g)[T.b], icu]",
    ]  # fmt: skip
    table = br.table.set_index("glm_term")
    assert table.network_term["icu: x"] == "kernel[x, icu]" and set(table.relation) == {"same"}
    np.testing.assert_array_equal(table.as_glm, br.glm.params[table.index])
    assert br.network.layers().output_shape.tolist() == ["(rows, 3)", "(rows, 2)", "(rows, 3)"]
    forward = br.network.forward(FRAME.head(4))
    np.testing.assert_array_equal(forward, br.glm.predict(FRAME.head(4)))
    np.testing.assert_allclose(br.network.information(), np.linalg.inv(_by_weight(br.glm)), rtol=1e-7, atol=1e-9)


def _by_weight(fit: gb.fits.Fit) -> np.ndarray:
    """Covariance in the order of the weights: input by input."""
    order = np.arange(len(fit.names)).reshape(2, -1).T.ravel()
    return fit.cov_params().to_numpy()[np.ix_(order, order)]


def test_separated_and_aliased_classes_have_a_map():
    frame = FRAME.assign(y=FRAME.y.where((FRAME.g != "c") | (FRAME.y != "icu"), "home"), twice=2 * FRAME.x)
    with pytest.warns(gb.errors.SeparationWarning):
        br = gb.bridge("y ~ x + twice + C(g)", frame, "multinomial")
    table = br.table.set_index("glm_term")
    assert table.as_glm["icu: C(g)[T.c]"] == -np.inf and table.relation["ward: twice"] == "glm only"
    assert table.expression["icu: twice"] == "aliased: icu: twice = 2*x"
    assert "The data are separated" in br.verdict


# --- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "family", "words"),
    [
        (
            (Affine(1, 3),),
            "multinomial",
            ["3 linear predictors", "3 classes", "2 linear predictors", "Contrast(3, base)"],
        ),
        ((Affine(1, 1),), "multinomial", ["1 linear predictors", "ward, icu"]),
        ((Affine(1, 2),), "binomial", ["2 linear predictors", "binomial family has one", 'family="multinomial"']),
    ],
)
def test_wrong_numbers_of_outputs(layers, family, words):
    frame = FRAME.assign(b=(FRAME.x > FRAME.x.median()) ^ (FRAME.z > 41))
    formula = "y ~ x" if family == "multinomial" else "b ~ x"
    given = network(("x",), *layers)
    with pytest.raises(ArgumentError) as caught:
        gb.bridge(formula, frame, family, network=given, start=np.zeros(given.parameters))
    for word in words:
        assert word in str(caught.value)


def test_an_activation_before_the_softmax_is_no_glm():
    br = gb.bridge("y ~ x + z", FRAME, "multinomial", activation="tanh", max_steps=30, train="lbfgs", epochs=40,
                   start=np.array([0.1, 0.2, 0.0, 0.01, 0.1, -0.3]))  # fmt: skip
    assert br.correspondence is None and "tanh stands before the softmax" in br.verdict
    assert isinstance(br.network.estimate.model.network.layers[-1], Activation)
    assert br.network.predict(FRAME.head(5)).sum(axis=1).to_numpy() == pytest.approx(np.ones(5))
