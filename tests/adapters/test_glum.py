"""glum: names, penalties and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from adapters.kit import FRAME

pytest.importorskip("glum")
from glum import GeneralizedLinearRegressor, TweedieDistribution

import glmnet_bridge as gb
from glmnet_bridge.adapters import recognition
from glmnet_bridge.errors import ReadError

CODED = FRAME.assign(site=FRAME.site.astype("category"), age=(FRAME.age - 45) / 12)
X = CODED[["age", "site"]]


def regressor(family="binomial", **options):
    return GeneralizedLinearRegressor(**{"family": family, "alpha": 0, "gradient_tol": 1e-8} | options)


def test_weights_have_the_users_own_paths():
    found = recognition.read(regressor(drop_first=True).fit(X, CODED.low))
    assert found.network.entries == ("coef_[0]", "coef_[1]", "coef_[2]", "coef_[3]", "intercept_")
    assert found.network.inputs.names == ("age", "site[north]", "site[south]", "site[west]")
    assert found.intake.names == ("age", "site")


@pytest.mark.parametrize(("family", "response"), [("binomial", "low"), ("poisson", "visits"), ("normal", "weight")])
@pytest.mark.parametrize("ratio", [0.0, 0.3])
def test_the_penalty_is_the_one_that_it_was_trained_with(family, response, ratio):
    """At the penalised optimum the score of the likelihood is the slope of the penalty, weight by weight."""
    model = regressor(family, alpha=0.05, l1_ratio=ratio, P2=[1.0, 2.0]).fit(CODED[["age", "lwt"]], CODED[response])
    bridge = gb.bridge(f"{response} ~ age + lwt", CODED, network=model)
    decay, found = bridge.foreign.schooling.decay, bridge.network.estimate
    assert decay.per_row
    slope = len(CODED) * (decay.l1 * np.sign(found.theta) + decay.l2 * found.theta)
    np.testing.assert_allclose(found.sums.score, slope, atol=1e-4 * np.abs(slope).max())


def test_what_is_not_translated():
    scaled = regressor(alpha=0.1, scale_predictors=True).fit(X, CODED.low)
    found = recognition.read(scaled).schooling
    assert found.decay is None
    assert found.notes == ("Its penalty (alpha=0.1) is a matrix, or on standardised columns: it is not translated.",)


def test_refused():
    with pytest.raises(ReadError, match="The glum GeneralizedLinearRegressor was not fitted"):
        recognition.read(regressor())
    model = regressor(TweedieDistribution(1.5)).fit(CODED[["age"]], CODED.visits)
    with pytest.raises(ReadError, match="has a TweedieDistribution with a LogLink, which is not read. Read are Normal"):
        recognition.read(model)
