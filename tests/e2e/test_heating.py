"""The page Verwarming and what hangs on it, as a resident uses it."""

import io
import re

import pytest
from pypdf import PdfReader


def get_bars(page):
    """Kinds of the charts that were drawn, by Chart.js itself."""
    page.locator("canvas").first.wait_for()
    page.wait_for_function(
        "[...document.querySelectorAll('.o_onergy_chart canvas')]"
        ".every((canvas) => window.Chart && window.Chart.getChart(canvas))"
    )
    return page.evaluate(
        "[...document.querySelectorAll('.o_onergy_chart canvas')]"
        ".map((canvas) => window.Chart.getChart(canvas).config.type)"
    )


@pytest.mark.parametrize("width", ["1280", "390"])
def test_views_and_units(site, visitor, width):
    resident = visitor(width)
    resident.login(*site.logins["resident"])
    page = resident.go("/my/heating")
    assert get_bars(page) == ["line", "bar"]
    resident.picture("heating-season")
    for label, view in (("Dag", "day"), ("Maand", "month"), ("Jaar", "year")):
        page.get_by_role("link", name=label, exact=True).click()
        page.wait_for_url(re.compile(f"view={view}"))
        assert get_bars(page) == ["bar"]
        resident.assert_fits()
        resident.picture(f"heating-{view}")
    page.get_by_role("link", name="kWh", exact=True).click()
    page.wait_for_url(re.compile("view=year.*unit=kWh|unit=kWh.*view=year"))
    assert "kWh" in page.locator("#onergy_chart_year").inner_text()
    page = resident.go("/my/heating?view=day")
    before = page.locator("#onergy_chart_title_day").inner_text()
    page.get_by_role("link", name="Eerder").click()
    page.wait_for_url(re.compile("period="))
    assert page.locator("#onergy_chart_title_day").inner_text() != before
    # Every target is large enough for a thumb.
    for link in page.locator(".o_onergy_switch_row a, .o_onergy_period a").all():
        box = link.bounding_box()
        assert min(box["height"], box["width"]) >= 44, link.inner_text()


def test_by_keyboard(site, visitor):
    resident = visitor()
    resident.login(*site.logins["resident"])
    page = resident.go("/my/heating")
    page.get_by_role("link", name="Maand", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("view=month"))
    table = page.locator(".o_onergy_chart_table").first
    assert not table.locator("table").is_visible()
    table.locator("summary").focus()
    page.keyboard.press("Enter")
    assert table.locator("table").is_visible()
    # The rows of the table are what the chart shows.
    values = page.evaluate(
        "JSON.parse(document.querySelector('.o_onergy_chart').dataset.chart)"
    )
    shown = [value for value in values["values"] if value is not None]
    cells = table.locator("tbody td:nth-child(2)").all_inner_texts()
    assert len([cell for cell in cells if "GJ" in cell]) == len(shown)


def test_without_scripts(chromium, site, visitor):
    """The switches are links: they work where scripts do not."""
    resident = visitor()
    resident.login(*site.logins["resident"])
    context = chromium.new_context(
        java_script_enabled=False,
        locale="nl-NL",
        storage_state=resident.context.storage_state(),
    )
    page = context.new_page()
    page.goto(f"{site.address}/my/heating?view=month")
    page.get_by_role("link", name="kWh", exact=True).click()
    assert "unit=kWh" in page.url
    page.locator(".o_onergy_chart_table summary").first.click()
    assert "kWh" in page.locator(".o_onergy_chart_table").first.inner_text()
    context.close()


@pytest.mark.parametrize("width", ["1280", "390"])
def test_alerts(site, visitor, width):
    resident = visitor(width)
    resident.login(*site.logins["resident"])
    page = resident.go("/my/heating/alerts")
    page.get_by_label("ik in een maand meer verbruik").check()
    page.get_by_label("Mijn grens in GJ per maand").fill("veel")
    page.get_by_role("button", name="Opslaan").click()
    page.wait_for_load_state()
    assert "Vul een getal in" in page.inner_text("main")
    resident.picture("heating-alerts-error")
    page.get_by_label("Mijn grens in GJ per maand").fill("2,5")
    page.get_by_role("button", name="Opslaan").click()
    page.wait_for_url(re.compile("saved=1"))
    assert page.get_by_label("Mijn grens in GJ per maand").input_value() == "2,5"
    resident.assert_fits()
    resident.picture("heating-alerts")


@pytest.mark.parametrize("width", ["1280", "390"])
def test_monthly_overview(site, visitor, artifacts, width):
    resident = visitor(width)
    resident.login(*site.logins["resident"])
    page = resident.go("/my/heating")
    page.get_by_role("link", name="Maandoverzichten").click()
    resident.assert_fits()
    resident.picture("heating-overviews")
    page.locator(".o_onergy_overviews a").first.click()
    page.locator("svg.o_onergy_overview_graph rect").first.wait_for()
    resident.assert_fits()
    resident.picture("heating-overview")
    text = page.inner_text("main")
    assert "CO₂" in text
    assert "Geschillencommissie" in text
    url = page.get_by_role("link", name=re.compile("Bewaren of afdrukken"))
    response = resident.context.request.get(
        site.address + url.get_attribute("href").replace(site.address, "")
    )
    assert response.headers["content-type"].startswith("application/pdf")
    (artifacts / "heating-overview.pdf").write_bytes(response.body())
    document = "".join(
        sheet.extract_text() for sheet in PdfReader(io.BytesIO(response.body())).pages
    )
    assert "Verbruik en kosten" in document
    assert "Geschillencommissie" in document
