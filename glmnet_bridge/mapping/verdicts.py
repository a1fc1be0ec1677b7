"""Verdicts: what a map says, in one plain paragraph; the same numbers give the same words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmnet_bridge.errors import listed
from glmnet_bridge.mapping.correspondences import Correspondence, Tie
from glmnet_bridge.mapping.distances import Distances
from glmnet_bridge.mapping.unions import CONSTANT

NOISE = 1e-8  # what is smaller differs from machine to machine


@dataclass(frozen=True, slots=True)
class Case:
    """What a verdict is about.

    Attributes
    ----------
    map_, apart : the correspondence and its distances
    shared : whether both views hold one estimate
    outcome : of the GLM's fit
    penalty : of the network's training, in words, or ""
    other : what else than the likelihood it was trained for, in words, or ""
    constrained : the deviance of the constrained GLM less that of the free one, or None
    learnt : whether a learner of ours trained the network
    causes : of the gap to the maximum of the likelihood, with their shares, where they were looked for
    besides : what is known to have kept the weights from the optimum of their training's loss
    faults : what is wrong with the network's output, one sentence each
    """

    map_: Correspondence
    apart: Distances
    shared: bool
    outcome: str
    penalty: str
    constrained: float | None
    learnt: bool = False
    causes: tuple[tuple[str, float], ...] = ()
    other: str = ""
    besides: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def verdict(case: Case) -> str:
    """The paragraph for an affine network."""
    parts = list(case.faults)
    parts.append(_shared(case) if case.shared else _trained(case) if case.apart.trained else _short(case))
    if case.causes and not (case.learnt and len(case.causes) == 1):
        parts.append(_causes(case))
    parts += _structure(case.map_, shared=case.shared)
    if not case.shared and case.outcome == "separated":
        parts.append(
            "The maximum-likelihood estimate is not finite (the data are separated): infinite terms have no distance."
        )
    return " ".join(parts)


def _shared(case: Case) -> str:
    if case.outcome == "separated":
        return (
            "The network is the GLM: same parameters. The data are separated, so that some weights grow "
            "without bound and have no finite estimate."
        )
    if case.penalty:
        return (
            f"The network is the penalised GLM ({case.penalty}): same parameters, "
            f"{rounding(case.apart.joint)} SE from the maximum likelihood{_largest(case)}."
        )
    if case.outcome == "boundary":
        return (
            "The network is the GLM: same parameters. The maximum lies on the edge of the link's domain, where "
            "standard errors do not apply."
        )
    if not case.apart.trained:
        return (
            f"The network is the GLM: same parameters. The fit stopped {rounding(case.apart.joint)} SE short of "
            f"the maximum likelihood{_largest(case)} and should not be reported."
        )
    size = rounding(case.apart.joint)
    return f"The network is the GLM: same parameters, one estimate, {size} SE from the optimum."


def _trained(case: Case) -> str:
    if case.map_.ties:
        extra = "" if case.constrained is None else (
            f"; the best that it allows has a deviance {figure(case.constrained)} above that of the free GLM"
        )  # fmt: skip
        return f"The network is a constrained GLM at its own optimum{extra}."
    if case.other:
        own = f"{case.other} and the penalty ({case.penalty})" if case.penalty else case.other
        return (
            f"Every GLM term is read off the weights, which are at the optimum of their own loss ({own}): "
            f"{rounding(case.apart.joint)} SE from the maximum likelihood{_largest(case)}."
        )
    if case.map_.narrow > 0 and not case.penalty:
        count = len(case.map_.kept)
        return (
            "The network is a GLM with fewer free parameters at its own optimum: its narrow layers leave "
            f"{count - case.map_.narrow} directions to {count} coefficients. It is {rounding(case.apart.joint)} SE "
            f"from the maximum likelihood{_largest(case)}; the deviance is {figure(case.apart.excess)} above the "
            "minimum."
        )
    if case.penalty:
        which = "the penalised GLM" if _all_same(case.map_) else "a GLM penalised on its own weights"
        return (
            f"The network is {which} ({case.penalty}) at its optimum: {rounding(case.apart.joint)} SE from the "
            f"maximum likelihood{_largest(case)}."
        )
    same = "its weights are the coefficients" if _all_same(case.map_) else "its weights fold into the coefficients"
    return f"The network is the GLM: {same}, {rounding(case.apart.joint)} SE from the maximum likelihood."


def _short(case: Case) -> str:
    subject = "The network is a constrained GLM" if case.map_.ties else "Every GLM term is read off the weights"
    if not np.isfinite(case.apart.joint):
        return f"{subject}, but at these weights the information is singular, so that no distance is known."
    size = rounding(case.apart.joint)
    short = f", but training stopped {size} SE short of the maximum likelihood"
    if not case.learnt:
        short = f". The weights are as given; they are {size} SE from the maximum likelihood"
    toll = ""
    if case.constrained is not None:
        toll = f", of which the constraint costs {figure(case.constrained)}"
    return f"{subject}{short}{_largest(case)}; the deviance is {figure(case.apart.excess)} above the minimum{toll}."


CAUSES = {
    "training": "training (it stopped short, or had other rows, weights, offsets or inputs than these)",
    "single precision": "rounding to single precision",
    "penalty": "the penalty",
    "label smoothing": "label smoothing",
    "class weights": "class weights",
    "loss": "a loss that is not the likelihood",
    "loss and training": "a loss that is not the likelihood, and its training",
    "structure": "what the network cannot express",
}


def _causes(case: Case) -> str:
    """As in: of this gap, 95 % is the penalty and 5 % training that stopped short."""
    words = CAUSES | ({"training": "training that stopped short"} if case.learnt else {})
    if case.besides:
        words["training"] = f"training (kept from its optimum by {listed(list(case.besides), 4)}, or stopped short)"
    return shares([(words[name], share) for name, share in case.causes])


def shares(causes: Sequence[tuple[str, float]]) -> str:
    """As in: of this gap, 102.5 % is the penalty, and training pulls the other way by 2.5 %."""
    order = sorted(causes, key=lambda each: -abs(each[1]))
    parts = [f"{_percent(share)} is {words}" for words, share in order if share >= 0]
    said = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""
    against = " and ".join(f"{words} pulls the other way by {_percent(-share)}" for words, share in order if share < 0)
    return f"Of this gap, {', and '.join(part for part in (said, against) if part)}."


def _percent(share: float) -> str:
    """To a tenth: shares of both signs are seen to add up to 100 %."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def measured(map_: Correspondence, apart: Distances) -> bool:
    """Whether the verdict says how many standard errors the weights are from the maximum likelihood."""
    return bool(np.isfinite(apart.joint)) and not (apart.trained and map_.ties)


def _structure(map_: Correspondence, shared: bool) -> list[str]:
    """What the network lacks, ties, adds or has too much of."""
    parts = []
    added = map_.terms.columns[map_.terms.own :]
    alone = {tie.columns[0]: tie for tie in map_.ties if len(tie.columns) == 1}
    own = [tie for name, tie in alone.items() if not map_.terms.added(map_.columns.index(name))]
    left_out, held = [tie for tie in own if not tie.value], [tie for tie in own if tie.value]
    together = [tie for tie in map_.ties if len(tie.columns) > 1]
    if left_out:
        parts.append(f"It leaves out {listed([tie.columns[0] for tie in left_out])} ({_texts(left_out)}).")
    if held:
        coefficients = "a fixed coefficient" if len(held) == 1 else "fixed coefficients"
        names = listed([tie.columns[0] for tie in held])
        parts.append(f"It gives {names} {coefficients} ({_texts(held)}), which no training of it can change.")
    if together:
        parts.append(f"It ties {listed([_tied(tie.columns, tie.text) for tie in together], 3)}.")
    extra = [name for name in added if name != CONSTANT]
    if CONSTANT in added:
        parts.append("It has a bias where the formula has no intercept; distances are to the model with one.")
    if extra:
        parts.append(_extra(extra, [tie for tie in alone.values() if tie not in own]))
    null = map_.null[:, :0] if shared else map_.null
    dead = [map_.weights[np.flatnonzero(column)[0]] for column in null.T if np.count_nonzero(column) == 1]
    if dead:
        parts.append(f"Without effect, because their inputs are always 0 on these rows: {listed(dead)}.")
    directions = null.shape[1] - len(dead)
    if directions:
        plural = "one direction" if directions == 1 else f"{directions} directions"
        parts.append(
            f"Its weights are redundant in {plural}: single weights there have no standard error, the GLM's terms have."
        )
    return parts


def _extra(names: list[str], fixed: list[Tie]) -> str:
    """Columns that only the network has, and what of them it holds fixed."""
    said = f"It also uses {listed(names, 4)}, which the formula lacks"
    if not fixed:
        return f"{said}; distances are to the model with both."
    whose = "whose coefficient is" if len(fixed) == len(names) == 1 else "where coefficients are"
    return f"{said}, and {whose} fixed ({_texts(fixed)}); distances are to the model with both, where it is free."


def _texts(ties: list[Tie]) -> str:
    return listed([tie.text for tie in ties])


def _tied(columns: tuple[str, ...], text: str) -> str:
    share = " and ".join(columns) if len(columns) == 2 else listed(list(columns), 4)
    return f"{share} ({text})"


def _all_same(map_: Correspondence) -> bool:
    return set(map_.relations) <= {"same", "network only"}


def _largest(case: Case) -> str:
    at = case.apart.largest
    if at is None or abs(case.apart.by_refit[at]) < 1e-6:
        return ""
    return f" (largest: {case.map_.columns[at]}, {case.apart.by_refit[at]:+.2g} SE)"


def rounding(value: float) -> str:
    """A size in words; below 1e-8 it is rounding."""
    return "less than 1e-8" if value < NOISE else f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def bound(value: float) -> str:
    """The largest of some sizes, in words."""
    return rounding(value) if value < NOISE else f"at most {rounding(value)}"


def no_better(deviance: float, null: float, guess: str) -> str:
    """The sentence for a network that says no more than a constant does, with what may be why."""
    figures = f"deviance {figure(deviance)}; a constant's is {figure(null)}"
    return f"The network is no better than a constant ({figures}){guess}."


def figure(value: float) -> str:
    """A deviance, to a digit after the point, or more where it is small."""
    return f"{value:.1f}" if value >= 10 else f"{value:.4g}"


def guess(learnt: bool, aims: str) -> str:
    """What may be why a network is no better than a constant: it was trained here, or for `aims`, or who knows how."""
    if learnt:
        return ": training has not got any further"
    if aims:
        return f": it was trained for more than the likelihood ({aims})"
    return ": the network looks untrained, or its inputs come in another order or on another scale than in its training"


def uncharted(
    activation: str,
    link_activation: str,
    clipped: Sequence[object] | None,
    rows: int,
    cost: float,
    faults: Sequence[str] = (),
    units: Sequence[str] = (),
    toll: float = np.nan,
) -> str:
    """The paragraph for a network that is not affine.

    Parameters
    ----------
    activation : what makes it so
    link_activation : the output activation that follows
    clipped : labels of the rows that a ReLU sets to eta = 0, or None
    rows : how many there are
    cost : log-likelihood of the GLM on the same columns less the network's
    faults, units : what is wrong with its output, and with its hidden units, one sentence each
    toll : of a clipping ReLU: the log-likelihood of the same weights without it, less the network's
    """
    parts = [
        *faults,
        f"The network is no GLM: {activation} stands before the {link_activation}, so that eta is not linear "
        "in the weights. They have no GLM counterpart and no standard errors.",
    ]
    if clipped is not None and not len(clipped):
        parts.append("It clips no row: on these rows the network is linear.")
    elif clipped is not None:
        parts.append(
            f"It clips {len(clipped)} of {rows} rows to eta = 0 ({100 * len(clipped) / rows:.3g} %; "
            f"rows {listed(list(clipped), 5)}), whatever their inputs."
        )
    if clipped is not None and len(clipped) == rows:
        parts.append("No row passes, so that no weight can learn: train again from another start=.")
    word = "below" if cost >= 0 else "above"
    parts.append(f"Its log-likelihood is {figure(abs(cost))} {word} that of the GLM on the same columns.")
    if clipped is not None and len(clipped) and np.isfinite(toll):
        parts.append(_tolled(activation, cost, toll))
    return " ".join([*parts, *units])


def _tolled(activation: str, cost: float, toll: float) -> str:
    """What of the distance to the GLM is the clipping, and what the weights: the two add up to it."""
    without = f"ithout the {activation} the same weights would be"
    if toll < 0:
        return f"W{without} {figure(-toll)} lower still: here the clipping helps them."
    left = cost - toll
    word = "below" if left >= 0 else "above"
    return f"Clipping alone costs {figure(toll)}: w{without} {figure(abs(left))} {word} the GLM."
