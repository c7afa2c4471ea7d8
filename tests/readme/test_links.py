"""Links from one document to another lead somewhere: to a file that is there, and to a heading in it."""

import re

import pytest
from broker import ROOT

PAGES = sorted(page for folder in ("", "docs", "deploy", "examples/django", "examples/vite-chat") for page in (ROOT / folder).glob("*.md"))


def headings(text):
    """As GitHub makes addresses of them."""
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    for heading in re.findall(r"^#+ (.+)$", without_code, re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not heading or heading in set(headings(target.read_text())), link


def test_a_link_to_nowhere_is_found():
    assert "a-heading-with-code-and-links" in set(headings("## A heading with `code` and [links](x.md)\n"))
    assert "degraded-modes" not in set(headings("### Degraded\n"))


def test_each_page_of_docs_is_in_the_book_and_in_readme():
    """A page that nothing leads to is not found."""
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"SUMMARY.md"}
    book = set(re.findall(r"\]\(([a-z-]+\.md)\)", (ROOT / "docs/SUMMARY.md").read_text()))
    readme = set(re.findall(r"\]\(docs/([a-z-]+\.md)\) \|", (ROOT / "README.md").read_text()))
    assert (pages - book, pages - readme) == (set(), set())
