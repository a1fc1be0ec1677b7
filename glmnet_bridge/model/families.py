"""Families: a distribution and a link, in the words of both trades.

    mu = inverse_link(eta)        the network says: output = activation(eta)
    loss = mean of -l             the GLM says: deviance = -2 sum l

A `Family` joins a distribution, a link and the kernel that computes both at eta (see
`kernels`). It is frozen and carries no state of any model. A new family is a kernel class,
a line in `KERNELS` and, if need be, an entry in `DISTRIBUTIONS` or `LINKS`; it then enters
every law in `tests/laws`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy

from glmnet_bridge.errors import ArgumentError, nearest
from glmnet_bridge.model import binomials, kernels, multinomials

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Link:
    """A link function with its inverse, the inverse's slope, and the network's word for it."""

    name: str
    function: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    activation: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution: variance function, what its response can be, and its constants.

    Attributes
    ----------
    name : the word in formulas and tables
    support : "binomial", "count", "positive", "real" or "classes"; what a response can be
    variance : variance function of the mean, at dispersion 1 (of each class on its own)
    free_dispersion : whether the dispersion is estimated (else it is 1)
    loss : what the network calls minus the log-likelihood per row
    canonical : name of the default link
    """

    name: str
    title: str
    support: str
    variance: Callable[[Array], Array]
    free_dispersion: bool
    loss: str
    canonical: str


@dataclass(frozen=True, slots=True)
class Family:
    """A distribution with a link; `local` is the kernel at eta.

    `chosen` says whether somebody named the link: beside another one in `link=`, a default gives way and a
    choice is contradicted. It is no part of what a family is, and does not count when two are compared.

    Examples
    --------
    >>> from glmnet_bridge.model.families import binomial
    >>> family = binomial(link="probit")
    >>> family
    binomial(link='probit')
    >>> family.mean(np.array([0.0])).tolist()
    [0.5]
    """

    distribution: Distribution
    link: Link
    kernel: Callable[[Array, Array], Any]
    chosen: bool = field(default=True, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by name: the functions of a link are not data."""
        return _family, (self.name, self.link.name if self.chosen else None)

    @property
    def name(self) -> str:
        return self.distribution.name

    @property
    def title(self) -> str:
        """`Binomial, logit link`."""
        return f"{self.distribution.title}, {self.link.name} link"

    @property
    def joint(self) -> bool:
        """Whether several linear predictors make one likelihood, so that outputs share information."""
        return self.distribution.support == "classes"

    @property
    def canonical(self) -> bool:
        """Whether observed and expected information are the same function."""
        return getattr(self.kernel, "observed", None) is getattr(self.kernel, "expected", 0)

    def __repr__(self) -> str:
        return f"{self.name}(link={self.link.name!r})"

    def local(self, y: Array, eta: Array) -> Any:
        """Log-likelihood, score, expected and observed information of each row `(m, k)`; numbers will do, too.

        A joint family has one log-likelihood a row, `(m, 1)`, and information `(m, k, k)`.
        """
        return self.kernel(np.asarray(y, dtype=float), np.asarray(eta, dtype=float))

    def score(self, y: Array, eta: Array) -> Array:
        """`local(y, eta).score`, by the kernel's shorter way where it has one."""
        short = getattr(self.kernel, "quick_score", None)
        return self.kernel(y, eta).score if short is None else short(y, eta)

    def mean(self, eta: Array) -> Array:
        """The mean at eta: inverse link, or activation."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return self.link.inverse(np.asarray(eta, dtype=float))

    def slope(self, eta: Array) -> Array:
        """d mean / d eta."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return self.link.slope(np.asarray(eta, dtype=float))

    def variance(self, mean: Array) -> Array:
        """Variance function at the mean, dispersion 1."""
        return self.distribution.variance(mean)


def _logistic_slope(eta: Array) -> Array:
    tail = np.exp(-np.abs(eta))
    return tail / (1.0 + tail) ** 2


def _normal_density(eta: Array) -> Array:
    return np.exp(-0.5 * eta * eta) / np.sqrt(2.0 * np.pi)


# scipy.special is looked up when it is called: loading it is a tenth of the time that importing takes
LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link(
            "logit",
            lambda mean: scipy.special.logit(mean),
            lambda eta: scipy.special.expit(eta),
            _logistic_slope,
            "sigmoid",
        ),
        Link(
            "probit",
            lambda mean: scipy.special.ndtri(mean),
            lambda eta: scipy.special.ndtr(eta),
            _normal_density,
            "normal distribution function",
        ),
        Link(
            "cloglog",
            lambda mean: np.log(-np.log1p(-mean)),
            lambda eta: -np.expm1(-np.exp(eta)),
            lambda eta: np.exp(eta - np.exp(eta)),
            "1 - exp(-exp(eta))",
        ),
        Link(
            "loglog",
            lambda mean: -np.log(-np.log(mean)),
            lambda eta: np.exp(-np.exp(-eta)),
            lambda eta: np.exp(-eta - np.exp(-eta)),
            "exp(-exp(-eta))",
        ),
        Link(
            "cauchit",
            lambda mean: -1.0 / np.tan(np.pi * mean),
            lambda eta: np.arctan2(1.0, -eta) / np.pi,
            lambda eta: 1.0 / (np.pi * (1.0 + eta * eta)),
            "1/2 + arctan(eta)/pi",
        ),
        Link("log", np.log, np.exp, np.exp, "exponential"),
        Link("identity", np.positive, np.positive, np.ones_like, "linear"),
        Link("inverse", np.reciprocal, np.reciprocal, lambda eta: -1.0 / eta**2, "1/eta"),
        Link("sqrt", np.sqrt, np.square, lambda eta: 2.0 * eta, "square"),
        Link(
            "1/mu^2",
            lambda mean: mean**-2.0,
            lambda eta: eta**-0.5,
            lambda eta: -0.5 * eta**-1.5,
            "1/sqrt(eta)",
        ),
    )
}

DISTRIBUTIONS: dict[str, Distribution] = {
    each.name: each
    for each in (
        Distribution(
            "binomial",
            "Binomial",
            "binomial",
            lambda mean: mean * (1.0 - mean),
            False,
            "binary cross-entropy",
            "logit",
        ),
        Distribution("gaussian", "Gaussian", "real", np.ones_like, True, "half squared error", "identity"),
        Distribution("poisson", "Poisson", "count", np.positive, False, "Poisson negative log-likelihood", "log"),
        Distribution("gamma", "Gamma", "positive", np.square, True, "gamma half deviance", "inverse"),
        Distribution(
            "inverse_gaussian",
            "Inverse Gaussian",
            "positive",
            lambda mean: mean**3.0,
            True,
            "inverse Gaussian half deviance",
            "1/mu^2",
        ),
        Distribution(
            "multinomial",
            "Multinomial",
            "classes",
            lambda mean: mean * (1.0 - mean),
            False,
            "categorical cross-entropy",
            "logit",
        ),
    )
}

# links of several linear predictors at once: the mean of each class depends on all of them
JOINT: dict[tuple[str, str], Link] = {
    ("multinomial", "logit"): Link(
        "logit",
        multinomials.log_odds,
        multinomials.softmax,
        multinomials.slope,
        "softmax",
    ),
}

KERNELS: dict[tuple[str, str], Callable[[Array, Array], Any]] = {
    ("binomial", "logit"): binomials.Logit,
    ("binomial", "probit"): binomials.Probit,
    ("binomial", "cloglog"): binomials.CLogLog,
    ("binomial", "loglog"): binomials.LogLog,
    ("binomial", "cauchit"): binomials.Cauchit,
    ("binomial", "log"): binomials.BinomialLog,
    ("binomial", "identity"): binomials.BinomialIdentity,
    ("gaussian", "identity"): kernels.GaussianIdentity,
    ("gaussian", "log"): kernels.GaussianLog,
    ("gaussian", "inverse"): kernels.GaussianInverse,
    ("poisson", "log"): kernels.PoissonLog,
    ("poisson", "sqrt"): kernels.PoissonSqrt,
    ("poisson", "identity"): kernels.PoissonIdentity,
    ("gamma", "log"): kernels.GammaLog,
    ("gamma", "inverse"): kernels.GammaInverse,
    ("gamma", "identity"): kernels.GammaIdentity,
    ("inverse_gaussian", "1/mu^2"): kernels.InverseGaussianSquare,
    ("inverse_gaussian", "log"): kernels.InverseGaussianLog,
    ("multinomial", "logit"): multinomials.Softmax,
}

# other people's spellings: R, statsmodels, glum, scikit-learn
_ALIASES = {
    "bernoulli": "binomial",
    "normal": "gaussian",
    "inversegaussian": "inverse_gaussian",
    "inverse.gaussian": "inverse_gaussian",
    "inverse_power": "inverse",
    "inversepower": "inverse",
    "inverse_squared": "1/mu^2",
    "inversesquared": "1/mu^2",
    "inverse_square": "1/mu^2",
    "1/mu2": "1/mu^2",
    "cauchy": "cauchit",
    "logistic": "logit",
    "categorical": "multinomial",
    "multinom": "multinomial",
    "softmax": "multinomial",
    "complementary log-log": "cloglog",
}


def binomial(link: str | None = None) -> Family:
    """Yes or no, or so many of so many; links logit, probit, cloglog, loglog, cauchit, log, identity."""
    return _family("binomial", link)


def gaussian(link: str | None = None) -> Family:
    """A real number with constant variance; links identity, log, inverse."""
    return _family("gaussian", link)


def poisson(link: str | None = None) -> Family:
    """A count; links log, sqrt, identity."""
    return _family("poisson", link)


def gamma(link: str | None = None) -> Family:
    """A positive number with constant coefficient of variation; links inverse, log, identity."""
    return _family("gamma", link)


def inverse_gaussian(link: str | None = None) -> Family:
    """A positive number whose variance grows with the cube of the mean; links 1/mu^2, log."""
    return _family("inverse_gaussian", link)


def multinomial(link: str | None = None) -> Family:
    """One of several classes; link logit: the log-odds of each class against the base class."""
    return _family("multinomial", link)


def named(family: object, link: object = None) -> Family:
    """The family that a name, a `Family` or a statsmodels family object stands for.

    Parameters
    ----------
    family : a name such as "poisson", one of the functions of this module, a `Family`, or a
        statsmodels family (translated by name and never kept: it carries state)
    link : a name or a statsmodels link; None takes the family's own or default link

    Raises
    ------
    ArgumentError
        for an unknown family or link, with the list of those that exist, and for a link beside a family
        for which another one was chosen (of a statsmodels object nobody knows whether its default was)
    """
    maker = getattr(family, "__name__", "")
    if maker in DISTRIBUTIONS and getattr(family, "__module__", "") == __name__:
        family = maker
    if isinstance(family, Family):
        return family if link is None else _relinked(family, link)
    if isinstance(family, str):
        return _family(_spelt(family), None if link is None else _spelt(link))
    kind = type(family) if not isinstance(family, type) else family
    if kind.__module__.startswith("statsmodels."):
        own = getattr(family, "link", None) if not isinstance(family, type) else None
        found = _family(_spelt(kind.__name__), None if own is None else _spelt(own))
        if link is None:
            return found
        return _relinked(replace(found, chosen=found.link.name != found.distribution.canonical), link)
    shown = repr(family) if isinstance(family, (int, float, type(None))) else f"a {type(family).__name__}"
    raise ArgumentError(
        f"family is {shown}, which is not understood. Give a name ({', '.join(DISTRIBUTIONS)}), "
        "gb.families.poisson() or one of its siblings, or a statsmodels family object."
    )


def _relinked(family: Family, link: object) -> Family:
    """The family with this link, which must not contradict one that was chosen with the family."""
    other, own = _family(family.name, _spelt(link)), family.link.name
    if family.chosen and own != other.link.name:
        raise ArgumentError(
            f"family= has the link {own!r} and link= says {other.link.name!r}: leave link= out, or give "
            f"family={family.name!r}."
        )
    return other


def _spelt(word: object) -> str:
    """The word in our spelling; statsmodels links are classes or instances named after the link."""
    if isinstance(word, Link):
        return word.name
    if not isinstance(word, str):
        kind = word if isinstance(word, type) else type(word)
        if not kind.__module__.startswith("statsmodels."):
            shown = repr(word) if isinstance(word, (int, float)) else f"a {kind.__name__}"
            raise ArgumentError(f"link is {shown}, which is not understood. Give a name: {', '.join(LINKS)}.")
        word = _statsmodels_name(word, kind)
    lower = word.strip().lower()
    return _ALIASES.get(lower, lower)


def _statsmodels_name(word: object, kind: type) -> str:
    """Power links say their power in an attribute."""
    powers = {1.0: "identity", 0.0: "log", -1.0: "inverse", -2.0: "1/mu^2", 0.5: "sqrt"}
    if kind.__name__ == "Power" and getattr(word, "power", None) in powers:
        return powers[float(word.power)]  # type: ignore[attr-defined]
    return kind.__name__


def _family(name: str, link: str | None) -> Family:
    if name not in DISTRIBUTIONS:
        raise ArgumentError(
            f"Unknown family {name!r}; there are {', '.join(DISTRIBUTIONS)}.{nearest(name, DISTRIBUTIONS)}"
        )
    distribution = DISTRIBUTIONS[name]
    chosen = distribution.canonical if link is None else _spelt(link)
    if (name, chosen) not in KERNELS:
        allowed = [each for family, each in KERNELS if family == name]
        raise ArgumentError(
            f"The {name} family has no link {chosen!r}; it has {', '.join(allowed)}.{nearest(chosen, allowed)}"
        )
    return Family(distribution, JOINT.get((name, chosen), LINKS[chosen]), KERNELS[name, chosen], link is not None)
