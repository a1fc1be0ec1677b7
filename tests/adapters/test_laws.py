"""Every foreign network of every reader obeys the same laws; a new reader inherits them with its cases."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from adapters import kit
from adapters.kit import Case

import glmnet_bridge as gb
from glmnet_bridge.adapters.outputs import class_order
from glmnet_bridge.model.networks import HiddenBody
from glmnet_bridge.pairs import Bridge

CASES = kit.cases()

every_case = pytest.mark.parametrize("name", CASES)


@functools.cache
def case(name: str) -> Case:
    return CASES[name]()


@functools.cache
def read(name: str) -> Bridge:
    found = case(name)
    return gb.bridge(found.formula, found.frame, network=found.network, inputs=found.inputs, **found.arguments)


@every_case
def test_the_reading_is_the_model(name):
    """On all rows and on random ones, up to the rounding of the model's own precision."""
    agreement = read(name).agreement
    assert max(agreement.rows, agreement.random) <= (1e-4 if case(name).single else 1e-12)


@every_case
def test_weights_trained_to_the_end_are_the_estimate(name):
    found, bridge = case(name), read(name)
    if not found.optimal:
        pytest.skip("not trained to the end")
    assert np.nanmax(np.abs(bridge.distances.by_refit)) <= (1e-4 if found.single else 1e-6)
    np.testing.assert_allclose(bridge.distances.errors, bridge.union.bse, rtol=1e-8)


@every_case
def test_both_routes_to_the_covariance_agree(name):
    """From the information at the folded coefficients, and from that of the weights through a generalised inverse."""
    bridge = read(name)
    if bridge.checks is None:
        pytest.skip("not affine: no covariance")
    assert bridge.checks.covariance <= 1e-8


@every_case
def test_distances_are_what_they_say(name):
    """(as_glm - glm) / std_error, row by row."""
    bridge = read(name)
    if bridge.distances is None:
        pytest.skip("not affine: no distances")
    table = bridge.table
    by_hand = (table.as_glm - table.glm) / table.std_error
    known = table.distance.notna() & (np.abs(table.distance) > 1e-6)
    np.testing.assert_allclose(table.distance[known], by_hand[known], rtol=1e-6)


@every_case
def test_relations_are_those_of_the_architecture(name):
    table = read(name).table.set_index("glm_term")
    for term, relation in case(name).relations.items():
        assert table.relation[term] == relation, term


@every_case
def test_the_likelihood_is_that_of_the_models_own_outputs(name):
    """The network's log-likelihood, recomputed from what the model itself predicts."""
    found, bridge = case(name), read(name)
    family, fit = bridge.network.family, bridge.network
    if family.name == "multinomial":
        shares = bridge.foreign.forward(found.frame[list(bridge.foreign.intake.names)])
        order = class_order(bridge.foreign, fit.recipe.response)
        own = found.frame[fit.recipe.response.name].map({level: at for at, level in enumerate(order)}).astype(int)
        loglik = float(np.log(shares[np.arange(len(own)), own]).sum())
        assert fit.llf == pytest.approx(loglik, rel=1e-5 if found.single else 1e-9)
        return
    if family.name != "binomial":
        pytest.skip("the binomial and the multinomial likelihood are written down here")
    mean = fit.fittedvalues.to_numpy()
    y = fit.rows.response[:, 0]
    mean = np.clip(mean, 1e-300, 1 - 1e-16)
    loglik = float(np.sum(y * np.log(mean) + (1 - y) * np.log1p(-mean)))
    assert fit.llf == pytest.approx(loglik, rel=1e-5 if found.single else 1e-9)


@every_case
def test_rows_are_read_again_for_predictions(name):
    """Inputs that the model computes itself, too: of some rows the same as among all."""
    found, fit = case(name), read(name).network
    if not isinstance(found.inputs, list | str | None):
        pytest.skip("fed numbers, which other data do not have")
    some = found.frame.iloc[::7]
    np.testing.assert_allclose(fit.predict(some), fit.fittedvalues.loc[some.index], rtol=1e-10, atol=1e-12)


@every_case
def test_biases_shift_the_predictor_alike_in_every_row(name):
    """What a ridge leaves free, whatever the package calls it: d eta / d weight has one value over all rows."""
    foreign, network = read(name).network.foreign, read(name).network.estimate.model.network
    rows = read(name).network.rows
    body, block = HiddenBody(network, foreign.theta), rows.block(0, rows.n)
    slopes = body.jacobian(body.forward(block.columns)[1])
    alike = np.ptp(slopes, axis=0).max(axis=0) <= 1e-12 * np.abs(slopes).max(axis=(0, 1))
    if network.affine:
        silent = np.abs(slopes).max(axis=(0, 1)) == 0  # of a level that no row has, or behind a weight of 0
        np.testing.assert_array_equal(network.biases[~silent], alike[~silent])
