"""Cases of scikit-learn."""

from __future__ import annotations

import numpy as np
from adapters.kit import FRAME, Case
from sklearn.linear_model import LogisticRegression


def plain() -> Case:
    """Columns by name, trained to the end."""
    columns = ["age", "lwt", "smoke"]
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(FRAME[columns], FRAME.low)
    return Case(model, "low ~ age + lwt + smoke", optimal=True, relations={"Intercept": "same", "age": "same"})


CASES = {"plain": plain}
