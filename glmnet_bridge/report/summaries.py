"""Summaries: the facts of a fit, arranged for readers.

    Facts -> short text (repr), document (summary), notebook HTML, report

Plain values come in, sections go out; nothing here computes anything about the model.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from glmnet_bridge.report import numbers, renderers, sentences
from glmnet_bridge.report.documents import Document
from glmnet_bridge.report.sections import Column, Details, Figure, Heading, Pairs, Paragraph, Part, Table

REPR_LINES = 25
NOTEBOOK_ROWS, NOTEBOOK_SIZE, NOTEBOOK_NAME = 60, 17_000, 80  # rows, bytes of their tables, letters of a name
EITHER = "+/-inf"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the documents of a fit say.

    Attributes
    ----------
    modelled : `Binomial, logit link; modelling P(low = 1)`
    formula : as it was written
    coefficients : `term, estimate, std_error, statistic, p_value, conf_low, conf_high, state`
    level : of the limits
    heading : what the rows are: "coefficient", or "weight" of a network that is no GLM
    statistic : "z" or "t"
    figures : nobs, n_read, rank, df_resid, llf, deviance, null_deviance, aic, bic, distance, by name
    settings : what was chosen, in short pairs: dispersion, standard errors, penalty
    outcome : how the fit ended, in words
    warnings : what the reader must know before any number
    notes : the conditions of the numbers
    entries : `glm_term, network_term, value`: each column and the network entry that it is
    """

    modelled: str
    formula: str
    coefficients: pd.DataFrame
    level: float
    heading: str
    statistic: str
    figures: Mapping[str, float]
    settings: Mapping[str, str]
    outcome: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    entries: pd.DataFrame


def document(facts: Facts, figures: tuple[Figure, ...] = ()) -> Document:
    """All about a fit: the document of `summary()` and, with figures, of `report()`."""
    parts: list[Part] = [Paragraph(facts.formula, "lead")]
    parts += [Paragraph(text, "warning") for text in facts.warnings]
    parts += [coefficient_table(facts), pairs(facts), Paragraph(f"Outcome: {facts.outcome}.")]
    parts += [Paragraph(text, "note") for text in facts.notes]
    if figures:
        parts += [Heading("Figures"), *figures]
    return Document(facts.modelled, tuple(parts))


def notebook(facts: Facts, drawing: Figure | None) -> str:
    """HTML for the end of a notebook cell: complete, but for the rows beyond the 60th (or fewer, with long names)."""
    table = coefficient_table(facts)
    most = fitting_rows(facts.entries)
    parts: list[Part] = [Paragraph(_middle_out(facts.formula, 1000), "lead")]
    parts += [Paragraph(text, "warning") for text in facts.warnings]
    parts += cut(table, most, "summary() and tidy() have them all")
    parts += [pairs(facts), Paragraph(f"Outcome: {facts.outcome}.")]
    parts += [Paragraph(text, "note") for text in facts.notes[:-1]]
    inside: list[Part] = [Paragraph(text) for text in facts.notes[-1:]]
    inside += [] if drawing is None else [drawing]
    inside += cut(entry_table(facts), most, "")
    parts.append(Details("How this is a network", tuple(inside)))
    return renderers.html(facts.modelled, tuple(parts))


def fitting_rows(frame: pd.DataFrame) -> int:
    """How many rows of a table with these texts a notebook cell has room for."""
    lengths = frame.select_dtypes(exclude="number").astype(str).map(len).clip(upper=NOTEBOOK_NAME).sum(axis=1)
    used = (320 + 2 * lengths).cumsum()
    return min(NOTEBOOK_ROWS, max(int((used <= NOTEBOOK_SIZE).sum()), 5))


def cut(table: Table, most: int, where: str) -> list[Part]:
    """The first rows of a table, and how many more there are; long names lose their middle."""
    rest = len(table.frame) - most
    frame = table.frame.head(most) if rest > 0 else table.frame
    texts = {
        column.key: frame[column.key].map(lambda name: _middle_out(str(name), NOTEBOOK_NAME))
        for column in table.columns
        if column.kind == "text"
    }
    shown = Table(frame.assign(**texts), table.caption, table.columns)
    if rest <= 0:
        return [shown]
    return [shown, Paragraph(f"... {numbers.counted(rest, 'more row')}{f': {where}' if where else ''}.", "note")]


def _middle_out(words: str, most: int) -> str:
    half = (most - 3) // 2
    return words if len(words) <= most else f"{words[:half]}...{words[-half:]}"


def short(facts: Facts) -> str:
    """At most 25 lines for a terminal."""
    head = [facts.modelled, *clipped(facts.formula, 2), ""]
    tail = [""] + clipped(f"{likelihood(facts)}.", 2) + clipped(f"Outcome: {facts.outcome}.", 2)
    for text in facts.warnings:
        tail += clipped(text, 2)
    table = coefficient_table(facts, caption="")
    room = max(REPR_LINES - len(head) - len(tail[:12]) - 2, 4)
    return "\n".join([*head, renderers.text_table(table, room, "summary() shows all"), *tail[:12]])


def coefficient_table(facts: Facts, caption: str = "Coefficients") -> Table:
    """Estimates, errors, tests and limits; words where there is no number."""
    percent = sentences.percent(facts.level)
    frame = _worded(facts.coefficients)
    beside = (
        Column("std_error", "std. error", "error"),
        Column("statistic", facts.statistic, "statistic"),
        Column("p_value", "p", "p"),
        Column("conf_low", f"{percent} % low", "estimate"),
        Column("conf_high", f"{percent} % high", "estimate"),
    )
    known = tuple(column for column in beside if frame[column.key].notna().any())
    limits = f", with {percent} % limits" if known else ""
    columns = (
        Column("term", facts.heading),
        Column("estimate", "estimate", "estimate"),
        *known,
    )
    return Table(frame, f"{caption}{limits}" if caption else "", columns)


def entry_table(facts: Facts) -> Table:
    """Each column of the GLM and the network entry that it is."""
    return Table(
        facts.entries,
        "GLM column and network entry",
        (
            Column("glm_term", "GLM column"),
            Column("network_term", "network entry"),
            Column("relation", "relation"),
            Column("value", "value", "estimate"),
        ),
    )


def _worded(frame: pd.DataFrame) -> pd.DataFrame:
    """`aliased` in the place of a coefficient that does not exist, `+/-inf` for one of open sign."""
    words = frame["state"].map({"aliased": "aliased", "either": EITHER})
    estimate = frame["estimate"].astype(object).where(words.isna(), words)
    shown = frame.assign(estimate=estimate)
    gone = frame["state"].to_numpy() != "finite"
    for name in ("std_error", "statistic", "p_value", "conf_low", "conf_high"):
        shown[name] = shown[name].mask(gone)
    return shown


def pairs(facts: Facts) -> Pairs:
    """The numbers of a fit, one by one."""
    get = facts.figures.get
    used, read = get("nobs", float("nan")), get("n_read", float("nan"))
    rows = numbers.count(used) if used == read else f"{numbers.count(used)} of {numbers.count(read)} rows"
    found = [
        ("Observations", rows),
        ("Coefficients", numbers.count(get("rank", float("nan")))),
        ("Residual df", numbers.count(get("df_resid", float("nan")))),
        *facts.settings.items(),
        ("Log-likelihood", numbers.likelihood(get("llf", float("nan")))),
        ("Deviance", numbers.likelihood(get("deviance", float("nan")))),
        ("Null deviance", numbers.likelihood(get("null_deviance", float("nan")))),
        ("AIC", numbers.likelihood(get("aic", float("nan")))),
        ("BIC", numbers.likelihood(get("bic", float("nan")))),
    ]
    return Pairs(tuple((name, value) for name, value in found if value))


def likelihood(facts: Facts) -> str:
    """The numbers of a fit in one line."""
    value = {name: numbers.likelihood(number) for name, number in facts.figures.items()}
    used, read = facts.figures["nobs"], facts.figures["n_read"]
    rows = "" if used == read else f" of {numbers.counted(read, 'row')}"
    null = f" (null {value['null_deviance']})" if value["null_deviance"] else ""
    criterion = f", AIC {value['aic']}" if value["aic"] else ""
    return f"n = {numbers.count(used)}{rows}, {goodness(facts)}{null}{criterion}"


def goodness(facts: Facts) -> str:
    """Log-likelihood and deviance, in words."""
    loglik, deviance = (numbers.likelihood(facts.figures[name]) for name in ("llf", "deviance"))
    return f"log-likelihood {loglik}, deviance {deviance}"


def clipped(words: str, most: int) -> list[str]:
    """At most `most` lines of text."""
    lines = textwrap.wrap(words, renderers.WIDTH, break_on_hyphens=False)
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1][: renderers.WIDTH - 4]} ..."]
