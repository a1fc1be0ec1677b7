"""Translations: a setting of another package as a penalty on the total log-likelihood, and back.

    total -loglik + l1 * sum |w| + l2 / 2 * sum w^2        at dispersion 1

    l1 = per_l1 * strength * ratio        strength: the setting, or 1 over it
    l2 = per_l2 * strength * (1 - ratio)  ratio: the share of L1 in it

Every source is one record of `SOURCES`; a new one is one more. The objectives are those of the packages'
own documentation, and the tests train each of them to its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from glmnet_bridge.errors import ArgumentError, is_number, nearest

MEAN, TOTAL = ("mean", "mean squared error"), ("sum", "sum of squared errors")
LOSSES = (*MEAN, *TOTAL)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the meaning of a setting depends on.

    Attributes
    ----------
    n : rows, or the sum of their weights
    batch_size : rows of a batch
    l1_ratio : share of L1 in an elastic net
    loss : "mean" or "sum" over the rows of minus the log-likelihood, or of squared errors without the half
    momentum : of the optimiser
    response_sd : standard deviation of a gaussian response, over n
    """

    n: float | None = None
    batch_size: float | None = None
    l1_ratio: float | None = None
    loss: str = "mean"
    momentum: float = 0.0
    response_sd: float | None = None

    def rows(self, source: str) -> float:
        """n, which is asked for."""
        if self.n is None:
            raise ArgumentError(
                f"{source!r} is a setting per row: give n=, the number of rows (the sum of their weights)."
            )
        return self.n


@dataclass(frozen=True, slots=True)
class Source:
    """One setting of one package.

    Attributes
    ----------
    name : such as "sklearn C"
    setting : as it is written there
    formula : of l1 and l2, in words
    penalised : which weights
    remark : what to beware of
    factors : `per_l1, per_l2` for a Setting
    ratio : the package's own default of l1_ratio; 0 or 1 where it has none
    ratios : which l1_ratio can be set: "none", "any", or "ends": 0 or 1
    inverse : whether a larger value penalises less
    constants : "free", "penalised", or what is the default of a choice: "free?", "penalised?"
    takes : further options of `Setting` that matter
    box : whether the setting is no penalty, but a bound 1/value on the size of a weight
    """

    name: str
    setting: str
    formula: str
    penalised: str
    remark: str
    factors: Callable[[Setting], tuple[float, float]]
    ratio: float = 0.0
    ratios: str = "none"
    inverse: bool = False
    constants: str = "free"
    takes: tuple[str, ...] = ()
    box: bool = False

    @property
    def intercept(self) -> bool:
        """Whether constants are penalised, unless something else is chosen."""
        return self.constants.startswith("penalised")

    @property
    def chooses(self) -> bool:
        """Whether the package leaves the choice."""
        return self.constants.endswith("?")

    def strengths(self, value: float, setting: Setting) -> tuple[float, float]:
        """`l1, l2` of a value."""
        strength = (1.0 / value if value else math.inf) if self.inverse else value
        ratio = self.ratio if setting.l1_ratio is None else setting.l1_ratio
        per_l1, per_l2 = self.factors(setting)
        return (per_l1 * strength * ratio if ratio else 0.0, per_l2 * strength * (1.0 - ratio) if ratio < 1 else 0.0)

    def value(self, l1: float, l2: float, setting: Setting) -> tuple[float, float]:
        """The value of given strengths, and its l1_ratio."""
        per_l1, per_l2 = self.factors(setting)
        lasso, ridge = l1 / per_l1, l2 / per_l2
        strength = lasso + ridge
        ratio = lasso / strength if strength else self.ratio
        return ((1.0 / strength if strength else math.inf) if self.inverse else strength), ratio


def find(name: object) -> Source:
    """The source of this name, whatever its case.

    Raises
    ------
    ArgumentError
        with the nearest name, and all of them
    """
    for source in SOURCES:
        if isinstance(name, str) and source.name.lower() == name.strip().lower():
            return source
    names = [source.name for source in SOURCES]
    raise ArgumentError(f"{name!r} is no source that is known.{nearest(name, names)} There are: {', '.join(names)}.")


def checked(source: Source, setting: Setting) -> Setting:
    """The setting in plain numbers, where these make sense and the source knows what it says.

    Raises
    ------
    ArgumentError
        naming the option
    """
    plain = Setting()
    for name in ("batch_size", "l1_ratio", "loss", "momentum", "response_sd"):
        known = name in source.takes or (name == "l1_ratio" and source.ratios != "none")
        if getattr(setting, name) != getattr(plain, name) and not known:
            raise ArgumentError(f"{name}= has no meaning for {source.name!r}; leave it out.")
    given: dict[str, Any] = {
        **{name: number(name, getattr(setting, name), 0.0, math.inf) for name in ("n", "batch_size", "response_sd")},
        **{name: number(name, getattr(setting, name), 0.0, 1.0, closed=True) for name in ("l1_ratio", "momentum")},
    }
    if source.ratios == "ends" and given["l1_ratio"] not in (None, 0.0, 1.0):
        raise ArgumentError(f"l1_ratio={given['l1_ratio']:g}: {source.name!r} is L1 or L2, not both. Give 1 or 0.")
    if setting.loss not in LOSSES:
        raise ArgumentError(f"loss={setting.loss!r} is unknown; it is one of {', '.join(LOSSES)}.")
    if setting.momentum == 1.0:
        raise ArgumentError("momentum=1: the steps never end, so that no optimum is reached.")
    return replace(setting, **given)


def number(name: str, value: object, low: float, high: float, closed: bool = False) -> float | None:
    """A number between low and high, or None."""
    if value is None:
        return None
    if not (is_number(value) and (low <= value <= high if closed else low < value < high)):
        bounds = f"from {low:g} to {high:g}" if closed else "above 0"
        raise ArgumentError(f"{name}={value!r}: give a number {bounds}.")
    return float(value)


# --- factors ----------------------------------------------------------------------------------


def _total(setting: Setting) -> tuple[float, float]:
    return 1.0, 1.0


def _twice(setting: Setting) -> tuple[float, float]:
    return 2.0, 2.0


def _per_row(name: str) -> Callable[[Setting], tuple[float, float]]:
    return lambda setting: (setting.rows(name), setting.rows(name))


def _glmnet(setting: Setting) -> tuple[float, float]:
    # glmnet divides a gaussian response by its standard deviation first; only the ridge part feels that
    n = setting.rows("glmnet lambda")
    return n, n / (setting.response_sd or 1.0)


def _batches(setting: Setting) -> tuple[float, float]:
    if setting.batch_size is None:
        return 1.0, 1.0
    n = setting.rows("sklearn MLP alpha")
    return n / min(setting.batch_size, n), n / min(setting.batch_size, n)


def _loss(name: str, l1: float, l2: float) -> Callable[[Setting], tuple[float, float]]:
    """Factors of what is added to the loss; squared errors lack the half that the gaussian likelihood has."""

    def factors(setting: Setting) -> tuple[float, float]:
        rows = setting.rows(name) if setting.loss in MEAN else 1.0
        size = rows * (0.5 if "square" in setting.loss else 1.0) * (1.0 - setting.momentum)
        return l1 * size, l2 * size

    return factors


# --- the sources ------------------------------------------------------------------------------

_ELASTIC = "l1 = n*{0}*l1_ratio, l2 = n*{0}*(1 - l1_ratio)"
_DECOUPLED = (
    "its decay is decoupled from the gradient and no penalty of the likelihood: trained to the end on all rows it is "
    "the maximum-likelihood estimate inside the box where every weight is at most 1/weight_decay in size"
)


def _decoupled(name: str, setting: str) -> Source:
    return Source(
        name, setting, "none; the largest weight is at most 1/d", "no weight",
        _DECOUPLED, _total, constants="penalised?", box=True,
    )  # fmt: skip


SOURCES: tuple[Source, ...] = (
    Source(
        "ridge", "gb.penalties.ridge(strength)", "l2 = strength", "slopes; with intercept=True the constants too",
        "this package's own scale", _total, constants="free?",
    ),
    Source(
        "sklearn C", "LogisticRegression(C)", "l1 = l1_ratio/C, l2 = (1 - l1_ratio)/C", "slopes",
        "C=1 is its default, so that it penalises unless told otherwise (C=inf), and the scale of each column matters",
        _total, ratios="any", inverse=True,
    ),
    Source(
        "sklearn liblinear C", 'LogisticRegression(C, solver="liblinear")', "l1 or l2 = 1/C", "slopes and constant",
        "this solver penalises the constant too, more weakly with a larger intercept_scaling",
        _total, ratios="ends", inverse=True, constants="penalised",
    ),
    Source(
        "sklearn MLP alpha", "MLPClassifier(alpha), MLPRegressor(alpha)", "l2 = alpha*n/batch_size; alpha for lbfgs",
        "kernels",
        "a smaller batch penalises more, because alpha is divided by the rows of a batch (200 by default), not by n",
        _batches, takes=("batch_size",),
    ),
    Source(
        "sklearn SGD alpha", 'SGDClassifier(loss="log_loss", alpha)', _ELASTIC.format("alpha"), "slopes",
        "with its default learning rate it stops far from its optimum",
        _per_row("sklearn SGD alpha"), ratios="any",
    ),
    Source(
        "sklearn Ridge alpha", "Ridge(alpha)", "l2 = alpha", "slopes",
        "on half the sum of squares, so that over the dispersion it is alpha/sigma^2",
        _total,
    ),
    Source(
        "sklearn ElasticNet alpha", "ElasticNet(alpha), Lasso(alpha)", _ELASTIC.format("alpha"), "slopes",
        "on half the mean of squares; l1_ratio is 0.5 by default, and 1 for Lasso",
        _per_row("sklearn ElasticNet alpha"), ratio=0.5, ratios="any",
    ),
    Source(
        "sklearn GLM alpha", "PoissonRegressor(alpha), GammaRegressor, TweedieRegressor", "l2 = n*alpha", "slopes",
        "alpha=1 is the default, a strong penalty: n on the total",
        _per_row("sklearn GLM alpha"),
    ),
    Source(
        "glum alpha", "GeneralizedLinearRegressor(alpha)", _ELASTIC.format("alpha"), "slopes",
        "l1_ratio is 0 by default; with scale_predictors=True it penalises the standardised slopes",
        _per_row("glum alpha"), ratios="any",
    ),
    Source(
        "glmnet lambda", "glmnet(lambda, alpha = l1_ratio)", "l1 = n*lambda*l1_ratio, l2 = n*lambda*(1 - l1_ratio)",
        "slopes",
        "l1_ratio (glmnet's alpha) is 1 by default; standardize=TRUE, also the default, penalises slopes times the "
        "column's standard deviation (over n); a gaussian response is divided by its standard deviation first, which "
        "divides l2 by that: give response_sd",
        _glmnet, ratio=1.0, ratios="any", takes=("response_sd",),
    ),
    Source(
        "nnet decay", "nnet(decay), multinom(decay)", "l2 = 2*decay", "all, the biases too",
        "there is no half before its sum of squares; for entropy and softmax outputs", _twice, constants="penalised",
    ),
    Source(
        "nnet linout decay", "nnet(decay, linout = TRUE)", "l2 = decay", "all, the biases too",
        "on the sum of squares, so that over the dispersion it is decay/sigma^2", _total, constants="penalised",
    ),
    Source(
        "statsmodels GLM alpha", "GLM.fit_regularized(alpha, L1_wt = l1_ratio)", _ELASTIC.format("alpha"),
        "all, the constant too, unless alpha is a vector with a 0 for it",
        "L1_wt is 1 by default; its own tolerance leaves about 1e-5",
        _per_row("statsmodels GLM alpha"), ratio=1.0, ratios="any", constants="penalised?",
    ),
    Source(
        "statsmodels Logit alpha", "Logit.fit_regularized(alpha)", "l1 = alpha",
        "all, the constant too, unless alpha is a vector with a 0 for it",
        "L1 only and on the total, unlike GLM.fit_regularized; so for Probit, Poisson and MNLogit",
        _total, ratio=1.0, constants="penalised?",
    ),
    Source(
        "keras L2", "kernel_regularizer=L2(l)", "l2 = 2*n*l", "the kernel that it is given for",
        "there is no half before its sum of squares",
        _loss("keras L2", 1.0, 2.0), takes=("loss",),
    ),
    Source(
        "keras L1", "kernel_regularizer=L1(l)", "l1 = n*l", "the kernel that it is given for",
        "gradient steps never make a weight exactly 0",
        _loss("keras L1", 1.0, 2.0), ratio=1.0, takes=("loss",),
    ),
    Source(
        "keras SGD weight_decay", "SGD(weight_decay=d)", "l2 = n*d*(1 - momentum)",
        "all, the biases too, unless excluded",
        "with momentum the gradient is added up and the decay is not",
        _loss("keras SGD weight_decay", 1.0, 1.0), constants="penalised?", takes=("loss", "momentum"),
    ),
    Source(
        "torch SGD weight_decay", "SGD(weight_decay=d)", "l2 = n*d; d for a summed loss",
        "all parameters that the optimiser is given, the biases too",
        "momentum changes nothing",
        _loss("torch SGD weight_decay", 1.0, 1.0), constants="penalised?", takes=("loss",),
    ),
    Source(
        "torch Adam weight_decay", "Adam(weight_decay=d), RMSprop, Adagrad", "l2 = n*d; d for a summed loss",
        "all parameters that the optimiser is given, the biases too",
        "only as trained to the end on all rows: with batches Adam's own scaling moves the optimum",
        _loss("torch Adam weight_decay", 1.0, 1.0), constants="penalised?", takes=("loss",),
    ),
    _decoupled("torch AdamW weight_decay", "AdamW(weight_decay=d)"),
    _decoupled("keras AdamW weight_decay", "AdamW(weight_decay=d)"),
    _decoupled("keras Adam weight_decay", "Adam(weight_decay=d)"),
    Source(
        "laplace prior_precision", "Laplace(prior_precision=t)", "l2 = t", "the weights it is laid over",
        "a Gaussian prior of variance 1/t, the same for every weight", _total, constants="penalised?",
    ),
    Source(
        "tfp l2_regularizer", "tfp.glm.fit(l2_regularizer)", "l2 = 2*l2_regularizer", "all columns, the constant too",
        "there is no half before its sum of squares", _twice, constants="penalised",
    ),
)  # fmt: skip
