from odoo.tests import tagged

from .desk_common import DeskCase


@tagged("post_install", "-at_install")
class TestDesk(DeskCase):
    ADDON = "onergy_residents"

    def test_saved_filters(self):
        self._check_saved_filters()

    def test_activities(self):
        self._check_activities()

    def test_what_somebody_saves_or_renames_keeps_his_name(self):
        user = self.colleagues[0]
        ours = self.env.ref("onergy_residents.filter_request_by_building")
        mine = (
            self.env["ir.filters"]
            .with_user(user)
            .create_filter(
                {
                    "name": "My own",
                    "model_id": ours.model_id,
                    "action_id": ours.action_id.id,
                    "user_ids": [(4, user.id)],
                }
            )
        )
        self.assertEqual(self._get_offered_name(mine, user, "nl_NL"), "My own")
        ours.name = "Per gebouw"
        for lang in ("en_US", "nl_NL"):
            self.assertEqual(self._get_offered_name(ours, user, lang), "Per gebouw")
