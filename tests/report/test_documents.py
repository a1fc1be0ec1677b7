"""Documents in all formats: escaping, completeness, files."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from report.readers import parsed

from glmnet_bridge.errors import ArgumentError
from glmnet_bridge.report.documents import Document
from glmnet_bridge.report.sections import Column, Details, Figure, Heading, Pairs, Paragraph, Table

NASTY = "<script>alert(1)</script> & $x$ 50% a_b #{}~^\\ |*`[l](u)"
SVG = '<svg viewBox="0 0 1 1"><circle r="1"/></svg>'


@pytest.fixture
def document() -> Document:
    frame = pd.DataFrame({"name": [NASTY, "b"], "value": [1.25, np.nan], "p": [0.0, 0.5]})
    columns = (Column("name", "who & what"), Column("value", "estimate", "estimate"), Column("p", "p", "p"))
    table = Table(frame, f"Caption {NASTY}", columns)
    return Document(
        f"Title {NASTY}",
        (
            Paragraph(NASTY, "lead"),
            Paragraph(NASTY, "warning"),
            table,
            Pairs((("AIC", "1.5"), (NASTY, NASTY))),
            Heading(NASTY),
            Figure(SVG, NASTY, NASTY),
            Details(NASTY, (Paragraph(NASTY), table)),
        ),
        f"Foot {NASTY}",
    )


def test_html_shows_hostile_text_as_text(document):
    for page in (document.as_html(), document._repr_html_()):
        found = parsed(page)
        assert "script" not in {tag for tag, _ in found.tags}
        assert found.text.count("<script>alert(1)</script>") >= 10


def test_html_tables_are_accessible(document):
    tags = parsed(document.as_html()).tags
    assert sum(tag == "caption" for tag, _ in tags) == 2
    scopes = [attributes.get("scope") for tag, attributes in tags if tag == "th"]
    assert scopes.count("col") == 6 and scopes.count("row") == 4
    assert any(tag == "figure" and attributes["role"] == "img" for tag, attributes in tags)


def test_markdown_escapes(document):
    text = document.as_markdown()
    assert "<script" not in text
    table = [line for line in text.splitlines() if line.startswith("| &lt;")]
    unescaped = table[0].replace("\\|", "")
    assert unescaped.count("|") == 4
    assert "\\$x\\$" in text and "\\*\\`" in text and "](u)" not in text.replace("\\](u)", "")


def test_latex_escapes(document):
    text = document.as_latex()
    assert r"\$x\$ 50\% a\_b \#\{\}" in text
    for line in text.splitlines():
        if line.endswith(r"\\") and "script" in line and "Caption" not in line:
            bare = line.replace(r"\&", "")
            assert bare.count("&") in (1, 2)


def test_latex_cells_that_begin_with_a_bracket():
    table = Table(pd.DataFrame({"a": ["[x]", "*", "[1cm]"]}), "", (Column("a", "a"),))
    lines = Document("", (table,)).as_latex().splitlines()
    assert [line for line in lines if line.startswith(("[", "*"))] == []
    assert "{}[1cm] \\\\" in lines


def test_text_is_aligned(document):
    lines = document.as_text().splitlines()
    at = lines.index(f"Caption {NASTY}")
    heading, first, second = lines[at + 1 : at + 4]
    assert heading.index("estimate") + 8 == first.index("1.2") + 4
    assert second.rstrip().endswith("0.500")


def test_tables_give_the_numbers_themselves(document):
    assert [table["value"].iloc[0] for table in document.tables] == [1.25, 1.25]


@pytest.mark.parametrize("ending", [".html", ".md", ".tex", ".txt", ".HTM"])
def test_files_are_complete_and_stable(document, tmp_path, ending):
    path = tmp_path / f"report{ending}"
    path.write_text("an older report", encoding="utf-8")
    assert document.write(path) == path
    first = path.read_bytes()
    document.write(str(path))
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_page_is_one_file(document, tmp_path):
    page = document.write(tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    tags = parsed(page).tags
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(tag for tag, _ in tags)
    assert not any({"src", "href", "onload", "onclick"} & set(attributes) for _, attributes in tags)
    assert "http" not in page and "@import" not in page and "url(" not in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("report.pdf", "ending"),
        ("report", "ending"),
        ("nowhere/report.html", "does not exist"),
        ("file/report.html", "not a folder"),
        ("folder.html", "folder"),
    ],
)
def test_places_where_no_report_can_be(document, tmp_path, name, words):
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ArgumentError, match=words):
        document.write(tmp_path / name)


def test_no_permission(document, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ArgumentError, match="no permission"):
        document.write(tmp_path / "report.html")
