"""Networks: every layer and every network is differentiated; affine ones are folded and run, with one result."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from laws import examples, truths
from laws.examples import AFFINE, FED, HIDDEN, LAYERS, NAMES, NETWORKS, network_columns, some_theta

from glmnet_bridge.data.rows import Columns, Layout, Rows
from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.model import families, networks
from glmnet_bridge.model.layers import ACTIVATIONS, Activation, Affine, Branch, Contrast, Fixed, Gain, Normalise
from glmnet_bridge.model.models import WANTS, Model
from glmnet_bridge.model.networks import AffineBody, HiddenBody, Inputs, Network

STEP = 1e-30  # of complex differentiation, which does not subtract: derivatives are right to the last digit
CLOSE = {"rtol": 1e-12, "atol": 1e-12}

every_layer = pytest.mark.parametrize("layer", LAYERS, ids=repr)
every_network = pytest.mark.parametrize("name", NETWORKS)
affine_networks = pytest.mark.parametrize("name", AFFINE)


def differentiated(f, at):
    """`df / d at` by complex steps: the shape of f, then that of `at`."""
    parts = []
    for place in np.ndindex(at.shape):
        moved = at.astype(complex)
        moved[place] += 1j * STEP
        parts.append(np.imag(f(moved)) / STEP)
    return np.stack(parts, axis=-1).reshape(*parts[0].shape, *at.shape)


# --- layers -----------------------------------------------------------------------------------------


def test_every_kind_of_layer_is_tried():
    assert {type(layer) for layer in LAYERS} == examples.kinds_of_layers()
    assert {layer.kind for layer in LAYERS if isinstance(layer, Activation)} == set(ACTIVATIONS)


@every_layer
def test_layers_are_differentiated(layer):
    """Backward and gradient are products with the two derivatives of forward."""
    rng = np.random.default_rng(1)
    z, theta = rng.normal(size=(7, layer.inputs)), rng.normal(size=layer.parameters)
    out = layer.forward(z, theta)
    assert out.shape == (7, layer.outputs)
    by_input = np.stack(
        [differentiated(lambda row: layer.forward(row[None], theta)[0], row) for row in z]
    )  # (m, outputs, inputs)
    by_theta = (
        differentiated(lambda moved: layer.forward(z, moved), theta)
        if layer.parameters
        else np.zeros((7, layer.outputs, 0))
    )
    delta = rng.normal(size=(7, 2, layer.outputs))
    np.testing.assert_allclose(layer.backward(z, theta, delta), np.einsum("mjo,moi->mji", delta, by_input), **CLOSE)
    np.testing.assert_array_equal(layer.backward(z, theta, delta[:, 0]), layer.backward(z, theta, delta)[:, 0])
    np.testing.assert_allclose(layer.gradient(z, delta), np.einsum("mjo,mop->mjp", delta, by_theta), **CLOSE)


@every_layer
def test_layers_know_whether_they_are_affine(layer):
    rng = np.random.default_rng(2)
    z, theta = rng.normal(size=(3, 5, layer.inputs)), rng.normal(size=layer.parameters)
    a, b, c = (layer.forward(each, theta) for each in z)
    both = layer.forward(z[0] + z[1] - z[2], theta)
    assert np.allclose(both, a + b - c, rtol=1e-12, atol=1e-12) == layer.affine


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations_are_those_of_the_textbook(kind):
    """And silent far out, where exponentials overflow."""
    z = np.array(truths.DOMAINS["line"])
    layer, exact = Activation(1, kind), truths.ACTIVATIONS[kind]
    values = layer.forward(z[:, None], np.zeros(0))[:, 0]
    slopes = layer.backward(z[:, None], np.zeros(0), np.ones((len(z), 1)))[:, 0]
    for at, value, slope in zip(z.tolist(), values.tolist(), slopes.tolist(), strict=True):
        true = exact(mp.mpf(at))
        assert abs(value - true) <= 4e-16 * max(1, abs(true)), f"at {at}"
        if at != 0:
            assert abs(slope - mp.diff(exact, at, h=mp.mpf(10) ** -40)) <= 4e-16, f"slope at {at}"


def test_unknown_activations_are_refused():
    with pytest.raises(ArgumentError, match=r"Unknown activation 'sigmod'; there are .*Did you mean 'sigmoid'\?"):
        Activation(2, "sigmod")


@pytest.mark.parametrize("base", range(4))
def test_contrasts_are_differences_from_the_base(base):
    z = np.random.default_rng(3).normal(size=(6, 4))
    others = np.delete(z, base, axis=1)
    np.testing.assert_allclose(Contrast(4, base).forward(z, np.zeros(0)), others - z[:, [base]], rtol=1e-15, atol=1e-15)


# --- networks: J, score, information ----------------------------------------------------------------


def pieces(name):
    """A network with theta, columns, u `(m, k)`, and weights of both kinds; signed, as observed information is."""
    network = NETWORKS[name]
    columns, rng = network_columns(network), np.random.default_rng(4)
    u = rng.normal(size=(columns.shape[0], network.outputs))
    shared = rng.normal(size=(*u.shape, network.outputs))
    return network, some_theta(network), columns, u, (rng.normal(size=u.shape), shared + shared.swapaxes(1, 2))


def dense_jacobian(network, theta, columns):
    """J `(m, k, P)`, by running the network with complex parameters."""
    return differentiated(lambda moved: HiddenBody(network, moved).forward(columns)[0], theta)


@every_network
@pytest.mark.parametrize("run", [False, True], ids=["at", "run"])
def test_score_and_information_are_products_with_the_jacobian(name, run):
    network, theta, columns, u, weights = pieces(name)
    body = HiddenBody(network, theta) if run else network.at(theta)
    eta, tape = body.forward(columns)
    assert eta.shape == u.shape
    j = dense_jacobian(network, theta, columns)
    np.testing.assert_allclose(body.score(tape, u), np.einsum("mkp,mk->p", j, u), **CLOSE)
    own, shared = weights
    np.testing.assert_allclose(body.info(tape, own), np.einsum("mkp,mk,mkq->pq", j, own, j), **CLOSE)
    np.testing.assert_allclose(body.info(tape, shared), np.einsum("mkp,mkl,mlq->pq", j, shared, j), **CLOSE)
    if run:
        np.testing.assert_allclose(body.jacobian(tape), j, **CLOSE)


@affine_networks
def test_folded_and_run_are_one_network(name):
    network, theta, columns, u, weights = pieces(name)
    folded, run = network.at(theta), HiddenBody(network, theta)
    assert isinstance(folded, AffineBody) and network.affine
    (eta, tape), (again, layers) = folded.forward(columns), run.forward(columns)
    np.testing.assert_allclose(eta, again, **CLOSE)
    np.testing.assert_allclose(folded.score(tape, u), run.score(layers, u), **CLOSE)
    for w in weights:
        np.testing.assert_allclose(folded.info(tape, w), run.info(layers, w), **CLOSE)


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_networks_are_run(name):
    network = HIDDEN[name]
    assert not network.affine and isinstance(network.at(some_theta(network)), HiddenBody)


@every_network
def test_diagonal_weights_are_weights_of_one_output_each(name):
    network, theta, columns, _, (own, _) = pieces(name)
    body = network.at(theta)
    tape = body.forward(columns)[1]
    square = own[:, :, None] * np.eye(network.outputs)
    np.testing.assert_allclose(body.info(tape, square), body.info(tape, own), **CLOSE)


def test_a_glm_is_the_network_whose_jacobian_is_the_design():
    """Bit for bit: theta is the coefficients, and nothing is computed twice."""
    network = AFFINE["a GLM"]
    theta, columns = some_theta(network), network_columns(network)
    body = network.at(theta)
    u, w = np.random.default_rng(6).normal(size=(2, columns.shape[0], 1))
    np.testing.assert_array_equal(body.forward(columns)[0], columns.dot(theta[:, None]))
    np.testing.assert_array_equal(body.score(columns, u), columns.tdot(u)[:, 0])
    np.testing.assert_array_equal(body.info(columns, w), columns.gram(w[:, 0]))
    assert network.entries == ("bias", "kernel[x1]", "kernel[x2]", "kernel[x3]")
    several = networks.single_unit(("x", "Intercept"), ("b", "c"))
    assert several.entries == ("kernel[x, b]", "kernel[x, c]", "bias[b]", "bias[c]") and several.outputs == 2
    order = networks.by_output(2, 2)
    assert [several.entries[j] for j in order] == ["kernel[x, b]", "bias[b]", "kernel[x, c]", "bias[c]"]


# --- networks: folding ------------------------------------------------------------------------------


@affine_networks
def test_the_fold_is_the_network_on_data(name):
    network, theta, columns, _, _ = pieces(name)
    coefficients = networks.fold(network, theta)
    assert coefficients.shape == (columns.shape[1], network.outputs)
    np.testing.assert_allclose(columns.matrix() @ coefficients, HiddenBody(network, theta).forward(columns)[0], **CLOSE)


@affine_networks
def test_the_fold_is_differentiated(name):
    network, theta, *_ = pieces(name)
    exact = differentiated(lambda moved: networks.fold(network, moved).ravel(), theta)
    np.testing.assert_allclose(networks.fold_jacobian(network, theta), exact, **CLOSE)


@pytest.mark.parametrize("mean", [0.0, 2e3, 1e6, -1e9])
def test_folding_a_scaler_divides_by_its_scale(mean):
    """However far the mean lies off: a coefficient must not lose the digits of the constant."""
    scaler = Normalise(np.full(3, mean), np.array([0.5, 3.0, 10.0]))
    network = Network(FED, (scaler, Affine(3)), ("a", "b", "c", "bias"))
    theta = np.array([0.1, -0.7, 1.3, 0.2])
    kernel = theta[:3] / scaler.scale
    folded = networks.fold(network, theta)[:, 0]
    np.testing.assert_allclose(folded[1:], kernel, rtol=1e-15)
    assert folded[0] == pytest.approx(0.2 - mean * kernel.sum(), rel=1e-14)
    jacobian = networks.fold_jacobian(network, theta)
    np.testing.assert_allclose(jacobian[1:], np.eye(3, 4) / scaler.scale[:, None], rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(jacobian[0], [*(-mean / scaler.scale), 1.0], rtol=1e-14)


def test_a_constant_needs_columns_that_add_up_to_one():
    inputs = Inputs(("x1", "x2"))
    for layers in [(Affine(2),), (Normalise(np.ones(2), np.ones(2)), Affine(2, bias=False))]:
        network = Network(inputs, layers, networks.dense_entries(layers, inputs.names))
        with pytest.raises(ArgumentError, match="no combination of the columns is constant. Add an intercept"):
            network.at(np.ones(network.parameters))
    free = (Normalise(np.zeros(2), np.ones(2)), Affine(2, bias=False))
    assert isinstance(Network(inputs, free, ("a", "b")).at(np.ones(2)), AffineBody)


def test_a_network_may_have_no_parameters():
    columns = network_columns(AFFINE["a GLM"])
    network = Network(Inputs(NAMES, None, np.eye(4)[0]), (Normalise(np.ones(4), np.full(4, 2.0)),), ())
    eta, tape = network.at(np.zeros(0)).forward(columns)
    np.testing.assert_allclose(eta, (columns.matrix() - 1.0) / 2.0, **CLOSE)
    assert network.at(np.zeros(0)).score(tape, np.ones_like(eta)).shape == (0,)


# --- networks: shape and names ----------------------------------------------------------------------


@every_network
def test_every_parameter_has_a_name_of_its_own(name):
    network = NETWORKS[name]
    assert len(set(network.entries)) == len(network.entries) == network.parameters
    runs = network.slices()
    assert [run.stop - run.start for run in runs] == [layer.parameters for layer in network.layers]
    assert (runs[0].start, runs[-1].stop) == (0, network.parameters)


CHAINS = [
    name
    for name, network in NETWORKS.items()
    if name != "a GLM" and not any(isinstance(layer, Branch | Gain) for layer in network.layers)
]


@pytest.mark.parametrize("name", CHAINS)
def test_names_say_where_a_weight_stands(name):
    """The names, cut and shaped as theta is: `layer.kernel[input, unit]`, `layer.bias[unit]`."""
    network = NETWORKS[name]
    affine = [
        (layer, np.array(network.entries)[run])
        for layer, run in zip(network.layers, network.slices(), strict=True)
        if isinstance(layer, Affine)
    ]
    for number, (layer, names) in enumerate(affine):
        kernel, bias = layer.weights(names)
        prefix = f"{layer.name}." if len(affine) > 1 else ""
        sources = range(layer.inputs) if number else network.inputs.names
        units = [f"{unit}" for unit in range(layer.outputs)] if layer.outputs > 1 else [""]
        assert kernel.tolist() == [
            [f"{prefix}kernel[{source}{unit and ', ' + unit}]" for unit in units] for source in sources
        ]
        if layer.bias:
            assert bias.tolist() == [f"{prefix}bias{unit and '[' + unit + ']'}" for unit in units]


def test_units_keep_their_names_where_they_are_carried_along_or_rescaled():
    assert NETWORKS["gains"].entries[:5] == ("gain.gain[x1]", "gain.gain[x2]", "gain.gain[x3]", *(
        f"gain.bias[{name}]" for name in ("x1", "x2")
    ))  # fmt: skip
    assert NETWORKS["gains"].entries[6:] == (
        "output.kernel[x1]",
        "output.kernel[x2]",
        "output.kernel[x3]",
        "output.bias",
    )
    skip = NETWORKS["skip over tanh"].entries
    assert skip[:2] == ("hidden.kernel[x1, 0]", "hidden.kernel[x1, 1]")
    assert skip[8:18:2] == tuple(f"output.kernel[{name}, 0]" for name in ("x1", "x2", "x3", "0", "1"))


@pytest.mark.parametrize(
    ("name", "linear"), [("skip", False), ("two towers", True), ("gains", False), ("stack", False)]
)
def test_eta_is_linear_in_the_weights_where_none_multiplies_another(name, linear):
    assert NETWORKS[name].linear is linear


def test_outputs_may_have_names():
    layers = Affine(2, 2, name="hidden"), Activation(2, "tanh"), Affine(2, 2)
    entries = networks.dense_entries(layers, ("x", "z"), ("lo", "hi"))
    assert entries[:6] == (
        "hidden.kernel[x, 0]",
        "hidden.kernel[x, 1]",
        "hidden.kernel[z, 0]",
        "hidden.kernel[z, 1]",
        "hidden.bias[0]",
        "hidden.bias[1]",
    )
    assert entries[6:8] == ("output.kernel[0, lo]", "output.kernel[0, hi]")
    assert entries[-2:] == ("output.bias[lo]", "output.bias[hi]")


@pytest.mark.parametrize(
    ("layers", "culprit"),
    [
        ((Affine(4, name="first"),), "'first' takes 4 inputs but is given 3"),
        ((Affine(3, 2), Affine(3, name="second")), "'second' takes 3 inputs but is given 2"),
        ((Affine(3, 2), Activation(1, "tanh")), "'activation' takes 1 inputs but is given 2"),
        ((Affine(3, 3), Contrast(4)), "'softmax' takes 4 inputs but is given 3"),
        ((Normalise(np.zeros(2), np.ones(2)), Affine(2)), "'normalise' takes 2 inputs but is given 3"),
    ],
)
def test_layers_that_do_not_chain_are_refused(layers, culprit):
    with pytest.raises(ArgumentError, match=culprit):
        Network(FED, layers, networks.dense_entries(layers, FED.names))


@pytest.mark.parametrize("number", [0, 3, 5])
def test_names_and_parameters_must_agree_in_number(number):
    with pytest.raises(ArgumentError, match=f"has 4 parameters but {number} names"):
        Network(FED, (Affine(3),), ("name",) * number)


# --- the model: three lines -------------------------------------------------------------------------


def model_rows(network, family, extreme=1.0):
    """A model on the network's columns, with weights, an offset, and responses that the family can have."""
    columns, rng = network_columns(network), np.random.default_rng(7)
    n, k = columns.shape[0], network.outputs
    y = {
        "binomial": rng.integers(0, 2, (n, k)).astype(float),
        "count": rng.poisson(2.0, (n, k)).astype(float),
        "positive": rng.gamma(2.0, size=(n, k)),
        "real": rng.normal(size=(n, k)),
        "classes": np.eye(k + 1)[rng.integers(0, k + 1, n)][:, 1:],
    }[family.distribution.support]
    rows = Rows(_Held(columns), y, rng.gamma(1.0, size=n), extreme * rng.normal(size=(n, k)))
    return Model(NAMES, network, family), rows


class _Held:
    """Rows that are already columns."""

    def __init__(self, columns: Columns) -> None:
        self.columns, self.n = columns, columns.shape[0]

    @property
    def layout(self) -> Layout:
        return self.columns.layout

    def read(self, start, stop):
        cell = self.columns.cell
        return self.columns.dense[start:stop], None if cell is None else cell[start:stop]


FAMILIES = [
    families.binomial(),
    families.binomial("probit"),
    families.poisson(),
    families.gamma("log"),
    families.gaussian(),
    families.multinomial(),
]


@every_network
@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_the_score_is_the_slope_of_the_log_likelihood(name, family):
    """Central differences of fourth order, whose own error is near 1e-10 of the terms."""
    model, rows = model_rows(NETWORKS[name], family)
    theta, h = 0.3 * some_theta(NETWORKS[name]), 2e-3

    def value(at, steps):
        moved = theta.copy()
        moved[at] += steps * h
        return model.sums(rows, moved, "value").loglik

    slope = [
        (8 * (value(at, 1) - value(at, -1)) - (value(at, 2) - value(at, -2))) / (12 * h) for at in range(len(theta))
    ]
    score = model.sums(rows, theta).score
    np.testing.assert_allclose(score, slope, rtol=1e-7, atol=1e-8 * np.abs(score).max())


@every_network
@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_every_want_is_the_same_sums(name, family):
    model, rows = model_rows(NETWORKS[name], family)
    theta = some_theta(NETWORKS[name])
    full = model.sums(rows, theta)
    for want in WANTS:
        sums = model.sums(rows, theta, want)
        assert np.isnan(sums.loglik) if want == "score" else sums.loglik == full.loglik
        if want == "value":
            assert sums.score is sums.observed is sums.expected is None
        else:
            np.testing.assert_allclose(sums.score, full.score, rtol=1e-13, atol=1e-13)
        for kind in ("observed", "expected"):
            part = getattr(sums, kind)
            if want in (kind, "both"):
                np.testing.assert_array_equal(part, getattr(full, kind))
                np.testing.assert_allclose(part, part.T, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_the_model_is_the_three_lines(family):
    """Against J, u and w written out."""
    model, rows = model_rows(NETWORKS["several units"], family)
    theta = some_theta(model.network)
    columns = network_columns(model.network)
    j = dense_jacobian(model.network, theta, columns)
    eta = HiddenBody(model.network, theta).forward(columns)[0] + rows.offset
    local, w = family.local(rows.response, eta), rows.weights[:, None]
    sums = model.sums(rows, theta)
    product = "mkp,mkl,mlq->pq" if family.joint else "mkp,mk,mkq->pq"
    np.testing.assert_allclose(model.eta(next(rows.blocks()), theta), eta, **CLOSE)
    assert sums.loglik == pytest.approx(np.sum(w * local.loglik), rel=1e-12)
    np.testing.assert_allclose(sums.score, np.einsum("mkp,mk->p", j, w * local.score), **CLOSE)
    for kind in ("observed", "expected"):
        exact = np.einsum(product, j, (rows.weights * getattr(local, kind).T).T, j)
        np.testing.assert_allclose(getattr(sums, kind), exact, **CLOSE)


@pytest.mark.parametrize("key", families.KERNELS, ids="-".join)
def test_outside_the_domain_there_is_no_score(key):
    """Step control sees the likelihood and takes the step back."""
    family = families.named(*key)
    outside = {"negative": 1.0, "unit": 2.0, "positive": -1.0, "nonzero": 0.0}.get(truths.domain(*key))
    model, rows = model_rows(NETWORKS["a GLM"], family, extreme=0.0)
    theta = np.array([1.0, 0.0, 0.0, 0.0]) * (0.0 if outside is None else outside)
    sums = model.sums(rows, theta)
    if outside is None:
        assert np.isfinite(sums.loglik) and sums.score is not None
    else:
        assert sums.loglik == -np.inf and sums.score is None


def test_a_fixed_scaling_works_unit_by_unit():
    """As what it was read from: a value that is not finite stays in its unit."""
    layer = Fixed(np.diag([2.0, 0.5]), np.array([1.0, -1.0]))
    z = np.array([[3.0, np.inf], [np.nan, 4.0]])
    np.testing.assert_array_equal(layer.forward(z, np.zeros(0)), [[7.0, np.inf], [np.nan, 1.0]])
    full = Fixed(np.array([[2.0, 1.0], [0.0, 0.5]]), np.zeros(2))
    np.testing.assert_array_equal(full.forward(np.ones((1, 2)), np.zeros(0)), [[2.0, 1.5]])
