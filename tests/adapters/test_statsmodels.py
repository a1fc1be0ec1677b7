"""statsmodels: names, the level that it models, what it was fitted with, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
import statsmodels.formula
import statsmodels.formula.api as smf
from adapters.kit import FRAME

import glmnet_bridge as gb
from glmnet_bridge.adapters import recognition
from glmnet_bridge.errors import DataError, ReadError
from glmnet_bridge.model.networks import is_bias

BINOMIAL = sm.families.Binomial()
NAMED = FRAME.assign(answer=np.where(FRAME.low == 1, "yes", "no"), ill=FRAME.low == 1)
EXOG = sm.add_constant(FRAME[["age", "lwt"]])


def test_weights_are_called_as_in_params():
    found = recognition.read(smf.glm("low ~ age + C(site)", FRAME, family=BINOMIAL).fit())
    assert found.kind == "statsmodels GLM result"
    assert found.network.entries[0] == "params[C(site)[T.north]]"
    assert found.network.entries[-1] == "params[Intercept]"
    assert [is_bias(entry) for entry in found.network.entries] == [False] * 4 + [True]
    assert set(found.intake.names) == {"age", "site"}
    assert recognition.read(sm.Logit(FRAME.low, EXOG).fit(disp=0)).network.entries[-1] == "params[const]"


@pytest.mark.parametrize(("response", "first"), [("answer", "'no'"), ("ill", "False")])
def test_the_first_level_is_what_statsmodels_models(response, first):
    """Its signs are those of the other level; the map turns them, and says so."""
    model = smf.glm(f"{response} ~ age + lwt", NAMED, family=BINOMIAL).fit()
    bridge = gb.bridge(f"{response} ~ age + lwt", NAMED, network=model)
    table = bridge.table.set_index("glm_term")
    assert table.network["age"] == -table.as_glm["age"] == model.params["age"]
    assert np.abs(table.distance).max() < 1e-6
    assert any(f"models the first level of such a response, {first}" in note for note in bridge.notes)


def test_a_formula_of_formulaic(monkeypatch):
    pytest.importorskip("formulaic")
    options = getattr(statsmodels.formula, "options", None)
    if options is None:
        pytest.skip("this version of statsmodels knows patsy alone")
    monkeypatch.setattr(options, "formula_engine", "formulaic")
    model = smf.glm("low ~ age * C(site) + np.log(lwt)", FRAME, family=BINOMIAL).fit(tol=1e-14)
    assert not hasattr(model.model.data.model_spec, "factor_infos")
    bridge = gb.bridge("low ~ age * C(site) + np.log(lwt)", FRAME, network=model)
    assert np.abs(bridge.distances.by_refit).max() < 1e-6
    assert bridge.table.set_index("glm_term").relation["age"] == "same"


def test_several_equations_are_a_softmax():
    frame = FRAME.assign(code=FRAME.outcome.astype("category").cat.codes)
    model = smf.mnlogit("code ~ age + C(arm)", frame).fit(disp=0)
    found = recognition.read(model)
    assert (found.activation, found.network.outputs) == ("softmax", 3)
    assert found.network.entries[-2:] == ("params[Intercept, 0]", "params[Intercept, 1]")
    agreement = gb.bridge("code ~ age + C(arm)", frame, network=model).agreement
    assert max(agreement.rows, agreement.random) < 1e-13


def test_what_it_was_fitted_with_is_asked_for():
    offset, twice = np.log(1 + FRAME.dose), 1 + (FRAME.index % 2)
    formula = "visits ~ age + lwt"
    family = sm.families.Poisson()
    model = smf.glm(formula, FRAME, family=family, offset=offset, freq_weights=twice).fit(tol=1e-14)
    found = recognition.read(model)
    assert "It was fitted with offset=, which is no input of the network: give offset= here too." in found.folded
    assert "It was fitted with freq_weights: give them here as freq_weights=." in found.folded
    bridge = gb.bridge(formula, FRAME, network=model, offset=offset, freq_weights=twice)
    assert np.abs(bridge.distances.by_refit).max() < 1e-6
    weighted = recognition.read(smf.wls("weight ~ age", FRAME, weights=1 + FRAME.dose).fit())
    assert weighted.folded == ("It was fitted with weights: give them here as prior_weights=.",)


def test_a_penalised_fit_says_its_penalty():
    model = sm.Logit(FRAME.low, EXOG).fit_regularized(alpha=[0.0, 5.0, 2.0], disp=0, acc=1e-12, trim_mode="off")
    bridge = gb.bridge("low ~ age + lwt", FRAME, network=model)
    decay = bridge.foreign.schooling.decay
    np.testing.assert_array_equal(decay.l1, [5.0, 2.0, 0.0])  # the constant is last
    theta, score = bridge.network.estimate.theta, bridge.network.estimate.sums.score
    np.testing.assert_allclose(score, decay.l1 * np.sign(theta), atol=0.05)
    net = sm.OLS(FRAME.weight, EXOG).fit_regularized(alpha=0.1, L1_wt=0.5)
    notes = recognition.read(net).schooling.notes
    assert notes[0] == "It was fitted by fit_regularized, whose alpha the result does not keep."


def test_stopped_short():
    with pytest.warns(Warning, match="converge"):
        model = smf.logit("low ~ age + C(arm)", FRAME).fit(disp=0, maxiter=1)
    found = recognition.read(model).schooling
    assert (found.optimiser, found.notes) == ("newton", ("statsmodels says that it did not converge.",))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (sm.Logit(FRAME.low, EXOG), r"A statsmodels Logit has no estimates. Give the result of its .fit\(\)"),
        (
            smf.glm("visits ~ age", FRAME, family=sm.families.NegativeBinomial(alpha=1.0)).fit(),
            "The statsmodels GLM has a family that is not read. Unknown family",
        ),
        (smf.quantreg("weight ~ age", FRAME).fit(), "A statsmodels QuantReg is not read.* Read are GLM, Logit"),
        (smf.rlm("weight ~ age", FRAME).fit(), "A statsmodels RLM is not read"),
    ],
)
def test_refused(model, words):
    with pytest.raises(ReadError, match=words):
        recognition.read(model)


def test_a_column_that_the_data_lack():
    model = smf.logit("low ~ age + C(arm)", FRAME).fit(disp=0)
    with pytest.raises(DataError, match=r"There is no column 'arm' \(the network was trained on it\)"):
        gb.bridge("low ~ age", FRAME.drop(columns="arm"), network=model)
