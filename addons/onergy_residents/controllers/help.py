from odoo.http import request, route

from .notice import OnergyPortalNotice

HELP_URL = "/my/help"


class OnergyPortalHelp(OnergyPortalNotice):
    """What each page is for, in words; offered at the first visit."""

    def _get_home_steps(self, contract, values):
        steps = super()._get_home_steps(contract, values)
        if not self._has_seen_help():
            steps.append(
                {
                    "text": request.env._(
                        "Are you here for the first time? We explain the pages."
                    ),
                    "url": HELP_URL,
                    "label": request.env._("Show me"),
                    "is_urgent": False,
                    "is_hint": True,
                }
            )
        return steps

    def _has_seen_help(self):
        # sudo: residents may not read tours
        tour = request.env.ref("onergy_residents.tour_resident").sudo()
        return request.env.user in tour.user_consumed_ids

    @route(HELP_URL, type="http", auth="user", website=True, methods=["GET"])
    def portal_my_help(self, **kw):
        if not self._has_seen_help():
            request.env.ref("onergy_residents.tour_resident")._set_consumed()
        return request.render(
            "onergy_residents.portal_my_help",
            self._prepare_onergy_values("help", **kw),
        )
