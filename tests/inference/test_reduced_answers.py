"""What is defined at the maximum of the likelihood is refused for bias-reduced fits, and the rest is kept in files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError

RNG = np.random.default_rng(4)
FRAME = pd.DataFrame({"x": RNG.normal(size=60), "z": RNG.normal(size=60)})
FRAME["y"] = (RNG.random(60) < 1 / (1 + np.exp(-FRAME.x))).astype(int)


@pytest.fixture(scope="module", params=["mean", "median", "jeffreys"])
def fit(request):
    return gb.glm("y ~ x + z", FRAME, bias_reduction=request.param)


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.cov_params("HC0"),
        lambda fit: fit.cov_params({"cluster": np.arange(60) % 10}),
        lambda fit: fit.conf_int(method="score"),
        lambda fit: fit.profile("x"),
        lambda fit: fit.bootstrap(times=9),
        lambda fit: fit.influence(),
        lambda fit: fit.vif(),
    ],
)
def test_what_needs_a_maximum_is_refused(fit, ask):
    with pytest.raises(ArgumentError, match="bias-reduced"):
        ask(fit)


def test_words_and_files(fit, tmp_path):
    path = fit.save(tmp_path / "fit.gb") or tmp_path / "fit.gb"
    again = gb.load(path)
    pd.testing.assert_frame_equal(again.tidy(), fit.tidy())
    words = "Jeffreys' prior" if "Jeffreys" in fit.modelled else "bias-reduced"
    assert again.modelled == fit.modelled and words in again.report_text()
    assert "by maximum likelihood" not in fit.report_text()
