"""Training: rates, batches and epochs out of range, and data without an optimum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reliability.hostile import frame, put, refused, warned

import glmnet_bridge as gb
from glmnet_bridge.errors import ConvergenceWarning, SeparationWarning

DATA = frame()


def trained(**given: Any) -> Any:
    return gb.bridge("y ~ x1 + x2", DATA, **{"train": "sgd", "random_state": 0, **given})


REFUSED = {
    "t_lr_negative": ({"learning_rate": -1}, ["learning_rate=-1", "above 0"]),
    "t_lr_zero": ({"learning_rate": 0}, ["learning_rate=0"]),
    "t_lr_nan": ({"learning_rate": np.nan}, ["learning_rate=nan"]),
    "t_lr_text": ({"learning_rate": "big"}, ["learning_rate='big'"]),
    "t_batch_zero": ({"batch_size": 0}, ["batch_size=0", "1 or more"]),
    "t_batch_negative": ({"batch_size": -3}, ["batch_size=-3"]),
    "t_batch_half": ({"batch_size": 2.5}, ["batch_size=2.5"]),
    "t_batch_too_large": ({"batch_size": 1000}, ["batch_size=1000", "60 rows"]),
    "t_epochs_negative": ({"epochs": -1}, ["epochs=-1"]),
    "t_epochs_text": ({"epochs": "many"}, ["epochs='many'"]),
    "t_learner": ({"train": "sdg"}, ["'sdg'", "Did you mean 'sgd'?"]),
    "t_learner_number": ({"train": 3}, ["learner 3", "adam"]),
    "t_options_without_learner": ({"train": None, "epochs": 3}, ["epochs=3", "train='sgd'"]),
    "t_validation": ({"validation": 1.5}, ["validation=1.5", "between 0 and 1"]),
    "t_patience": ({"patience": -1}, ["patience=-1"]),
    "t_patience_alone": ({"patience": 3}, ["validation="]),
    "t_momentum": ({"train": "momentum", "momentum": 1.5}, ["momentum=1.5"]),
    "t_seed": ({"random_state": "abc"}, ["random_state='abc'", "whole number"]),
    "t_seed_negative": ({"random_state": -1}, ["random_state=-1"]),
    "t_progress": ({"progress": "yes"}, ["progress='yes'"]),
    "t_activation": ({"activation": "swoosh"}, ["'swoosh'", "tanh, relu"]),
    "t_keyword": ({"epoch": 3}, ["'epoch'", "Did you mean 'epochs'?"]),
    "t_network_text": ({"network": "mlp"}, ["network=", "str"]),
    "t_inputs": ({"inputs": ["zz"]}, ["'zz'", "no column"]),
    "t_start_short": ({"start": [1.0]}, ["start=", "3", "bias, kernel[x1], kernel[x2]"]),
    "t_start_nan": ({"start": [np.nan, 0.0, 0.0]}, ["bias is nan"]),
    "t_start_text": ({"start": ["a", 0, 0]}, ["start=", "one number per weight"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    given, parts = REFUSED[name]
    refused(lambda: trained(**given), *parts)


@pytest.mark.parametrize("learner", ["sgd", "gradient descent", "adam", "momentum"])
def test_t_lr_diverges(learner: str) -> None:
    found = warned(lambda: trained(train=learner, learning_rate=1e6, epochs=20), "learning_rate", "SE")
    assert found.network.outcome in ("diverged", "step limit") and not found.network.converged
    assert np.isfinite(found.network.params).all()


def test_t_lr_diverges_for_counts() -> None:
    found = warned(
        lambda: gb.bridge("k ~ x1", DATA, "poisson", train="gradient descent", learning_rate=1e6, random_state=0),
        "Diverged", "learning_rate=1e+06", "Try learning_rate=",
    )  # fmt: skip
    assert found.network.outcome == "diverged" and np.isfinite(found.network.params).all()


def test_t_epochs_zero() -> None:
    found = warned(lambda: trained(epochs=0), "No training at all", "SE from the optimum", "epochs=")
    assert found.network.outcome == "step limit" and found.network.distance_to_mle > 0.1


def test_early_stopping_says_how_far() -> None:
    found = warned(lambda: trained(validation=0.2, patience=2, epochs=30), "Stopped early", "SE from the optimum")
    assert found.network.outcome == "early stop"


def test_t_separated_data() -> None:
    data = put(y=(DATA["x1"] > 0) * 1)
    for learner in ("sgd", "lbfgs"):
        with pytest.warns((SeparationWarning, ConvergenceWarning)) as seen:
            found = gb.bridge("y ~ x1", data, train=learner, random_state=0)
        assert sorted(each.category.__name__ for each in seen) == ["ConvergenceWarning", "SeparationWarning"]
        assert "no finite optimum" in str([each for each in seen if each.category is ConvergenceWarning][0].message)
        assert not found.network.converged and found.glm.outcome == "separated"


def test_the_seed_gives_the_same_bits() -> None:
    def run(seed: int) -> Any:
        return warned(lambda: trained(epochs=3, random_state=seed), "SE from the optimum").network.params

    assert run(3).equals(run(3)) and not run(3).equals(run(4))


def test_lbfgs_reaches_the_maximum() -> None:
    found = trained(train="lbfgs")
    assert found.network.distance_to_mle < 1e-6 and found.network.converged
    np.testing.assert_allclose(found.network.params, found.glm.params, atol=1e-6 * found.glm.bse.max())


def test_bridges_of_hard_fits() -> None:
    level = put(y=np.where(DATA["g"] == "b", 0, DATA["y"]))
    found = warned(lambda: gb.bridge("y ~ x1 + C(g)", level), "C(g)[T.b] -> -inf")
    assert found.glm.estimate is found.network.estimate and "-inf" in str(found.summary())
    found = warned(lambda: gb.bridge("y ~ x1 + x2 + c", put(c=DATA["x1"] + DATA["x2"])), "c = x1 + x2")
    assert found.table.set_index("glm_term").loc["c", "status"] == "redundant"
    found = gb.bridge("y ~ x1 + C(g)", DATA)
    assert (found.table["status"] == "exact").all() and (found.table["distance"] == 0).all()


SHOWN = {
    "separated": lambda: gb.bridge("y ~ x1 + C(g)", put(y=np.where(DATA["g"] == "b", 0, DATA["y"]))),
    "no events": lambda: gb.bridge("y ~ x1", put(y=0)),
    "no events, ridge": lambda: gb.bridge("y ~ x1", put(y=0), penalty=gb.penalties.ridge(1.0)),
    "aliased": lambda: gb.bridge("y ~ x1 + x2 + c", put(c=DATA["x1"] + DATA["x2"])),
    "edge": lambda: gb.bridge("y ~ x1 + x2", DATA, link="log"),
    "constant": lambda: gb.bridge("v ~ x1", put(v=3.0), "gaussian"),
    "as many columns as rows": lambda: gb.bridge("z ~ x1 + x2 + y", DATA.iloc[[0, 1, 2, 40]], "gaussian"),
    "one row": lambda: gb.bridge("z ~ 1", DATA.iloc[:1], "gaussian"),
    "unfinished": lambda: gb.bridge("y ~ x1", DATA, max_steps=0),
    "diverged": lambda: gb.bridge(
        "k ~ x1", DATA, "poisson", train="gradient descent", learning_rate=1e6, random_state=0
    ),
    "level named as code": lambda: gb.bridge("y ~ C(g) + C(h)", put(h=np.resize(["<script>x</script>", "100%_$"], 60))),
}


@pytest.mark.parametrize("name", SHOWN)
def test_hard_fits_can_be_shown(name: str, tmp_path: Path) -> None:
    found = SHOWN[name]() if name == "level named as code" else warned(SHOWN[name])
    assert len(str(found.summary())) > 100 and len(repr(found)) > 50
    assert len(found.glm.tidy()) == len(found.glm.params) and len(found.glm.glance()) == 1
    found.glm.augment()
    for kind in ("html", "md", "tex"):
        found.report(tmp_path / f"report.{kind}")
    assert "<script" not in (tmp_path / "report.html").read_text(encoding="utf-8")
