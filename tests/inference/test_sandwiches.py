"""Sandwiches: definitions written out, weights, clusters, what is refused; and `vcov=` wherever it is taken."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import glmnet_bridge as gb
from glmnet_bridge.errors import ArgumentError, DataError
from glmnet_bridge.inference import sandwiches

KINDS = ("HC0", "HC1", "HC2", "HC3")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(3)
    n = 240
    data = pd.DataFrame(
        {
            "x": random.normal(50, 3, n),
            "g": random.choice(["a", "b", "c"], n),
            "clinic": random.integers(0, 17, n),
            "year": random.integers(2000, 2006, n),
            "w": random.uniform(0.5, 2.0, n),
            "f": random.integers(0, 4, n),
            "t": random.normal(size=n),
            "m": random.integers(1, 9, n),
        }
    )
    eta = 0.1 * (data["x"] - 50) + 0.5 * (data["g"] == "b")
    data["y"] = (random.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    data["count"] = random.poisson(np.exp(eta / 2))
    data["k"] = random.binomial(data["m"], 1 / (1 + np.exp(-eta)))
    data["kind"] = random.choice(["p", "q", "r"], n)
    return data


def written_out(fit: gb.fits.Fit, X: np.ndarray, weights: np.ndarray, kind: str, codes: np.ndarray | None = None):
    """The formulas, with whole arrays: scores from working residuals and working weights."""
    eta, y = fit.predict(kind="link").to_numpy(), fit.rows.response[:, 0]
    mean = fit.family.mean(eta)
    slope = fit.family.slope(eta)
    working = weights * slope**2 / fit.family.variance(mean)
    scores = X * (working * (y - mean) / slope)[:, None]
    bread = np.linalg.inv(X.T @ (working[:, None] * X))
    n, p = X.shape
    hat = working * np.einsum("ij,jk,ik->i", X, bread, X)
    if codes is not None:
        scores = np.array([scores[codes == code].sum(axis=0) for code in np.unique(codes)])
        groups = len(scores)
        return bread @ (scores.T @ scores) @ bread * groups / (groups - 1) * (n - 1) / (n - p)
    by = {"HC0": 1.0, "HC1": n / (n - p), "HC2": 1 / (1 - hat), "HC3": (1 - hat) ** -2.0}[kind]
    return bread @ (scores.T @ (scores * np.broadcast_to(by, n)[:, None])) @ bread


def same(ours: pd.DataFrame, reference: np.ndarray, tolerance: float = 1e-9) -> None:
    se = np.sqrt(np.diag(reference))
    assert (np.abs(np.asarray(ours) - np.asarray(reference)) / np.outer(se, se)).max() < tolerance


def design(frame: pd.DataFrame) -> np.ndarray:
    return np.column_stack([np.ones(len(frame)), frame["g"] == "b", frame["g"] == "c", frame["x"]]).astype(float)


FITS = {
    "binomial": ("y ~ g + x", {}),
    "offset": ("y ~ g + x", {"offset": "t"}),
    "probit": ("y ~ g + x", {"link": "probit"}),
    "poisson": ("count ~ g + x", {"family": "poisson"}),
    "gamma": ("w ~ g + x", {"family": "gamma", "link": "log"}),
    "gaussian": ("t ~ g + x", {"family": "gaussian"}),
    "prior weights": ("t ~ g + x", {"family": "gaussian", "prior_weights": "w"}),
    "trials": ("successes(k, m) ~ g + x", {}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FITS)
def test_definitions(frame: pd.DataFrame, name: str, kind: str) -> None:
    formula, options = FITS[name]
    fit = gb.glm(formula, frame, **options)
    weights = {"prior weights": frame["w"], "trials": frame["m"]}.get(name, pd.Series(1.0, frame.index)).to_numpy()
    same(fit.cov_params(kind), written_out(fit, design(frame), weights, kind))


def test_clusters_by_definition(frame: pd.DataFrame) -> None:
    fit = gb.glm("y ~ g + x", frame)
    one, X, codes = np.ones(len(frame)), design(frame), frame["clinic"].to_numpy()
    same(fit.cov_params({"cluster": "clinic"}), written_out(fit, X, one, "", codes))
    years, pairs = frame["year"].to_numpy(), codes * 10_000 + frame["year"].to_numpy()
    two = sum(sign * written_out(fit, X, one, "", each) for sign, each in ((1, codes), (1, years), (-1, pairs)))
    same(fit.cov_params({"cluster": ["clinic", "year"]}), two)
    same(fit.cov_params({"cluster": [frame["clinic"], years]}), two)


def test_own_clusters_are_hc1_but_for_its_factor(frame: pd.DataFrame) -> None:
    fit = gb.glm("y ~ g + x", frame)
    same(fit.cov_params({"cluster": np.arange(len(frame)), "type": "HC0", "adjust": False}), fit.cov_params("HC0"))


@pytest.mark.parametrize("vcov", [*KINDS, {"cluster": "clinic"}, {"cluster": ["clinic", "year"]}], ids=str)
@pytest.mark.parametrize("options", [{}, {"prior_weights": "w"}], ids=["", "prior weights"])
def test_a_frequency_weight_is_so_many_rows(frame: pd.DataFrame, vcov: object, options: dict) -> None:
    long = frame.loc[frame.index.repeat(frame["f"])].reset_index(drop=True)
    formula = "t ~ g + x"
    counted = gb.glm(formula, frame, family="gaussian", freq_weights="f", **options)
    repeated = gb.glm(formula, long, family="gaussian", **options)
    same(counted.cov_params(vcov), repeated.cov_params(vcov).to_numpy())


@pytest.mark.parametrize("vcov", [*KINDS, {"cluster": "clinic"}], ids=str)
def test_rows_left_out_do_not_count(frame: pd.DataFrame, vcov: object) -> None:
    """Rows with missing values or without weight, and clusters that only they are of."""
    wide = frame.astype({"clinic": float}).assign(keep=1.0)
    wide.loc[[3, 77], "x"] = np.nan
    wide.loc[[4, 90, 91], "keep"] = 0.0
    wide.loc[[4, 90], "clinic"] = 99.0
    wide.loc[91, "clinic"] = np.nan
    few = wide.drop(index=[3, 4, 77, 90, 91])
    whole = gb.glm("y ~ g + x", wide, prior_weights="keep")
    same(whole.cov_params(vcov), gb.glm("y ~ g + x", few).cov_params(vcov).to_numpy())
    codes = wide["clinic"]
    if isinstance(vcov, dict):
        same(whole.cov_params({"cluster": codes}), whole.cov_params(vcov).to_numpy(), 1e-13)
        same(whole.cov_params({"cluster": codes.to_numpy()}), whole.cov_params(vcov).to_numpy(), 1e-13)


@pytest.mark.parametrize("vcov", [*KINDS, {"cluster": "clinic"}], ids=str)
def test_blocks_and_passes_do_not_matter(monkeypatch, frame: pd.DataFrame, vcov: object) -> None:
    many = pd.concat([frame] * 12, ignore_index=True).assign(clinic=lambda d: d.index // 3)
    fit = gb.glm("y ~ g + x", many)
    assert len(fit.rows.spans()) == 1
    once = fit.cov_params(vcov).to_numpy()
    monkeypatch.setattr("glmnet_bridge.data.rows.Rows.spans", lambda rows: [
        (start, min(start + 500, rows.n)) for start in range(0, rows.n, 500)
    ])  # fmt: skip
    monkeypatch.setattr(sandwiches, "ENTRIES", 4 * 130)
    same(fit.cov_params(vcov), once, 1e-11)
    shuffled = fit.sample.n - 1 - np.arange(fit.sample.n)
    if isinstance(vcov, dict):
        same(fit.cov_params({"cluster": np.sort(shuffled // 3)[::-1]}), once, 1e-11)


def test_columns_far_from_zero(frame: pd.DataFrame) -> None:
    """A shift of a million changes the Intercept alone."""
    near, far = (gb.glm("y ~ g + z", frame.assign(z=frame["t"] + shift)) for shift in (0.0, 1e6))
    slopes = list(near.names[1:])
    for vcov in (*KINDS, {"cluster": "clinic"}):
        same(far.cov_params(vcov).loc[slopes, slopes], near.cov_params(vcov).loc[slopes, slopes].to_numpy(), 1e-8)


def test_nearly_collinear_columns(frame: pd.DataFrame) -> None:
    """The span is the same, so the fitted values' covariance is."""
    frame = frame.assign(v=frame["x"] + 1e-6 * frame["t"])
    far, near = gb.glm("y ~ x + v", frame), gb.glm("y ~ x + t", frame)
    to = np.array([[1.0, 0, 0], [0, 1.0, -1e6], [0, 0, 1e6]])  # t = 1e6 (v - x)
    same(far.cov_params("HC3"), to @ near.cov_params("HC3").to_numpy() @ to.T, 1e-5)


def test_aliased_columns_are_nan(frame: pd.DataFrame) -> None:
    with pytest.warns(gb.errors.AliasWarning):
        fit = gb.glm("y ~ x + t + I(x + t)", frame)
    plain = gb.glm("y ~ x + t", frame)
    for vcov in ("HC3", {"cluster": "clinic"}):
        ours = fit.cov_params(vcov)
        assert ours["I(x + t)"].isna().all()
        same(ours.loc[plain.names, plain.names], plain.cov_params(vcov).to_numpy(), 1e-9)


def test_several_classes(frame: pd.DataFrame) -> None:
    """Of two classes it is the binomial one; of three the sums are written out."""
    two = gb.glm("kind ~ x", frame[frame["kind"] != "r"], family="multinomial")
    logit = gb.glm("kind ~ x", frame[frame["kind"] != "r"])
    for vcov in ("HC0", "HC1", {"cluster": "clinic"}):
        same(two.cov_params(vcov), logit.cov_params(vcov).to_numpy())
    fit = gb.glm("kind ~ x", frame, family="multinomial")
    rest = fit.residuals("response")[["q", "r"]].to_numpy()
    X = np.column_stack([np.ones(len(frame)), frame["x"]])
    scores = np.hstack([X * rest[:, [0]], X * rest[:, [1]]])
    bread = fit.cov_params().to_numpy()
    same(fit.cov_params("HC0"), bread @ scores.T @ scores @ bread)
    with pytest.raises(ArgumentError, match="HC1"):
        fit.cov_params("HC3")


def test_every_table_takes_it(frame: pd.DataFrame) -> None:
    fit = gb.glm("y ~ g + x", frame)
    asked = {"cluster": "clinic"}
    error = np.sqrt(np.diag(fit.cov_params(asked)))
    table = fit.tidy(vcov=asked)
    assert np.allclose(table["std_error"], error)
    limits = fit.conf_int(vcov=asked)
    assert np.allclose(limits["conf_low"], table["conf_low"])
    assert np.allclose(limits["conf_low"], fit.params - 1.959963984540054 * error)
    link = fit.get_prediction(frame.head(3), kind="link", vcov=asked)
    X = design(frame)[:3]
    assert np.allclose(link["std_error"] ** 2, np.einsum("ij,jk,ik->i", X, fit.cov_params(asked).to_numpy(), X))
    assert not np.allclose(link["std_error"], fit.get_prediction(frame.head(3), kind="link")["std_error"])
    assert "clustered by clinic" in str(fit.summary(vcov=asked))
    assert "HC3" in str(fit.summary(vcov="HC3"))
    assert "HC" not in str(fit.summary())
    classes = gb.glm("kind ~ x", frame, family="multinomial")
    wide = classes.get_prediction(frame.head(2), vcov="HC0")["std_error"]
    assert not np.allclose(wide, classes.get_prediction(frame.head(2))["std_error"])


def test_matrices_and_functions(frame: pd.DataFrame) -> None:
    fit = gb.glm("y ~ x + t", frame)
    own = 4.0 * fit.cov_params()
    for vcov in (own.to_numpy(), own, own.iloc[::-1, ::-1], lambda fit: 4.0 * fit.cov_params()):
        assert np.allclose(fit.tidy(vcov=vcov)["std_error"], 2.0 * fit.bse)

    def doubled(fit: gb.fits.Fit) -> np.ndarray:
        return 2.0 * fit.cov_params().to_numpy()

    assert "doubled" in str(fit.summary(vcov=doubled))
    assert "given matrix" in str(fit.summary(vcov=own))
    for wrong, words in (
        (np.eye(2), r"shape \(2, 2\)"),
        (own.rename(columns={"x": "z"}), "is a frame"),
        (own.to_numpy() + np.triu(own.to_numpy()), "no covariance"),
        (-own.to_numpy(), "no covariance"),
        (lambda fit: "no", "returned is a str"),
        (7, "7|int|shape"),
        ("HC4", "HC0"),
        ("hc3", "Did you mean 'HC3'"),
        ({"clusters": "clinic"}, "Did you mean 'cluster'"),
        ({}, "by what"),
        ({"cluster": "clinic", "type": "HC3"}, "HC3"),
        ({"cluster": "clinic", "adjust": "no"}, "adjust"),
        ({"cluster": ["clinic", "year", "g"]}, "cluster"),
        ({"cluster": np.ones(3)}, "3"),
        ({"cluster": None}, "name a column"),
        ({"cluster": np.ones(len(frame))}, "one cluster"),
    ):
        with pytest.raises(ArgumentError, match=words):
            fit.cov_params(wrong)
    with pytest.raises(DataError, match="Did you mean 'clinic'"):
        fit.cov_params({"cluster": "clinics"})
    gap = gb.glm("y ~ x + t", frame.assign(clinic=frame["clinic"].where(frame.index != 5)))
    with pytest.raises(DataError, match="row 5"):
        gap.cov_params({"cluster": "clinic"})


def test_arrays_have_clusters_by_values(frame: pd.DataFrame) -> None:
    X, y = frame[["x", "t"]].to_numpy(), frame["y"].to_numpy()
    fit, formula = gb.fit(X, y), gb.glm("y ~ x + t", frame)
    asked = {"cluster": frame["clinic"].to_numpy()}
    same(fit.cov_params(asked), formula.cov_params(asked).to_numpy())
    same(fit.cov_params({"cluster": frame["clinic"]}), formula.cov_params(asked).to_numpy())
    with pytest.raises(DataError, match="does not hold its data"):
        fit.cov_params({"cluster": "clinic"})


def test_what_does_not_hold_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(ArgumentError, match="penalised"):
        gb.glm("y ~ x", frame, penalty=gb.penalties.ridge(1.0)).cov_params("HC0")
    apart = frame.assign(z=(frame["y"] == 1) & (frame.index % 3 == 0))
    with pytest.warns(gb.errors.SeparationWarning):
        separated = gb.glm("y ~ x + z", apart)
    with pytest.raises(ArgumentError, match="separate"):
        separated.cov_params({"cluster": "clinic"})
    with pytest.warns(gb.errors.ConvergenceWarning):
        unfinished = gb.glm("y ~ x + t", frame, max_steps=0)
    with pytest.raises(ArgumentError, match="standard errors from the optimum"):
        unfinished.tidy(vcov="HC1")
    alone = gb.glm("count ~ x + one", frame.assign(one=(frame.index == 7) * 1.0), family="gaussian")
    with pytest.raises(ArgumentError, match="1 row has a hat value"):
        alone.cov_params("HC3")
    assert np.isfinite(alone.cov_params("HC1").to_numpy()).all()


def test_hidden_networks_are_refused(frame: pd.DataFrame) -> None:
    networks = pytest.importorskip("sklearn.neural_network")
    X = frame[["x", "t"]].assign(x=frame["x"] - 50)
    trained = networks.MLPClassifier((2,), max_iter=400, tol=1e-2, random_state=0).fit(X.to_numpy(), frame["y"])
    bridge = gb.bridge("y ~ x + t", X.assign(y=frame["y"]), network=trained, inputs=["x", "t"])
    with pytest.raises(ArgumentError, match="hidden"):
        bridge.network.cov_params("HC1")


def test_the_network_view_has_the_same(frame: pd.DataFrame) -> None:
    bridge = gb.bridge("y ~ g + x", frame)
    assert bridge.network.cov_params("HC3").equals(bridge.glm.cov_params("HC3"))
