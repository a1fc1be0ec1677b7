"""Descents: train a network by gradients, and say how far from the optimum it ended.

    start -> learner -> one recorded place per epoch -> outcome, sentence, trace

The learners of the tutorials are solvers of the same model as Newton: same likelihood,
same score, same trace. Every end is a value: "converged", "step limit", "early stop",
"diverged" or "interrupted"; all but the first come with one `ConvergenceWarning` that says
how many standard errors the weights are short, and what to do.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from glmnet_bridge.data.rows import Rows
from glmnet_bridge.errors import ArgumentError, ConvergenceWarning
from glmnet_bridge.fitting import beginnings, verdicts
from glmnet_bridge.fitting.batches import hold, subset
from glmnet_bridge.fitting.learners import Place, batch_size, learner
from glmnet_bridge.fitting.losses import Gap, Loss, Reference, accuracy, at_the_edge, reference_at
from glmnet_bridge.fitting.traces import Step, Trace
from glmnet_bridge.fitting.trainings import Training, seed_of
from glmnet_bridge.model.models import Model

Array = np.ndarray

CHEAP = 2e7  # rows * P^2 below which every epoch measures its distance
LOOKS = 20  # measured distances of a longer training
FAR = 10.0  # a loss so many times that of the start has diverged
