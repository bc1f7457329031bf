from datetime import datetime, time, timedelta

from odoo import fields, models

#: Where, kind, days from today, hours, subject, text, services.
NOTICES = [
    (
        "LK",
        "planned",
        9,
        (8, 12),
        "Onderhoud aan de warmtepomp",
        "Wij vervangen een pomp in de technische ruimte. Uw woning koelt in die uren "
        "maar weinig af. Houd ramen en deuren dicht.",
        ("service_heating", "service_hot_water"),
    ),
    (
        "LK",
        "outage",
        -40,
        (6, 15),
        "Geen warmte door een lek in de leiding",
        "In de Lindelaan lekte een leiding. Wij hebben het stuk leiding vervangen.",
        ("service_heating", "service_hot_water"),
    ),
]


class OnergyDemo(models.AbstractModel):
    _inherit = "onergy.demo"

    def _load_residents(self, today):
        result = super()._load_residents(today)
        self._load_notices(today)
        return result

    def _load_staff(self):
        """The demo's colleagues were shown round; the menu Help does it again."""
        staff = super()._load_staff()
        tour = self.env.ref("onergy_residents.tour_clerk")
        for user in staff.values():
            tour.with_user(user)._set_consumed()
        return staff

    def _load_notices(self, today):
        for code, kind, days, hours, subject, text, services in NOTICES:
            start, end = (
                datetime.combine(today + timedelta(days=days), time(hour))
                for hour in hours
            )
            site = self.env["onergy.complex"].search([("code", "=", code)])
            notice = self.env["onergy.notice"].create(
                {
                    "name": subject,
                    "kind": kind,
                    "complex_ids": site.ids,
                    "date_start": start,
                    "date_end": end,
                    "body": f"<p>{text}</p>",
                    "service_heating": "service_heating" in services,
                    "service_hot_water": "service_hot_water" in services,
                }
            )
            is_over = days < 0
            notice.write(
                {
                    "state": "solved" if is_over else "published",
                    "date_published": start if is_over else fields.Datetime.now(),
                    "date_solved": end if is_over else False,
                }
            )
            deliveries = self.env["onergy.notice.delivery"]
            deliveries._queue(notice, "published")
            # Nobody is mailed: the demo's addresses do not exist.
            notice.delivery_ids.filtered(lambda line: line.state == "waiting").write(
                {"state": "sent", "date_sent": notice.date_published}
            )
