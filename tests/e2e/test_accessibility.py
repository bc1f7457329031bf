"""WCAG 2.1 AA on every page a resident sees, by axe-core, on a phone and a desktop."""

import pytest

RESIDENT_PAGES = [
    "/my",
    "/my/data",
    "/my/onergy-account",
    "/my/finance",
    "/my/invoices",
    "/my/heating",
    "/my/requests",
    "/my/requests/new",
]
PUBLIC_PAGES = ["/web/login", "/onergy/activate", "/onergy/contact"]
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


@pytest.fixture(scope="session")
def axe(dev):
    dev.ensure_node()
    return (dev.NODE_DIR / "node_modules/axe-core/axe.min.js").read_text()


def violations(page, axe):
    """Return what axe finds in Odoo's page, a line for each element."""
    page.evaluate(axe)
    result = page.evaluate(
        "standards => axe.run(document, {runOnly: standards})", STANDARDS
    )
    assert result["passes"], "axe checked nothing"
    return [
        f"{violation['id']} ({violation['help']}): {node['html'][:160]}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("width", ["1280", "390"])
def test_resident_pages(site, visitor, axe, width):
    resident = visitor(width)
    resident.login(*site.logins["resident"])
    found = {}
    for path in RESIDENT_PAGES:
        page = resident.go(path)
        page.wait_for_load_state("load")
        resident.assert_fits()
        assert page.locator("html").get_attribute("lang").startswith("nl")
        assert page.locator("h1").count() == 1, f"{path}: not one h1"
        found[path] = violations(page, axe)
    found = {path: lines for path, lines in found.items() if lines}
    assert not found, found


@pytest.mark.parametrize("width", ["1280", "390"])
def test_public_pages(visitor, axe, width):
    stranger = visitor(width)
    found = {}
    for path in PUBLIC_PAGES:
        page = stranger.go(path)
        stranger.assert_fits()
        found[path] = violations(page, axe)
    found = {path: lines for path, lines in found.items() if lines}
    assert not found, found
