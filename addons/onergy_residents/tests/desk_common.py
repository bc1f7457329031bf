import ast
import json

from lxml import etree

from odoo.tests import TransactionCase, new_test_user
from odoo.tools.safe_eval import safe_eval

ROLES = ("customer_service", "metering", "accountant", "manager")


#: What the clock in Odoo's bar switches on in the list that it opens.
CLOCK = {
    "filter_activities_my",
    "activities_overdue",
    "activities_today",
    "activities_upcoming_all",
}


class DeskCase(TransactionCase):
    """What each list of an addon offers a clerk.

    A subclass names the addon and calls the checks.
    """

    ADDON = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for lang in ("en_US", "nl_NL"):
            cls.env["res.lang"]._activate_lang(lang)
        cls.env["ir.module.module"]._load_module_terms([cls.ADDON], ["nl_NL"])
        cls.colleagues = [
            new_test_user(cls.env, f"filter_{role}", f"onergy_residents.group_{role}")
            for role in ROLES
        ]

    def _check_activities(self):
        """The clock opens late and other activities in each list that has them."""
        models = [
            model
            for model in self.env.values()
            if model._original_module == self.ADDON
            and not model._abstract
            and "activity_ids" in model._fields
            and self.env["ir.ui.view"].search_count(
                [("model", "=", model._name), ("type", "=", "search")]
            )
        ]
        self.assertTrue(models)
        for model in models:
            with self.subTest(model._name):
                arch = etree.fromstring(model.get_view(view_type="search")["arch"])
                found = {
                    element.get("name"): element.get("domain")
                    for element in arch.iter("filter")
                }
                self.assertLessEqual(CLOCK, set(found))
                for name in CLOCK:
                    domain = safe_eval(found[name], {"uid": self.env.uid})
                    model.search(domain, limit=1)

    def _get_filters(self):
        found = self.env["ir.model.data"].search(
            [("module", "=", self.ADDON), ("model", "=", "ir.filters")]
        )
        return self.env["ir.filters"].browse(found.mapped("res_id"))

    def _check_saved_filters(self):
        self.assertTrue(self._get_filters())
        for saved in self._get_filters():
            users = [
                user
                for user in self.colleagues
                if self.env[saved.model_id].with_user(user).has_access("read")
            ]
            with self.subTest(saved.name):
                self.assertTrue(users, "nobody can use it")
                self.assertEqual(
                    self.env[saved.action_id.type].browse(saved.action_id.id).res_model,
                    saved.model_id,
                )
            for user in users:
                with self.subTest(saved.name, user=user.login):
                    self._check_saved_filter(saved, user)

    def _check_saved_filter(self, saved, user):
        """The list opens with it: domain, order and groups are right for the role."""
        model = self.env[saved.model_id].with_user(user)
        domain = ast.literal_eval(saved.domain)
        model.search(domain, order=", ".join(json.loads(saved.sort)) or None, limit=1)
        groups = ast.literal_eval(saved.context).get("group_by", [])
        if groups:
            model.formatted_read_group(domain, groups, ["__count"])
        names = {
            lang: self._get_offered_name(saved, user, lang)
            for lang in ("en_US", "nl_NL")
        }
        self.assertEqual(names["en_US"], saved.name)
        self.assertNotEqual(names["nl_NL"], saved.name)

    def _get_offered_name(self, saved, user, lang):
        user.lang = lang
        offered = (
            self.env["ir.filters"]
            .with_user(user)
            .get_filters(saved.model_id, saved.action_id.id)
        )
        return next(found["name"] for found in offered if found["id"] == saved.id)
