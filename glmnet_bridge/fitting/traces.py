"""The trace of a fit: one row per step, the same for Newton and for the descents."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a fit.

    Attributes
    ----------
    step : its number; 0 is the start
    epoch : passes over the data so far (for Newton the same as `step`)
    loglik : log-likelihood less that of the saturated model, penalty not included
    distance : distance to the optimum in standard errors (the Newton decrement); nan if not computed
    seconds : time since the start
    theta : (P,) parameters
    validation_loss, accuracy : of a held-out part or the classes; nan where not asked for
    """

    step: int
    epoch: float
    loglik: float
    distance: float
    seconds: float
    theta: Array
    validation_loss: float = np.nan
    accuracy: float = np.nan


@dataclass(frozen=True, slots=True)
class Trace:
    """The steps of a fit, with what is needed to repeat it.

    Attributes
    ----------
    steps : one `Step` each
    entries : names of theta's entries
    method : "newton", "newton on a subsample, then scores", "sgd", ...
    seed : of the random generator, or None
    """

    steps: tuple[Step, ...]
    entries: tuple[str, ...]
    method: str = "newton"
    seed: object = None

    def frame(self) -> pd.DataFrame:
        """One row per step: the fields of `Step`, with a column for each entry of theta."""
        plain = [field.name for field in fields(Step) if field.name != "theta"]
        table = pd.DataFrame([[getattr(step, name) for name in plain] for step in self.steps], columns=plain)
        thetas = np.array([step.theta for step in self.steps]).reshape(len(self.steps), len(self.entries))
        return pd.concat([table, pd.DataFrame(thetas, columns=list(self.entries))], axis=1)

    def __len__(self) -> int:
        return len(self.steps)
