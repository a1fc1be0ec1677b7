"""Maps: the facts of a bridge, arranged for readers; the term map comes first.

Columns that say the same in every row are left out of the table on paper: where both views are one
estimate there is one coefficient, not three. `Bridge.table` always has them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from glmnet_bridge.report import renderers, summaries
from glmnet_bridge.report.documents import Document
from glmnet_bridge.report.sections import Column, Details, Figure, Heading, Paragraph, Part, Table
from glmnet_bridge.report.summaries import Facts


@dataclass(frozen=True, slots=True)
class MapFacts:
    """What the documents of a bridge say.

    Attributes
    ----------
    glm : Facts of the GLM
    network : Facts of the network, or None where both are one estimate
    table : the term map, all columns
    verdict : what it says, in one paragraph
    concepts : `glm, network, value`
    redundant : `direction, network_terms, description`
    layers : `layer, kind, output_shape, parameters`
    notes : further conditions of the numbers in the table
    causes : why the network is not at the maximum of the likelihood: `cause, share, distance, largest, explanation`
    measured : whether the verdict says how far the network is from the optimum
    """

    glm: Facts
    network: Facts | None
    table: pd.DataFrame
    verdict: str
    concepts: pd.DataFrame
    redundant: pd.DataFrame
    layers: pd.DataFrame
    notes: tuple[str, ...]
    measured: bool
    causes: pd.DataFrame


def document(facts: MapFacts, figures: tuple[Figure, ...] = ()) -> Document:
    """All about a bridge: the document of `summary()` and, with figures, of `report()`."""
    parts: list[Part] = [Paragraph(facts.glm.formula, "lead"), *_warnings(facts), Paragraph(facts.verdict)]
    parts.append(term_table(facts))
    parts += [Paragraph(text, "note") for text in facts.notes]
    if len(facts.causes):
        parts.append(cause_table(facts.causes))
    parts += _fit_parts(facts)
    if figures:
        parts += [Heading("Figures"), *figures]
    parts += [Heading("The same ideas in both languages"), *_language_parts(facts)]
    return Document(facts.glm.modelled, tuple(parts))


def notebook(facts: MapFacts, drawing: Figure | None) -> str:
    """HTML for the end of a notebook cell."""
    parts: list[Part] = [Paragraph(facts.glm.formula, "lead"), *_warnings(facts), Paragraph(facts.verdict)]
    table = term_table(facts)
    parts += summaries.cut(table, summaries.fitting_rows(facts.table), ".table has them all")
    parts += [Paragraph(text, "note") for text in facts.notes]
    parts += [_view_table(facts)] if facts.network else []
    parts += [Paragraph(text) for text in fit_lines(facts)]
    parts += [Paragraph(text, "note") for text in facts.glm.notes[:-1]]
    parts.append(Details("How the GLM is a network", (*([drawing] if drawing else []), *_language_parts(facts))))
    return renderers.html(facts.glm.modelled, tuple(parts))


def short(facts: MapFacts) -> str:
    """At most 25 lines for a terminal."""
    head = [facts.glm.modelled, *summaries.clipped(facts.glm.formula, 2), ""]
    tail = ["", *summaries.clipped(facts.verdict, 8)]
    for line in fit_lines(facts):
        tail += summaries.clipped(line, 3)
    room = max(summaries.REPR_LINES - len(head) - len(tail) - 2, 4)
    table = term_table(facts)
    cut = {name: table.frame[name].map(_cut) for name in ("expression", "network_term")}
    table = Table(table.frame.assign(**cut), "", table.columns)
    return "\n".join([*head, renderers.text_table(table, room, ".table has them all"), *tail])


def fit_lines(facts: MapFacts) -> list[str]:
    """Both fits in numbers, and how they ended: a sentence for each estimate."""
    glm, network = facts.glm, facts.network
    if network is None:
        return [f"{summaries.likelihood(glm)}.", f"Outcome: {glm.outcome}."]
    return [
        f"GLM: {summaries.likelihood(glm)}; {glm.outcome}.",
        f"Network: {summaries.goodness(network)}; {network.outcome}.",
    ]


def term_table(facts: MapFacts) -> Table:
    """The term map without columns that repeat another one, or say nothing; an expression names its entries."""
    table = facts.table
    one = facts.network is None and _equal(table["as_glm"], table["glm"])
    entry = "network_term" if _repeats(table) else "expression"
    shown = [Column("glm_term", "GLM column"), Column(entry, "network entry"), Column("relation", "relation")]
    if not _equal(table["network"], table["as_glm"]):
        shown.append(Column("network", "weight", "estimate"))
    if table["as_glm"].notna().any():
        shown.append(Column("as_glm", "coefficient" if one else "as GLM", "estimate"))
    if not one:
        shown.append(Column("glm", "GLM", "estimate"))
    shown += [
        Column("std_error", "std. error", "error"),
        *([Column("distance", "distance (SE)", "distance")] if table["distance"].notna().any() else []),
        Column("status", "status"),
    ]
    return Table(_worded(table), "The term map: each column of the GLM and the network entry that it is", tuple(shown))


def cause_table(causes: pd.DataFrame) -> Table:
    """The causes of a gap; shares as percentages."""
    shown = causes.assign(share=[f"{100 * share:.3g} %" for share in causes["share"]])
    columns = (
        Column("cause", "cause"), Column("share", "share"), Column("distance", "distance (SE)", "distance"),
        Column("largest", "largest change"), Column("explanation", "explanation"),
    )  # fmt: skip
    return Table(shown, "Why they differ: causes, undone one after the other; their shares add up to the gap", columns)


def _worded(table: pd.DataFrame) -> pd.DataFrame:
    """`aliased` for a column without a coefficient; a bar where a row has no partner."""
    gone = table["expression"].str.startswith("aliased: ") & table["as_glm"].isna()
    frame = table.assign(as_glm=table["as_glm"].astype(object).where(~gone, "aliased"))
    entry = table["expression"].where(table["expression"] != "", table["network_term"])
    return frame.assign(
        expression=entry.where(entry != "", "-"),
        glm=table["glm"].astype(object).where(~gone, "aliased"),
        glm_term=table["glm_term"].where(table["glm_term"] != "", "-"),
        network_term=table["network_term"].where(table["network_term"] != "", "-"),
    )


def _cut(text: str, most: int = 56) -> str:
    """A long expression without its end, so that a line of a terminal holds the row."""
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def _repeats(table: pd.DataFrame) -> bool:
    return bool(((table["expression"] == table["network_term"]) | (table["expression"] == "")).all())


def _equal(first: pd.Series, second: pd.Series) -> bool:
    """The same number in every row, or none in either."""
    return bool(np.array_equal(first.to_numpy(dtype=float), second.to_numpy(dtype=float), equal_nan=True))


def _warnings(facts: MapFacts) -> list[Paragraph]:
    views = [facts.glm] + ([facts.network] if facts.network else [])
    return [Paragraph(text, "warning") for text in dict.fromkeys(text for view in views for text in view.warnings)]


def _fit_parts(facts: MapFacts) -> list[Part]:
    """Both fits in numbers."""
    parts: list[Part] = []
    if facts.network is None:
        parts += [
            summaries.coefficient_table(facts.glm),
            summaries.pairs(facts.glm),
            Paragraph(f"Outcome: {facts.glm.outcome}."),
        ]
    else:
        parts += [_view_table(facts)]
        parts += [Paragraph(text) for text in fit_lines(facts)]
        parts += [
            Heading("The GLM"),
            summaries.coefficient_table(facts.glm),
            summaries.pairs(facts.glm),
        ]
    return parts + [Paragraph(text, "note") for text in facts.glm.notes[:-1]]


def _language_parts(facts: MapFacts) -> list[Part]:
    parts: list[Part] = [Paragraph(facts.glm.notes[-1])]
    if len(facts.redundant):
        columns = (Column("direction", "direction"), Column("description", "what it means"))
        parts.append(Table(facts.redundant, "Redundant directions of the weights", columns))
    names = (Column("layer", "layer"), Column("kind", "kind"), Column("output_shape", "output"),
             Column("parameters", "parameters", "count"))  # fmt: skip
    parts.append(Table(facts.layers, "The network's layers", names))
    ideas = (Column("glm", "GLM"), Column("network", "network"), Column("value", "in this fit"))
    parts.append(Table(facts.concepts, "Ideas", ideas))
    return parts


def _view_table(facts: MapFacts) -> Table:
    """One row per view."""
    views = {"GLM": facts.glm, "network": facts.network}
    frame = pd.DataFrame(
        [{"view": name, **view.figures} for name, view in views.items() if view is not None],
    )
    columns = (
        Column("view", "view"),
        Column("nobs", "n", "count"),
        Column("rank", "free parameters", "count"),
        Column("llf", "log-likelihood", "likelihood"),
        Column("deviance", "deviance", "likelihood"),
        Column("aic", "AIC", "likelihood"),
        *([] if facts.measured else [Column("distance", "Newton decrement (SE)", "distance")]),
    )
    return Table(frame, "Both views", columns)
