"""What the tests of the report stage read pages with."""

from __future__ import annotations

import html.parser
import warnings

from glmnet_bridge.errors import BridgeWarning

HOSTILE = ("a", "<script>alert(1)</script>", "$_% & #{}~^\\", "[z](x)|*_`")
VOID = {"meta", "br", "hr", "img", "circle", "line", "path", "use", "rect"}


class Balance(html.parser.HTMLParser):
    """Every tag that opens is closed in its turn; texts are collected."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def parsed(page: str) -> Balance:
    found = Balance()
    found.feed(page)
    assert not found.open
    return found


def quietly(make):
    """What `make` returns, without the warnings that these cases are made for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BridgeWarning)
        return make()
