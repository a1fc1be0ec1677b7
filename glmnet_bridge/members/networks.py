"""Questions to the network that a fit is: weights, layers, gradient, information."""

from __future__ import annotations

from typing import Any

import pandas as pd

from glmnet_bridge.mapping import views
from glmnet_bridge.members.rows import OfRows


class OfNetwork(OfRows):
    """The network view."""

    def weights(self) -> pd.DataFrame:
        """The network's weights: `layer, entry, value`."""
        return views.weights(self.estimate)

    def layers(self) -> pd.DataFrame:
        """The network's layers, as in `model.summary()`: `layer, kind, output_shape, parameters`."""
        return views.layers(self.estimate)

    def forward(self, data: Any = None, *, offset: Any = None, exposure: Any = None, unseen: str = "raise") -> Any:
        """The network's output for each row: the mean, as `predict` gives it."""
        found = self.predict(data, offset=offset, exposure=exposure, unseen=unseen)
        return found if self.family.joint else found.rename("output")

    def gradient(self) -> pd.Series:
        """Score by weight at dispersion 1: the slope of the log-likelihood, minus that of the summed loss."""
        return views.gradient(self.estimate)

    def information(self, kind: str = "expected") -> pd.DataFrame:
        """Information of the weights at dispersion 1: "expected" (Gauss-Newton) or "observed" (Hessian)."""
        return views.information(self.estimate, kind)
