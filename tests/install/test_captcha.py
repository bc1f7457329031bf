"""Odoo's captchas before the public forms: each installed for real."""

import os

import pytest

# website_cf_turnstile needs Odoo's website, which this product does without.
CAPTCHAS = ("google_recaptcha",)


@pytest.mark.parametrize("module", CAPTCHAS)
def test_public_forms_with_a_captcha(dev, postgres, module):
    template = dev.ensure_template(postgres, ["onergy_residents"])
    label = f"captcha-{module}"
    with dev.temporary_database(postgres, template, "captcha") as database:
        found = postgres.sql(
            f"SELECT count(*) FROM ir_module_module WHERE name = '{module}'", database
        )
        if found == "0":
            pytest.skip(f"this Odoo has no module {module}")
        command = dev.odoo_command(
            postgres,
            *("-d", database, "-i", module, "--stop-after-init", "--no-http"),
        )
        dev.run(command, log=label, cwd=dev.ROOT)
        failures = dev.run_odoo_tests_on(
            postgres, database, "/onergy_residents:TestCaptcha", label
        )
    assert not failures
    log = (dev.LOGS / f"test-{label}-{os.getpid()}.log").read_text(errors="replace")
    assert "no captcha module" not in log
