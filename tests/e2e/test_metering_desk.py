"""A morning at the metering desk: what came in, what waits, who is silent.

Each step is what a colleague does in the back office, in Dutch. Pictures of every page
are kept among the artefacts.
"""

import re

import pytest

ACTION = "/odoo/action-onergy_metering.action_"

# A meter that went silent, and a reading between two others that is too high.
PREPARE = """
meters = env["onergy.meter"].search(
    [("read_mode", "=", "remote"), ("medium", "=", "heat"),
     ("connection_id", "!=", False)], order="id")
complex = meters[0].connection_id.complex_id
meters = meters.filtered(lambda m: m.connection_id.complex_id == complex)[:6]
silent, doubtful = meters[2], meters[3]
loader = env["onergy.reading.loader"]
for number, meter in enumerate(meters[:3]):
    late = env["onergy.reading"].search(
        [("meter_id", "=", meter.id), ("superseded", "=", False)],
        order="moment desc", limit=2 + 4 * number)
    for reading in late:
        loader._retire_reading(reading, "Not received")
    env["onergy.consumption.builder"]._rebuild_meters(meter)
last = env["onergy.reading"].search(
    [("meter_id", "=", doubtful.id), ("register", "=", "energy")],
    order="moment desc", limit=1)
from datetime import timedelta
row = loader._make_row(
    doubtful.serial, last.moment - timedelta(hours=5), last.value + 7, last.unit)
loader._load_rows([row], doubtful.company_id, "file")
item = env["onergy.reading.exception"].search(
    [("meter_id", "=", doubtful.id)], order="id desc", limit=1)
env.cr.commit()
"""


@pytest.fixture(scope="module")
def morning(site):
    names = ("complex.name", "silent.serial", "item.id", "doubtful.serial")
    return site.values(*names, given=PREPARE)


@pytest.fixture
def desk(site, visitor):
    def open_desk(width="1280"):
        colleague = visitor(width)
        # The first page of the back office builds its assets.
        colleague.context.set_default_timeout(60000)
        colleague.login(*site.logins["metering"])
        return colleague

    return open_desk


@pytest.mark.parametrize("width", ["1280", "390"])
def test_operations_and_the_map(desk, morning, width):
    complex_name, silent, _item, _doubtful = morning
    colleague = desk(width)
    page = colleague.go(f"{ACTION}onergy_metering_overview")
    page.get_by_text("Per complex").wait_for()
    page.locator(".o_data_row", has_text=complex_name).wait_for()
    assert page.get_by_text("99,9").first.is_visible()
    colleague.picture("desk-1-operations")

    row = page.locator(".o_data_row", has_text=complex_name)
    row.locator("button[name=action_map]").click()
    homes = page.locator(".o_onergy_home")
    homes.first.wait_for()
    colleague.picture("desk-2-map")
    silent_home = page.locator(f".o_onergy_home[aria-label*='{silent}']")
    assert "!!!" in silent_home.inner_text(), "not by colour alone"
    assert "dagen stil" in silent_home.get_attribute("aria-label")

    page.get_by_label("Alleen wat stil is").check()
    homes.nth(9).wait_for(state="detached")
    assert 0 < homes.count() < 10
    homes.first.focus()
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == homes.nth(1).get_attribute("aria-label")
    page.keyboard.press("Enter")
    page.locator(".o_field_widget[name=serial]").wait_for()
    assert page.locator(".breadcrumb, .o_breadcrumb").first.is_visible()


@pytest.mark.parametrize("width", ["1280", "390"])
def test_meter_with_its_chart(desk, morning, width):
    colleague = desk(width)
    page = colleague.go(f"{ACTION}onergy_meter")
    page.get_by_text(morning[3]).first.click()
    page.locator("[name=chart_data] canvas").wait_for()
    page.wait_for_timeout(800)
    colleague.picture("desk-3-meter")


def test_use_as_pivot_graph_and_workbook(desk):
    colleague = desk()
    page = colleague.go(f"{ACTION}onergy_consumption_month")
    page.locator(".o_pivot table tbody tr").nth(1).wait_for()
    colleague.picture("desk-4-pivot")
    page.locator(".o_switch_view.o_graph").click()
    page.locator(".o_graph_canvas_container canvas").wait_for()
    page.wait_for_timeout(800)
    colleague.picture("desk-5-graph")
    page = colleague.go(f"{ACTION}onergy_metering_export")
    with page.expect_download() as download:
        page.get_by_role("button", name="Downloaden").click()
    assert download.value.suggested_filename.endswith(".xlsx")


def test_exception_is_resolved_and_taken_back(desk, morning):
    colleague = desk()
    page = colleague.go(f"{ACTION}onergy_reading_exception")
    page.locator(".o_data_row", has_text=morning[3]).first.wait_for()
    colleague.picture("desk-6-exceptions")
    page.locator(".o_data_row", has_text=morning[3]).first.click()
    page.locator("[name=chart_data] canvas").wait_for()
    assert page.locator("[name=neighbour_ids] .o_data_row").count() >= 4
    page.wait_for_timeout(800)
    colleague.picture("desk-7-exception")
    page.get_by_role("button", name="Afkeuren", exact=True).click()
    page.get_by_role("button", name="Terugdraaien", exact=True).wait_for()
    assert page.locator("[name=resolution]").first.inner_text() == "Afgekeurd"
    colleague.picture("desk-8-resolved")
    page.get_by_role("button", name="Terugdraaien", exact=True).click()
    page.get_by_role("button", name="Goedkeuren", exact=True).wait_for()


SAMPLE = "meter;datum;stand;eenheid\n71000001;15-01-2026;12,345;GJ\n"
BAD_LINE = "71000001;32-01-2026;12,400;GJ\n"


def test_profile_from_a_sample(desk):
    colleague = desk()
    page = colleague.go(f"{ACTION}onergy_reading_profile/new")
    page.locator("[name=name] input, [name=name] textarea").first.fill("Poort X")
    days = "".join(
        f"71000001;{day:02d}-02-2026;{12 + day},5;GJ\n" for day in range(1, 29)
    )
    fill_sample(page, SAMPLE + BAD_LINE + days)
    page.locator("[name=key_ref] input").fill("meter")
    page.locator("[name=moment_ref] input").fill("datum")
    page.locator("[name=moment_formats] input").fill("DD-MM-YYYY")
    page.get_by_role("tab", name="Waarde en eenheid").click()
    page.locator("[name=decimal_mark] input").fill(",")
    page.locator("[name=value_ref] input").fill("stand")
    page.locator("[name=unit_ref] input").fill("eenheid")
    page.locator("[name=unit_ref] input").press("Tab")
    preview = page.locator("[name=preview] table")
    preview.wait_for()
    # The preview follows each field: until the last is in, every row is bad.
    page.locator("[name=preview] .table-danger").nth(1).wait_for(state="detached")
    page.locator("[name=preview] .table-danger").wait_for()
    assert preview.locator("tbody tr").count() == 20
    assert "Geen datum" in page.locator("[name=preview] .table-danger").inner_text()
    colleague.picture("desk-9-profile-with-a-problem")

    page.get_by_role("button", name="In gebruik nemen").click()
    page.locator(".o_notification, .modal-body").first.wait_for()
    colleague.picture("desk-10-profile-not-in-use-yet")
    if page.locator(".modal-footer button").count():
        page.locator(".modal-footer button").first.click()
    assert page.get_by_text("Concept").first.is_visible()

    fill_sample(page, SAMPLE)
    page.locator("[name=name] input, [name=name] textarea").first.click()
    page.get_by_text("Het hele voorbeeld kan worden gelezen").wait_for()
    page.get_by_role("button", name="In gebruik nemen").click()
    page.get_by_role("button", name=re.compile("Uit gebruik")).wait_for()
    colleague.picture("desk-11-profile-in-use")


def fill_sample(page, text):
    page.locator("[name=sample] .ace_content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)
    page.locator("[name=sample_filename] input").click()
