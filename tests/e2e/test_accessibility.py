"""WCAG 2.1 AA on every page a resident sees, by axe-core, on a phone and a desktop."""

import re

import pytest
from portal_routes import STAFF, fill, find_routes, records_of_resident

RESIDENT_PAGES = [
    "/my",
    "/my/data",
    "/my/onergy-account",
    "/my/finance",
    "/my/payment",
    "/my/privacy",
    "/my/invoices",
    "/my/heating",
    "/my/heating?view=day",
    "/my/heating?view=month&unit=kWh",
    "/my/heating?view=year",
    "/my/heating/alerts",
    "/my/heating/overviews",
    "/my/requests",
    "/my/requests/new",
    "/my/notices",
    "/my/fault",
    "/my/help",
    "/my/move",
    "/my/access",
    "/my/homes",
]
PUBLIC_PAGES = [
    "/web/login",
    "/onergy/activate",
    "/onergy/contact",
    "/onergy/death",
    "/onergy/accessibility",
]
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


@pytest.fixture(scope="module")
def other_pages(site):
    """Pages of all addons that are not in the list, read from Odoo's routes."""
    with records_of_resident(site) as records:
        yield [
            fill(rule, records)
            for rule, auth, methods in find_routes(site)
            if auth in ("user", "public")
            and "GET" in methods
            and rule.startswith("/my")
            and rule not in RESIDENT_PAGES
            and not rule.startswith(STAFF)
        ]


@pytest.fixture(scope="module")
def every_page(site, chromium, other_pages):
    """All addresses under /my of our addons that are pages, not files or redirects."""
    pages = list(RESIDENT_PAGES)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{site.address}/web/login")
    for field, text in zip(("login", "password"), site.logins["resident"], strict=True):
        page.fill(f"input[name={field}]", text)
    page.click("form.oe_login_form button[type=submit]")
    page.wait_for_url("**/my*")
    for path in other_pages:
        answer = context.request.get(site.address + path, timeout=120000)
        if answer.ok and "text/html" in answer.headers["content-type"]:
            pages.append(path)
    context.close()
    for part in ("/my/advance", "/my/timeline", "/my/bill/", "/my/plan/", "/my/move/"):
        assert any(path.startswith(part) for path in pages), (part, pages)
    return pages


@pytest.mark.parametrize("width", ["1280", "390"])
def test_every_other_page(site, visitor, axe, every_page, width):
    """None is forgotten: a bill, a plan, a question, a step of a move, the timeline."""
    resident = visitor(width)
    resident.login(*site.logins["resident"])
    found = {}
    for path in every_page[len(RESIDENT_PAGES) :]:
        page = resident.go(path)
        page.wait_for_load_state("load")
        resident.assert_fits()
        assert page.locator("html").get_attribute("lang").startswith("nl")
        found[path] = violations(page, axe)
    found = {path: lines for path, lines in found.items() if lines}
    assert not found, found


@pytest.mark.parametrize("width", ["1280", "390"])
def test_monthly_overview(site, visitor, axe, width):
    resident = visitor(width)
    resident.login(*site.logins["resident"])
    page = resident.go("/my/heating/overviews")
    page.locator(".o_onergy_overviews a").first.click()
    page.locator("svg.o_onergy_overview_graph").wait_for()
    resident.assert_fits()
    assert not violations(page, axe)


@pytest.mark.parametrize("width", ["1280", "390"])
def test_public_pages(visitor, axe, width):
    stranger = visitor(width)
    found = {}
    for path in PUBLIC_PAGES:
        page = stranger.go(path)
        stranger.assert_fits()
        assert page.locator("html").get_attribute("lang").startswith("nl")
        found[path] = violations(page, axe)
    found = {path: lines for path, lines in found.items() if lines}
    assert not found, found


def test_four_times_as_large(site, visitor, every_page):
    """A desktop of 1280 pixels at 400 % shows what a screen of 320 pixels shows."""
    person = visitor("390")
    person.page.set_viewport_size({"width": 320, "height": 256})
    for path in PUBLIC_PAGES:
        page = person.go(path)
        person.assert_fits()
        assert page.locator("h1, h2").first.is_visible(), path
    person.picture("zoom-400-public")
    person.login(*site.logins["resident"])
    for path in every_page:
        page = person.go(path)
        person.assert_fits()
        assert page.locator("h1").is_visible(), path
    person.picture("zoom-400")


FOCUS_IS_VISIBLE = """() => {
    const element = document.activeElement;
    if (!element || element === document.body) return "nothing has the focus";
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const shown = style.outlineStyle !== "none" || style.boxShadow !== "none"
        || element.type === "radio" || element.type === "file";
    if (!shown) return "no outline on " + element.outerHTML.slice(0, 120);
    if (!box.width || !box.height) return "no size: " + element.outerHTML.slice(0, 120);
    return "";
}"""


def tab_to(page, locator, most=80):
    """Press Tab until an element has the focus; each stop on the way is visible."""
    target = locator.first.element_handle()
    for _press in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("element => element === document.activeElement", target):
            problem = page.evaluate(FOCUS_IS_VISIBLE)
            assert not problem, problem
            return
    raise AssertionError(f"{locator} is not reached by {most} times Tab")


def test_without_a_mouse(site, visitor):
    """From the login to a question that is sent, with the keyboard alone."""
    login, password = site.logins["resident"]
    person = visitor("1280")
    page = person.go("/web/login")
    for field, text in (("login", login), ("password", password)):
        tab_to(page, page.locator(f"input[name={field}]"))
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/my*")
    tab_to(page, page.locator("#onergy_tab_requests a"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/my/requests*")
    tab_to(page, page.locator("a[href^='/my/requests/new']"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/my/requests/new*")
    tab_to(page, page.locator("input[name=category]"))
    page.keyboard.press("Space")
    tab_to(page, page.locator("#onergy_subject"))
    page.keyboard.type("Zonder muis")
    tab_to(page, page.locator("#onergy_text"))
    page.keyboard.type("Dit typ ik zonder muis.")
    tab_to(page, page.locator("form.o_onergy_card button[type=submit]"))
    page.keyboard.press("Enter")
    page.wait_for_url("**done=sent*")
    assert page.locator("[role=status]").first.is_visible()
    subject = site.value(
        "env['onergy.request'].search([], order='id desc', limit=1).subject"
    )
    assert subject == "Zonder muis"


MARK_STOPS = """() => {
    const kinds = "a[href], button, input, select, textarea, summary, [tabindex]";
    const groups = new Set();
    let count = 0;
    for (const element of document.querySelectorAll(kinds)) {
        if (element.tabIndex < 0 || element.disabled || element.type === "hidden"
            || element.closest("[inert]")
            || !element.checkVisibility({visibilityProperty: true})) {
            continue;
        }
        if (element.type === "radio") {
            // One stop for a group: the arrows choose in it.
            const group = `${element.form?.id} ${element.name}`;
            if (groups.has(group)) {
                continue;
            }
            groups.add(group);
            element.dataset.group = group;
        }
        element.dataset.stop = count++;
    }
    return count;
}"""
WHERE = """() => {
    const element = document.activeElement;
    if (element.type === "radio") {
        const form = element.form || document;
        return form.querySelector(`[name="${element.name}"][data-stop]`)?.dataset.stop;
    }
    return element.dataset.stop;
}"""


def walk(page):
    """Go through a page with Tab; return what is not reached or not seen to be."""
    stops = page.evaluate(MARK_STOPS)
    assert stops, "nothing to reach"
    seen, problems = set(), set()
    for _press in range(3 * stops + 20):
        page.keyboard.press("Tab")
        stop = page.evaluate(WHERE)
        if stop is not None:
            seen.add(int(stop))
            problems.add(page.evaluate(FOCUS_IS_VISIBLE))
        if len(seen) == stops:
            break
    missing = [
        page.locator(f"[data-stop='{number}']").evaluate(
            "element => element.outerHTML.slice(0, 160)"
        )
        for number in sorted(set(range(stops)) - seen)
    ]
    return missing + sorted(problems - {""})


@pytest.mark.parametrize("width", ["1280", "390"])
def test_tab_reaches_everything(site, visitor, every_page, width):
    """Each link, button and field of each page, and one sees where one is."""
    person = visitor(width)
    found = {}
    for path in PUBLIC_PAGES:
        page = person.go(path)
        page.wait_for_load_state("load")
        found[path] = walk(page)
    person.login(*site.logins["resident"])
    for path in every_page:
        page = person.go(path)
        page.wait_for_load_state("load")
        found[path] = walk(page)
    found = {path: lines for path, lines in found.items() if lines}
    assert not found, found


def follow(page, locator, url):
    """Reach a link with Tab and open it with Enter."""
    tab_to(page, locator)
    page.keyboard.press("Enter")
    page.wait_for_url(url)


@pytest.mark.parametrize("width", ["1280", "390"])
def test_each_page_without_a_mouse(site, visitor, width):
    """A bill, the numbers behind a chart, one's own data and the menu."""
    person = visitor(width)
    page = person.login(*site.logins["resident"])
    follow(page, page.locator("#onergy_tab_finance a"), "**/my/finance*")
    follow(page, page.locator("main a[href*='/my/invoices/']"), "**/my/invoices/*")
    page = person.go("/my/finance")
    follow(page, page.locator("#onergy_tab_heating a"), "**/my/heating*")
    table = page.locator(".o_onergy_chart_table").first
    tab_to(page, table.locator("summary"))
    page.keyboard.press("Enter")
    assert table.locator("tbody tr").first.is_visible()
    person.picture("keyboard-chart-table")
    follow(page, page.locator("#onergy_tab_data a"), "**/my/data*")
    follow(
        page,
        page.locator("main a[href*='/my/requests/new?category=data']"),
        "**/my/requests/new*",
    )
    follow(page, page.locator("#onergy_tab_account a"), "**/my/onergy-account*")
    tab_to(page, page.locator("#onergy_new_email"))
    page.keyboard.type("geen adres")
    page.keyboard.press("Enter")
    # After an error the focus is where the error is.
    page.locator("#onergy_email_password[aria-invalid=true]").wait_for()
    assert page.evaluate("document.activeElement.id") == "onergy_email_password"
    open_menu_and_leave(page)


def open_menu_and_leave(page):
    """The menu of the account: open, walk, close, and out."""
    toggle = page.locator("header .dropdown-toggle:visible")
    tab_to(page, toggle)
    page.keyboard.press("Enter")
    leave = page.locator("header .dropdown-menu a[href*='logout']:visible")
    leave.first.wait_for()
    page.keyboard.press("Escape")
    leave.first.wait_for(state="hidden")
    assert page.evaluate(
        "element => element === document.activeElement", toggle.first.element_handle()
    ), "the focus went astray when the menu was closed"
    page.keyboard.press("Enter")
    leave.first.wait_for()
    for _press in range(12):
        page.keyboard.press("ArrowDown")
        if page.evaluate("document.activeElement.href || ''").count("logout"):
            break
    assert not page.evaluate(FOCUS_IS_VISIBLE)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/my" not in url)


def test_first_stop_skips_the_menu(site, visitor):
    resident = visitor("1280")
    resident.login(*site.logins["resident"])
    page = resident.go("/my/finance")
    page.keyboard.press("Tab")
    first = page.evaluate("document.activeElement.getAttribute('href')")
    assert first and first.startswith("#"), first
    assert page.locator(first).count() == 1, "it leads nowhere"


MOVING = """() => [...document.querySelectorAll(".o_onergy, .o_onergy *")]
    .filter(element => {
        const style = getComputedStyle(element);
        const seconds = [style.transitionDuration, style.animationDuration]
            .flatMap(value => value.split(",").map(parseFloat));
        return Math.max(...seconds) > 0.01;
    }).map(element => element.outerHTML.slice(0, 80))"""


def test_nothing_moves_for_who_does_not_want_it(site, visitor, every_page):
    person = visitor("1280")
    person.page.emulate_media(reduced_motion="reduce")
    found = {}
    for path in PUBLIC_PAGES:
        found[path] = person.go(path).evaluate(MOVING)
    person.login(*site.logins["resident"])
    for path in every_page:
        found[path] = person.go(path).evaluate(MOVING)
    found = {path: elements[:5] for path, elements in found.items() if elements}
    assert not found, found


def luminance(color):
    """Relative luminance of a colour as WCAG 2.1 defines it."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lines_of_the_charts_stand_out(dev):
    """WCAG 1.4.11: what one must see to read a chart has 3:1 against the page."""
    source = (
        dev.ADDONS / "onergy_metering/static/src/interactions/heating_charts.js"
    ).read_text()
    colors = re.findall(r'^const COLOR\w* = "(#[0-9a-f]{6})"', source, re.MULTILINE)
    assert len(colors) >= 2, "where are the colours of the chart?"
    for color in colors:
        assert 1.05 / (luminance(color) + 0.05) >= 3, color
