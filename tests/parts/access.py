"""What axe-core says of a screen, and how wide and in which colours it is looked at."""

import pathlib

AXE = pathlib.Path(__file__).parents[1] / "browser/node_modules/axe-core/axe.min.js"
RUN = """
const done = arguments[0];
axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
  .then(({violations}) => done(violations.filter(({impact}) => impact === 'serious' || impact === 'critical')
    .map(({id, nodes}) => [id, nodes.map(({target, failureSummary}) => [String(target), failureSummary])])), (error) => done([String(error)]));
"""
SIZES = {360: 740, 768: 1024, 1280: 860}


def serious(page):
    """What is wrong with the screen as it is, once nothing moves any more."""
    page.script("return Promise.allSettled(document.getAnimations().filter((a) => a.effect.getTiming().iterations !== Infinity).map((a) => a.finished)).then(() => 0)")
    page.driver.execute_cdp_cmd("Page.enable", {})
    page.script(f"if (!window.axe) {{ {AXE.read_text()} ; window.axe = axe; }}")
    return page.asynchronous(RUN)


def look(browser, width, scheme):
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": SIZES[width], "deviceScaleFactor": 1, "mobile": width < 500})
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]})
