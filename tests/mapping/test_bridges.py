"""Bridges on real data: one estimate in two views, training, penalties, other families, and what is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError, BridgeError, ConvergenceWarning, SeparationWarning
from glmnet_bridge.mapping import verdicts
from glmnet_bridge.model.layers import Activation, Affine, Contrast
from glmnet_bridge.model.networks import Inputs, Network, dense_entries

COLUMNS = [
    "glm_term", "network_term", "relation", "expression", "network", "as_glm", "glm", "std_error", "distance",
    "status",
]  # fmt: skip
FAIR = sm.datasets.fair.load_pandas().data
SPECTOR = sm.datasets.spector.load_pandas().data
AFFAIRS = "I(affairs > 0) ~ rate_marriage + age + C(occupation)"


def unit(*inputs: str) -> Network:
    layers = (Affine(len(inputs)),)
    return Network(Inputs(inputs), layers, dense_entries(layers, inputs))


def test_both_views_hold_one_estimate():
    br = gb.bridge(AFFAIRS, FAIR)
    assert br.glm.estimate is br.network.estimate and br.union is br.glm
    assert list(br.table.columns) == COLUMNS
    assert set(br.table.relation) == {"same"} and set(br.table.status) == {"exact"}
    assert br.table.glm_term.tolist() == list(br.glm.names)
    assert br.table.network_term[0] == "bias" and br.table.network_term[6] == "kernel[rate_marriage]"
    assert (br.table.distance == 0).all() and (br.table.as_glm == br.glm.params.to_numpy()).all()
    assert br.links.weight.tolist() == [1.0] * 8 and len(br.redundant) == 0
    assert br.verdict.startswith("The network is the GLM: same parameters, one estimate")


def test_a_bridge_prints_itself_in_a_screen():
    text = repr(gb.bridge(AFFAIRS, FAIR))
    assert len(text.splitlines()) <= 25
    for word in (
        "P(affairs > 0)",
        "rate_marriage",
        "kernel[age]",
        "-3583.29",
        "7166.58",
        "AIC",
        "same",
        "exact",
    ):
        assert word in text


def test_the_network_view():
    fit = gb.network("GRADE ~ GPA + TUCE + PSI", SPECTOR)
    weights = fit.weights()
    assert weights.entry.tolist() == ["bias", "kernel[GPA]", "kernel[TUCE]", "kernel[PSI]"]
    np.testing.assert_array_equal(weights.value, fit.params.to_numpy())
    assert fit.layers().kind.tolist() == ["input", "dense", "sigmoid"]
    assert fit.layers().parameters.sum() == 4
    assert np.abs(fit.gradient()).max() < 1e-9
    np.testing.assert_array_equal(fit.forward(), fit.predict())
    np.testing.assert_allclose(np.linalg.inv(fit.information()), fit.cov_params(), rtol=1e-8)
    np.testing.assert_array_equal(fit.information("observed"), fit.information())
    with pytest.raises(ArgumentError, match="kind='both'"):
        fit.information("both")


def test_a_network_at_given_weights():
    """Back-propagation is the score; the information is X'WX."""
    theta = [-1.0, 0.3, 0.02, 0.5]
    fit = gb.network("GRADE ~ GPA + TUCE + PSI", SPECTOR, start=theta, train=None)
    matrix = np.column_stack([np.ones(32), SPECTOR[["GPA", "TUCE", "PSI"]]])
    mean = 1 / (1 + np.exp(-matrix @ theta))
    np.testing.assert_allclose(fit.gradient(), matrix.T @ (SPECTOR.GRADE - mean), rtol=1e-12)
    np.testing.assert_allclose(fit.information(), matrix.T * (mean * (1 - mean)) @ matrix, rtol=1e-12)
    np.testing.assert_allclose(fit.forward(), mean, rtol=1e-14)
    assert fit.outcome == "as given" and not fit.converged and fit.distance_to_mle > 0.1
    named = dict(zip(["kernel[GPA]", "kernel[TUCE]", "kernel[PSI]", "bias"], [*theta[1:], theta[0]], strict=True))
    again = gb.network("GRADE ~ GPA + TUCE + PSI", SPECTOR, start=pd.Series(named), train=None)
    assert again.llf == fit.llf


def test_weights_at_the_optimum_are_converged():
    glm = gb.glm("GRADE ~ GPA + TUCE + PSI", SPECTOR)
    fit = gb.network("GRADE ~ GPA + TUCE + PSI", SPECTOR, start=glm.params.to_numpy(), train=None)
    assert fit.converged and fit.distance_to_mle < 1e-6
    np.testing.assert_allclose(fit.bse, glm.bse, rtol=1e-8)
    assert fit.aic == pytest.approx(glm.aic)


@pytest.mark.parametrize(
    "family, link", [("gaussian", None), ("poisson", None), ("gamma", "log"), ("binomial", "cloglog")]
)
def test_planted_weights_of_other_families(family, link):
    """Distances to a planted shift are the shift, in standard errors, whatever the dispersion and the offset."""
    rng = np.random.default_rng(1)
    planted = {"Intercept": 0.3, "x": 0.2, "C(g)[T.b]": -0.4}
    levels = {"g": ["a", "b"]}
    frame = gb.simulate("y ~ x + C(g)", planted, 400, family, link, levels=levels, dispersion=0.4, seed=2)
    frame["off"], frame["w"] = rng.normal(size=400) * 0.1, rng.integers(1, 4, 400)
    glm = gb.glm("y ~ x + C(g)", frame, family, link, offset="off", prior_weights="w")
    shift = np.array([0.5, -1.0, 0.25])
    beta = glm.params.to_numpy() + shift * glm.bse.to_numpy()
    theta = [beta[2], beta[0] + beta[1], beta[0]]  # kernel[x], kernel[g[b]], kernel[g[a]]
    net = Network(Inputs(("x", "g[b]", "g[a]")), (Affine(3, bias=False),), ("w_x", "w_b", "w_a"))
    br = gb.bridge("y ~ x + C(g)", frame, family, link, network=net, start=theta, offset="off", prior_weights="w")
    np.testing.assert_allclose(br.table.set_index("glm_term").distance[list(glm.names)], shift, rtol=1e-9)
    assert br.table.expression.tolist()[:2] == ["w_a", "w_b - w_a"]
    assert br.checks.covariance < 1e-9
    assert br.distances.excess == pytest.approx(br.network.deviance - glm.deviance)


def test_one_newton_step_sees_a_small_distance():
    glm = gb.glm(AFFAIRS, FAIR)
    beta = glm.params + 0.0005 * glm.bse
    br = gb.bridge(AFFAIRS, FAIR, network=unit(*glm.names[1:]), start=[*beta[1:], beta.iloc[0]])
    np.testing.assert_allclose(br.distances.by_refit, 0.0005, rtol=1e-6)
    np.testing.assert_allclose(br.distances.by_step, 0.0005, rtol=0.01)
    assert br.distances.excess == pytest.approx(br.distances.joint**2, rel=0.02)


def test_training_that_stops_early_says_how_far_it_is():
    with pytest.warns(ConvergenceWarning):
        br = gb.bridge(AFFAIRS, FAIR, train="sgd", epochs=2, random_state=0)
    assert br.glm.estimate is not br.network.estimate and br.network.outcome == "step limit"
    assert set(br.table.status) == {"not converged"} and set(br.table.relation) == {"same"}
    assert np.isfinite(br.table.distance).all() and br.distances.joint > 0.01
    assert f"training stopped {br.distances.joint:.2g} SE short of the maximum likelihood" in br.verdict
    assert len(br.network.trace) == 3
    same = gb.glm(AFFAIRS, FAIR)
    np.testing.assert_array_equal(br.glm.params, same.params)


def test_a_learner_run_to_its_end_is_the_glm():
    br = gb.bridge("GRADE ~ GPA + TUCE + PSI", SPECTOR, train="lbfgs", random_state=0)
    assert br.distances.joint < 1e-6 and set(br.table.status) == {"exact"}
    assert br.verdict.startswith("The network is the GLM: its weights are the coefficients")


def test_a_penalised_bridge_measures_from_the_maximum_likelihood():
    br = gb.bridge("GRADE ~ GPA + TUCE + PSI", SPECTOR, penalty=gb.penalties.ridge(0.5))
    plain = gb.glm("GRADE ~ GPA + TUCE + PSI", SPECTOR)
    assert br.glm.estimate is br.network.estimate and br.union is not br.glm
    np.testing.assert_allclose(br.table.glm, plain.params, rtol=1e-9)
    np.testing.assert_allclose(br.table.distance, (br.glm.params - plain.params) / plain.bse, rtol=1e-8)
    assert set(br.table.status) == {"penalised"} and "ridge(0.5)" in br.verdict
    assert br.distances.training < 1e-8 and br.distances.joint > 0.1


def test_a_stopped_glm_is_measured_against_its_own_end():
    with pytest.warns(ConvergenceWarning):
        br = gb.bridge("GRADE ~ GPA + TUCE + PSI", SPECTOR, max_steps=1)
    assert set(br.table.status) == {"not converged"} and br.union.converged
    assert "stopped" in br.verdict and (br.table.distance != 0).all()


def test_separated_data_have_no_distance():
    frame = pd.DataFrame({"x": np.arange(10.0), "y": [0] * 5 + [1] * 5})
    with pytest.warns(SeparationWarning):
        br = gb.bridge("y ~ x", frame)
    assert np.isinf(br.table.as_glm).any() and "no finite estimate" in br.verdict
    with pytest.warns(SeparationWarning):
        br = gb.bridge("y ~ x", frame, network=unit("x"), start=[1.0, -4.0])
    assert br.table.distance.isna().all() and "separated" in br.verdict
    assert br.table.as_glm.tolist() == [-4.0, 1.0]


def test_a_relu_before_the_link_is_shown_for_what_it_is():
    theta = [1.0, -3.0]  # kernel[GPA], bias
    br = gb.bridge("GRADE ~ GPA", SPECTOR, activation="relu", start=theta)
    eta = SPECTOR.GPA - 3.0
    assert br.clipped.tolist() == SPECTOR.index[eta <= 0].tolist()
    np.testing.assert_allclose(br.network.predict(kind="link"), np.maximum(eta, 0))
    assert br.network.bse.isna().all() and br.network.params.isna().all()
    assert br.network.get_prediction(kind="mean").std_error.isna().all()
    assert set(br.table.status) == {"no GLM counterpart"} and br.correspondence is None
    assert br.table.network_term.tolist() == ["", "", "kernel[GPA]", "bias"]
    assert f"clips {len(br.clipped)} of 32 rows" in br.verdict
    assert f"{verdicts.figure(br.glm.llf - br.network.llf)} below" in br.verdict
    with pytest.raises(BridgeError, match="second derivatives"):
        br.network.information("observed")


def verdict_of(start):
    """The verdict on a ReLU before the sigmoid; its cost to the GLM, and that of the clipping, by hand."""
    br = gb.bridge("GRADE ~ GPA", SPECTOR, activation="relu", start=start)
    eta = start[0] * SPECTOR.GPA + start[1]
    with_, without = (float(np.sum(SPECTOR.GRADE * z - np.logaddexp(0, z))) for z in (np.maximum(eta, 0), eta))
    assert with_ == pytest.approx(br.network.llf, rel=1e-12)
    return br.verdict, br.glm.llf - with_, without - with_


def test_what_clipping_costs_and_what_the_weights_cost():
    """A probability of one half where the GLM has far less: most of the distance is the ReLU's own."""
    verdict, cost, toll = verdict_of([3.0, -10.5])
    assert 0 < toll < cost
    assert f"Its log-likelihood is {verdicts.figure(cost)} below that of the GLM on the same columns. " in verdict
    left = verdicts.figure(cost - toll)
    words = f"Clipping alone costs {verdicts.figure(toll)}: without the relu the same weights would be {left} below the"
    assert words in verdict


def test_clipping_that_helps_is_said_to():
    verdict, cost, toll = verdict_of([30.0, -111.0])
    assert toll < 0 < cost
    assert f"Without the relu the same weights would be {verdicts.figure(-toll)} lower still" in verdict


@pytest.mark.parametrize("last", [Contrast(2), Contrast(2, 1)])
def test_a_relu_before_a_softmax_clips_too(last):
    """Differences of logits, or a turned sign, stand between the ReLU and eta."""
    layers = (Affine(1, 2), Activation(2, "relu", "r"), last)
    net = Network(Inputs(("GPA",)), layers, dense_entries(layers, ("GPA",)))
    br = gb.bridge("GRADE ~ GPA", SPECTOR, network=net, start=[1.0, 1.0, -3.0, -3.2])
    assert br.clipped.tolist() == SPECTOR.index[SPECTOR.GPA <= 3.0].tolist()
    assert "relu stands before the sigmoid" in br.verdict and "without the relu" in br.verdict.lower()
    assert br.last_layer.names == ("Intercept", "GPA") and br.units.empty


def test_a_relu_trains_from_the_glm():
    br = gb.bridge("GRADE ~ GPA", SPECTOR, activation="relu", random_state=0)
    start = np.maximum(gb.glm("GRADE ~ GPA", SPECTOR).predict(kind="link"), 0)
    before = np.sum(SPECTOR.GRADE * start - np.log1p(np.exp(start)))
    assert br.network.llf >= before and br.network.estimate.trace.method != "none"
    assert repr(br) and br.links.empty and br.redundant.empty and len(br.concepts) > 10


def test_a_hand_built_relu_network():
    layers = (Affine(1), Activation(1, "relu"))
    net = Network(Inputs(("GPA",)), layers, dense_entries(layers, ("GPA",)))
    br = gb.bridge("GRADE ~ GPA", SPECTOR, network=net, start=[1.0, -3.0])
    assert br.network.llf == gb.network("GRADE ~ GPA", SPECTOR, activation="relu", start=[1.0, -3.0]).llf


def test_concepts_have_the_values_of_the_fit():
    br = gb.bridge(AFFAIRS, FAIR)
    table = br.concepts.set_index("glm")
    for idea in ("link: logit", "deviance", "design column", "prior weight", "offset", "ridge penalty",
                 "IRLS step (Fisher scoring)", "Fisher information", "intercept", "Newton decrement"):  # fmt: skip
        assert idea in table.index
    assert (
        table.network["link: logit"] == "inverse of the output activation" and table.value["link: logit"] == "sigmoid"
    )
    loss = -br.network.llf / br.network.nobs
    assert table.value["minus the log-likelihood, per row"] == f"{loss:.6g}"
    assert table.value["intercept"] == f"{br.glm.params.iloc[0]:.6g}"


def test_a_constant_is_a_bias_and_no_input():
    br = gb.bridge("GRADE ~ GPA", SPECTOR)
    assert br.network.layers().output_shape.tolist()[0] == "(rows, 1)"
    assert br.network.layers().parameters.tolist() == [0, 2, 0]
    value = br.concepts.set_index("glm").value
    assert value["linear predictor eta"] == "sum of 1 weighted input and the bias"
    assert value["design column"] == "2 columns, 1 input and the bias"
    plain = gb.bridge("GRADE ~ 0 + GPA + TUCE", SPECTOR)
    assert plain.network.layers().output_shape.tolist()[0] == "(rows, 2)"
    assert plain.concepts.set_index("glm").value["linear predictor eta"] == "sum of 2 weighted inputs"
    given = gb.bridge("GRADE ~ GPA", SPECTOR, network=unit("GPA"), start=[1.0, -3.0])
    assert given.network.layers().equals(br.network.layers())


def test_rounding_is_not_shown_as_a_number():
    value = gb.bridge(AFFAIRS, FAIR).concepts.set_index("glm").value
    assert value["score"] == "less than 1e-8 of its standard deviation"
    assert value["Newton decrement"] == "less than 1e-8 standard errors"
    given = gb.bridge("GRADE ~ GPA", SPECTOR, network=unit("GPA"), start=[1.0, -3.0])
    assert "agree to less than 1e-8 on the rows" in given.notes[-1]
    assert given.concepts.set_index("glm").value["score"].startswith("largest entry ")


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_deviance_is_twice_loss_less_saturated(family):
    from glmnet_bridge.mapping.concepts import mean_losses

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=50), "m": rng.integers(1, 9, 50)})
    frame["y"] = rng.binomial(frame.m, 0.4) / frame.m if family == "binomial" else rng.poisson(2.0, 50)
    given = {"trials": "m"} if family == "binomial" else {}
    fit = gb.glm("y ~ x", frame, family, **given)
    loss, saturated = mean_losses(fit.estimate, fit.sample)
    mean, y, w = fit.fittedvalues, frame.y, frame.m if given else np.ones(50)
    rows = -(y * np.log(mean) + (1 - y) * np.log(1 - mean)) if given else mean - y * np.log(mean)
    assert loss == pytest.approx((w * rows).sum() / w.sum())
    assert fit.deviance == pytest.approx(2 * w.sum() * (loss - saturated))


def test_predictions_for_new_data_read_the_networks_own_columns():
    frame = FAIR.assign(y=FAIR.affairs > 0).astype({"y": int})
    br = gb.bridge("y ~ age", frame, network=unit("age", "educ", "occupation[3]"), start=[0.01, 0.1, 0.3, -1.0])
    new = frame.head(20)
    eta = 0.01 * new.age + 0.1 * new.educ + 0.3 * (new.occupation == 3) - 1.0
    np.testing.assert_allclose(br.network.predict(new, kind="link"), eta)
    holed = new.assign(educ=new.educ.where(new.index != 3))
    got = br.network.predict(holed, kind="link")
    assert np.isnan(got[3]) and got.notna().sum() == 19
    assert list(br.network.predict(new, kind="terms").columns) == ["age", "educ", "occupation[3]"]


def test_rows_that_lack_an_input_are_dropped_for_both_sides():
    frame = SPECTOR.assign(extra=SPECTOR.TUCE.where(SPECTOR.index != 4))
    br = gb.bridge("GRADE ~ GPA", frame, network=unit("GPA", "extra"), start=[1.0, 0.1, -3.0])
    assert br.glm.nobs == br.network.nobs == br.union.nobs == 31
    assert br.glm.rows_dropped["extra"] == 1


def test_arguments_are_checked():
    with pytest.raises(ArgumentError, match="no argument 'epoch'.*'epochs'"):
        gb.bridge(AFFAIRS, FAIR, epoch=3)
    with pytest.raises(ArgumentError, match="epochs=3 is an option of a learner"):
        gb.bridge(AFFAIRS, FAIR, epochs=3)
    with pytest.raises(ArgumentError, match="Unknown learner 'sdg'.*'sgd'"):
        gb.bridge(AFFAIRS, FAIR, train="sdg")
    with pytest.raises(ArgumentError, match="Unknown activation 'rleu'.*'relu'"):
        gb.bridge(AFFAIRS, FAIR, activation="rleu")
    with pytest.raises(ArgumentError, match="builtins.dict"):
        gb.bridge(AFFAIRS, FAIR, network={})
    with pytest.raises(ArgumentError, match="start="):
        gb.bridge(AFFAIRS, FAIR, network=unit("age"))
    with pytest.raises(ArgumentError, match="train=None evaluates"):
        gb.network(AFFAIRS, FAIR, train=None)


def test_inputs_alone_are_trained_as_one_unit():
    br = gb.bridge("GRADE ~ GPA", SPECTOR, inputs=["GPA", "PSI"], train="lbfgs", random_state=0)
    beside = gb.glm("GRADE ~ GPA + PSI", SPECTOR)
    np.testing.assert_allclose(br.table.as_glm, beside.params[["Intercept", "GPA", "PSI"]], rtol=1e-6)
    assert br.glm.df_resid == 30 and br.union.df_resid == br.network.df_resid == 29
    assert "It also uses PSI" in br.verdict


def test_a_linear_network_beside_a_spline():
    """A straight line lies in the span of a cubic spline: the network is the spline's GLM with three constraints."""
    br = gb.bridge("GRADE ~ bs(GPA, df=4)", SPECTOR, network=unit("GPA"), start=[1.0, -3.0])
    assert len(br.correspondence.ties) == 3 and br.checks.rows < 1e-12
    assert br.constrained.deviance == pytest.approx(gb.glm("GRADE ~ GPA", SPECTOR).deviance, abs=1e-9)


def test_a_penalty_on_redundant_weights_is_another_penalty_on_the_terms():
    net = unit("PSI[0]", "PSI[1]")
    br = gb.bridge("GRADE ~ C(PSI)", SPECTOR, network=net, train="lbfgs", random_state=0, penalty=gb.penalties.ridge(1))
    assert br.distances.training < 1e-6 and set(br.table.status) == {"penalised", "redundant"}
    assert "a GLM penalised on its own weights" in br.verdict
    # a penalty of 1 on both levels is one of 1/2 on their difference, as if the intercept were at their middle
    frame = SPECTOR.assign(half=SPECTOR.PSI - 0.5)
    same = gb.glm("GRADE ~ half", frame, penalty=gb.penalties.ridge(0.5))
    assert br.table.as_glm[1] == pytest.approx(same.params["half"], rel=1e-6)


def test_an_aliased_formula_beside_its_own_network():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        br = gb.bridge("GRADE ~ GPA + PSI + I(GPA + PSI)", SPECTOR)
        trained = gb.bridge("GRADE ~ GPA + PSI + I(GPA + PSI)", SPECTOR, train="lbfgs", random_state=0)
    assert br.table.status.tolist() == ["exact"] * 3 + ["redundant"]
    assert br.table.expression.iloc[-1] == "aliased: I(GPA + PSI) = GPA + PSI"
    np.testing.assert_allclose(trained.table.as_glm[:3], br.glm.params[:3], rtol=1e-6)
    assert trained.network.aic == pytest.approx(br.glm.aic)
