"""What stands in the documents to be typed: their blocks, and which test runs each."""

import dataclasses
import pathlib
import re
import shlex
import textwrap

from broker import ROOT

BLOCK = re.compile(r"^([ ]*)```(\w*)\n(.*?)^\1```$", re.M | re.S)


@dataclasses.dataclass(frozen=True)
class Block:
    page: str
    kind: str
    text: str


def pages():
    """The documents that readers are led to, README excepted, whose blocks tests/readme/test_readme.py runs."""
    found = [page for folder in (".", "docs", "examples/*", "deploy", "deploy/*", "clients", "clients/*") for page in ROOT.glob(f"{folder}/*.md")]
    names = sorted(str(page.relative_to(ROOT)) for page in found)
    assert "docs/protocol.md" in names and "examples/django/README.md" in names, names
    return [name for name in names if name != "README.md"]


def blocks(page):
    """Those of a page; one in a list without its margin."""
    return [Block(page, kind, textwrap.dedent(text)) for _, kind, text in BLOCK.findall((ROOT / page).read_text())]


def block(page, words):
    """The text of the one block of a page that says this."""
    found = [each.text for each in blocks(page) if words in each.text]
    assert len(found) == 1, f"{page} has {len(found)} blocks with {words!r}"
    return found[0]


def named_by(*tests):
    """The blocks that these files of tests ask for."""
    for test in tests:
        yield from re.findall(r'\bblock\("([^"]+)", "([^"]+)"\)', pathlib.Path(test).read_text())


def exports(text):
    """What a shell that has read the block's `export` lines knows."""
    words = [word for line in text.splitlines() if line.startswith("export ") for word in shlex.split(line, comments=True)[1:]]
    return dict(word.split("=", 1) for word in words)
