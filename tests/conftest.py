"""A real Chromium, for whoever opens a page. Screenshots go to test-results/."""

import pytest
from broker import ROOT
from chromium import Browser


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"), ROOT / "test-results")
    try:
        yield browser
    finally:
        browser.driver.quit()


@pytest.fixture
def browser(chromium):
    chromium.begin()
    yield chromium
    # Whatever a test is about: the page asks nobody else for anything, and breaks none of its own rules.
    chromium.collect()
    assert chromium.requests, "the record of requests is empty: it would show nothing"
    assert not chromium.strangers(), chromium.strangers()
    assert not chromium.violations(), chromium.violations()
    assert not chromium.faults(), chromium.faults()
