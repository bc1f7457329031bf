import json
import re

from odoo import fields, models
from odoo.tools import SQL, formatLang

from ..parsers.units import UNITS

#: A day may use this much more than the most of the last year before it is odd.
ODD_FACTOR = 1.5
#: Use of a day (GJ) where nothing is known of the home.
USUAL_DAY = 0.5


class OnergyContract(models.Model):
    """Readings that a resident takes himself."""

    _inherit = "onergy.contract"

    def _enter_reading(self, serial, text, confirmed=False, photo=None):
        """Take in what the resident reads on his own meter.

        :param str serial: a meter of this contract that is not read remotely
        :param str text: the number as he types it
        :param bool confirmed: he has looked again at a reading that seems wrong
        :param photo: bytes of a picture, kept with the reading
        :return: ``ok``; ``bad_number``; ``doubtful`` (nothing is kept, ask him to look
            again); ``noted`` (it waits for a member of staff); ``no_meter``
        """
        self.ensure_one()
        # sudo: residents have no access to meters; only their own contract's is used
        contract = self.sudo()
        meter = contract._get_placements().meter_id.filtered(
            lambda m: m.serial == serial and m.read_mode != "remote"
        )
        if not meter or contract.state != "running":
            return "no_meter"
        value = _read_number(text)
        if value is None:
            return "bad_number"
        register = meter._get_main_register()
        loader = contract.env["onergy.reading.loader"]
        row = loader._make_row(
            serial,
            fields.Datetime.now(),
            value,
            meter._get_register_unit(register),
            register,
        )
        with contract.env.cr.savepoint() as savepoint:
            counts = loader._load_rows([row], contract.company_id, "portal")
            if counts["bad"] and not confirmed:
                savepoint.rollback()
                return "doubtful"
        contract._attach_photo(meter, photo)
        return "noted" if counts["bad"] else "ok"

    def _attach_photo(self, meter, photo):
        """Keep a picture with what somebody has to look at, else with the meter."""
        if not photo:
            return
        exception = self.env["onergy.reading.exception"].search(
            [("meter_id", "=", meter.id), ("state", "=", "open")], limit=1
        )
        (exception or meter).message_post(
            body=self.env._("Picture sent by the resident"),
            attachments=[(f"{meter.serial}.jpg", photo)],
        )

    def _get_entry_limits(self, meter, last, days):
        """What the page needs to tell at once whether a reading fits, as JSON.

        :param last: (moment, value, unit) of the last reading
        :param days: days since then
        """
        _moment, value, unit = last
        register = meter._get_main_register()
        [(most,)] = self.env.execute_query(
            SQL(
                "SELECT max(quantity)::float8 FROM onergy_consumption_day "
                "WHERE meter_id = %s AND register = %s AND connection_id = %s "
                "AND day BETWEEN %s AND %s",
                meter.id,
                register,
                self.connection_id.id,
                max(
                    self.date_start, fields.Date.subtract(fields.Date.today(), years=1)
                ),
                self.date_end or fields.Date.today(),
            )
        )
        most_a_day = ODD_FACTOR * (most or USUAL_DAY) / float(UNITS[unit][1])
        shown = f"{formatLang(self.env, value, digits=3)} {unit.replace('m3', 'm³')}"
        return json.dumps(
            {
                "last": float(value),
                "most": float(value) + most_a_day * max(days, 1),
                "texts": {
                    "low": self.env._(
                        "This is lower than the last reading (%s). Please look at the "
                        "meter once more.",
                        shown,
                    ),
                    "high": self.env._(
                        "This is much more than you usually use. Please look at the "
                        "meter once more."
                    ),
                    "fits": self.env._(
                        "That fits. Since the last reading you used # %s.",
                        unit.replace("m3", "m³"),
                    ),
                },
            }
        )


def _read_number(text):
    """The plain decimal literal of a number as people type it, else ``None``."""
    text = "".join((text or "").split())
    if "," in text:
        text = text.replace(".", "").replace(",", ".")
    return text if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text) else None
