from odoo import Command, api, models, modules

CLERK_TOUR = "onergy_residents.tour_clerk"
STAFF = "onergy_residents.group_customer_service"


class WebTourTour(models.Model):
    _inherit = "web_tour.tour"

    @api.model
    def get_current_tour(self):
        """Show new colleagues round at their first login."""
        # As Odoo's own, it stays away from automatic tests of pages.
        tour = not modules.module.current_test and self._get_clerk_tour()
        return tour or super().get_current_tour()

    @api.model
    def _get_clerk_tour(self):
        """Return the tour for a colleague of customer service who did not see it."""
        user = self.env.user
        tour = self.env.ref(CLERK_TOUR, raise_if_not_found=False)
        if tour and user._is_internal() and user.has_group(STAFF):
            if user not in tour.user_consumed_ids:
                return tour._get_tour_json()
        return False

    @api.model
    def consume(self, tourName):
        """After our tour Odoo's others do not follow by themselves."""
        result = super().consume(tourName)
        tour = self.env.ref(CLERK_TOUR, raise_if_not_found=False)
        if tour and tourName == tour.name and not self.env.user._is_admin():
            self.env["res.users"].switch_tour_enabled(False)
            return False
        return result

    def _set_consumed(self):
        """Remember that the user has seen these tours, or does not want to."""
        # sudo: tours are for administrators to write; each user ticks off his own
        self.sudo().user_consumed_ids = [Command.link(self.env.user.id)]
