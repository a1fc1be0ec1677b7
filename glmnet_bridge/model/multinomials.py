"""The multinomial kernel: C classes, and the log-odds of each against the base class (see `kernels`).

    p_c = exp(eta_c) / sum_j exp(eta_j)              eta of the base is 0, and no column stands for it
    l = sum_c y_c log(p_c / y_c)      u_c = y_c - p_c      w_cd = p_c (1[c = d] - p_d)

There are k = C - 1 columns of eta and y; what a row's y lacks to 1 is the base's share. It is the
softmax of a network whose base class has the logit 0. Everything is formed from differences to the
largest eta, so that the smaller of p and 1 - p has all its digits at |eta| = 800.
"""

from __future__ import annotations

import numpy as np

from glmnet_bridge.model.kernels import divergence, quiet

Array = np.ndarray


class Softmax:
    """Canonical: observed and expected information are one, `(m, k, k)`; the likelihood is `(m, 1)`.

    Inside, classes run along the first axis, the base first: sums over classes then add whole rows.
    """

    __slots__ = ("complement", "depth", "mean", "rest", "y")

    def __init__(self, y: Array, eta: Array) -> None:
        self.y = y.T
        self.depth = _depth(eta)
        shares = np.exp(self.depth)
        top = self.depth.argmax(axis=0), np.arange(len(eta))
        shares[top] = 0.0
        # what is left beside the largest is added up without it, so that it keeps its digits
        self.rest = shares.sum(axis=0)
        shares[top] = 1.0
        total = 1.0 + self.rest
        self.mean = shares / total
        self.complement = (total - shares) / total
        self.complement[top] = self.rest / total

    @property
    @quiet
    def loglik(self) -> Array:
        others = self.y.sum(axis=0)
        parts = np.vstack([1.0 - others, self.y])
        logs = self.depth - np.log1p(self.rest)
        if ((parts == 0.0) | (parts == 1.0)).all():
            # a class without share adds nothing, however impossible it is
            return np.where(parts == 1.0, logs, 0.0).sum(axis=0)[:, None]
        # what the base leaves is known better than the base's own share
        left = np.vstack([others, 1.0 - self.y])
        gap = np.where(self.mean < 0.5, self.mean - parts, left - self.complement)
        return -divergence(parts, logs, gap).sum(axis=0)[:, None]

    @staticmethod
    def quick_score(y: Array, eta: Array) -> Array:
        """The score to 1e-16 absolute, for passes over many rows that form nothing else."""
        shares = _depth(eta)
        np.exp(shares, out=shares)
        rest: Array = (y.T - shares[1:] / shares.sum(axis=0)).T
        return rest

    @property
    def score(self) -> Array:
        mean, complement = self.mean[1:], self.complement[1:]
        found: Array = np.where(mean < 0.5, self.y - mean, (self.y - 1.0) + complement).T
        return found

    @property
    def expected(self) -> Array:
        mean = self.mean[1:]
        found = -mean[:, None] * mean
        at = np.arange(len(mean))
        found[at, at] = mean * self.complement[1:]
        return found.transpose(2, 0, 1)

    observed = expected

    @property
    def root(self) -> Array:
        """`(m, C, k)` with `root' root = expected`: one row per class, `sqrt(p_c) (e_c - p)`."""
        away = np.vstack([np.zeros(len(self.mean) - 1), np.eye(len(self.mean) - 1)])[:, :, None] - self.mean[1:]
        at = np.arange(len(self.mean) - 1)
        away[at + 1, at] = self.complement[1:]
        return (np.sqrt(self.mean)[:, None] * away).transpose(2, 0, 1)


def _depth(eta: Array) -> Array:
    """How far each class `(C, m)` lies below the most probable one of its row."""
    depth = np.zeros((eta.shape[1] + 1, len(eta)))
    depth[1:] = eta.T
    depth -= depth.max(axis=0)
    return depth


def probabilities(eta: Array) -> Array:
    """All C classes `(m, C)`, the base first, for eta `(m, k)`; nan where eta is."""
    shares = _depth(eta)
    np.exp(shares, out=shares)
    found: Array = (shares / shares.sum(axis=0)).T
    return found


def softmax(eta: Array) -> Array:
    """Probabilities `(..., k)` of the classes after the base."""
    at = np.asarray(eta, dtype=float)
    found: Array = probabilities(at.reshape(-1, at.shape[-1]))[:, 1:].reshape(at.shape)
    return found


def slope(eta: Array) -> Array:
    """d p_c / d eta_c, `(..., k)`."""
    at = np.asarray(eta, dtype=float)
    flat = at.reshape(-1, at.shape[-1])
    local = Softmax(np.zeros_like(flat), flat)
    found: Array = (local.mean[1:] * local.complement[1:]).T.reshape(at.shape)
    return found


def log_odds(mean: Array) -> Array:
    """eta `(..., k)` of probabilities of the classes after the base: `log p_c - log p_base`."""
    share = np.asarray(mean, dtype=float)
    return np.log(share) - np.log1p(-share.sum(axis=-1, keepdims=True))
