from odoo import Command
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from .common import OnergyCommon

READ, WRITE, CREATE, UNLINK = "read", "write", "create", "unlink"
ALL = {READ, WRITE, CREATE, UNLINK}

# What each role may do, per model: everything that is not here is refused.
RIGHTS = {
    "customer_service": {
        "onergy.complex": {READ},
        "onergy.connection": {READ, WRITE, CREATE},
        "onergy.contract": {READ, WRITE, CREATE},
        "onergy.advance": {READ, WRITE, CREATE},
        "onergy.contract.gap": {READ},
        "onergy.access.code": {READ},
        "onergy.move": {READ, WRITE, CREATE},
        "onergy.mandate": {READ},
        "onergy.mandate.entry": ALL,
        "onergy.debit.reason": {READ},
        "onergy.consent": {READ, CREATE},
        "onergy.consent.purpose": {READ},
        "onergy.erasure": {READ, WRITE, CREATE},
        "onergy.access.grant": {READ, WRITE, CREATE},
        "onergy.access.give": ALL,
        "onergy.move.sheet": {READ},
        "onergy.move.sheet.line": {READ},
        "onergy.move.sheet.upload": ALL,
        "res.partner": ALL,
        "account.move": {READ},
    },
    "metering": {
        "onergy.access.grant": {READ},
        "onergy.move": {READ},
        "onergy.complex": {READ},
        "onergy.connection": {READ},
        "onergy.contract": {READ},
        "onergy.consent": {READ},
        "onergy.consent.purpose": {READ},
        "res.partner": {READ},
    },
    "accountant": {
        "onergy.access.grant": {READ},
        "onergy.move": {READ},
        "onergy.complex": {READ},
        "onergy.connection": {READ},
        "onergy.contract": {READ},
        "onergy.advance": {READ},
        "onergy.contract.gap": {READ},
        "onergy.access.code": {READ},
        "onergy.mandate": {READ},
        "onergy.debit.reason": {READ},
        "onergy.consent": {READ},
        "onergy.consent.purpose": {READ},
        "res.partner": {READ},
        "account.move": ALL,
    },
    "manager": {
        "onergy.complex": ALL,
        "onergy.connection": ALL,
        "onergy.contract": ALL,
        "onergy.advance": ALL,
        "onergy.contract.gap": {READ},
        "onergy.access.code": {READ},
        "onergy.access.invite": ALL,
        "onergy.move": ALL,
        "onergy.mandate": {READ},
        "onergy.mandate.entry": ALL,
        "onergy.debit.reason": ALL,
        "onergy.consent": {READ, CREATE},
        "onergy.consent.purpose": ALL,
        "onergy.erasure": {READ, WRITE, CREATE},
        "onergy.access.log": {READ},
        "onergy.purge.log": {READ},
        "onergy.access.grant": {READ, WRITE, CREATE},
        "onergy.move.sheet": {READ},
        "onergy.move.sheet.line": {READ},
        "onergy.move.sheet.upload": ALL,
        "onergy.access.give": ALL,
        "res.partner": ALL,
        "account.move": ALL,
    },
    "portal": {
        "onergy.access.grant": {READ},
        "onergy.move": {READ},
        "onergy.connection": {READ},
        "onergy.contract": {READ},
        "onergy.advance": {READ},
        "onergy.mandate": {READ},
        "onergy.debit.reason": {READ},
        "onergy.consent": {READ},
        "onergy.consent.purpose": {READ},
        "res.partner": {READ},
        "account.move": {READ},
    },
    "public": {},
}
MODELS = sorted({model for rights in RIGHTS.values() for model in rights}) + [
    "onergy.access.attempt",
]
# Odoo itself lets the public read some contacts of a website; not our business.
NOT_FOR_PUBLIC = [model for model in MODELS if model.startswith("onergy.")]


@tagged("post_install", "-at_install")
class TestAccess(OnergyCommon, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.contract.advance_ids = [
            Command.create({"date_from": "2025-01-01", "amount": 90, "note": "Secret"})
        ]
        cls.contract_2.advance_ids = [
            Command.create({"date_from": "2025-01-01", "amount": 80})
        ]
        cls.portal_user = cls.resident._onergy_get_or_create_portal_user()[cls.resident]
        cls.users = {
            **cls.staff,
            "portal": cls.portal_user,
            "public": cls.env.ref("base.public_user"),
        }

    def test_rights_of_each_role(self):
        for role, rights in RIGHTS.items():
            models = NOT_FOR_PUBLIC if role == "public" else MODELS
            for model in models:
                for operation in sorted(ALL):
                    with self.subTest(role=role, model=model, operation=operation):
                        self.assertEqual(
                            self.env[model]
                            .with_user(self.users[role])
                            .has_access(operation),
                            operation in rights.get(model, ()),
                        )

    def test_every_model_of_ours_has_a_known_set_of_rights(self):
        """A new model of this part cannot slip past the table above."""
        elsewhere = {
            "onergy.email.change",
            "onergy.notice",
            "onergy.notice.delivery",
            "onergy.request",
            "onergy.request.stage",
            "onergy.work.queue",
        }
        ours = {
            name
            for name, model in self.env.registry.items()
            if model._original_module == "onergy_residents" and not model._abstract
        }
        self.assertEqual(ours - set(MODELS) - elsewhere, set())

    def test_accountant_writes_nothing_operational(self):
        accountant = self.staff["accountant"]
        for record, values in [
            (self.contract, {"date_end": "2026-01-01"}),
            (self.connection, {"ean": False}),
            (self.complex, {"name": "Other"}),
            (self.contract.advance_ids, {"amount": 1}),
            (self.resident, {"email": "other@example.com"}),
        ]:
            with self.subTest(model=record._name), self.assertRaises(AccessError):
                record.with_user(accountant).write(values)
        self.assertEqual(self.contract.with_user(accountant).partner_id, self.resident)

    def test_menus_of_each_role(self):
        def visible(role):
            menus = self.env["ir.ui.menu"].with_user(self.staff[role])
            return set(menus._visible_menu_ids())

        def menu(name):
            return self.env.ref(f"onergy_residents.menu_onergy_{name}").id

        everybody = {menu(n) for n in ("root", "resident", "contract", "connection")}
        for role in self.staff:
            self.assertLessEqual(everybody, visible(role), role)
        money = {menu("advance"), menu("access_code"), menu("contract_gap")}
        self.assertLessEqual(money, visible("customer_service"))
        self.assertFalse(money & visible("metering"))
        for role in ("customer_service", "metering", "accountant"):
            self.assertNotIn(menu("configuration"), visible(role), role)
        self.assertIn(menu("configuration"), visible("manager"))

    def _own_fields(self, model):
        """Return the fields of this part that the user of ``model`` may read."""
        fields = [
            name
            for name in model.fields_get()
            if "onergy_residents" in model._fields[name]._modules
        ]
        self.assertIn("name", fields)
        return fields

    def test_views_open_for_each_role(self):
        for role in self.staff:
            for model in ("onergy.complex", "onergy.connection", "onergy.contract"):
                views = self.env[model].with_user(self.staff[role])
                for view_type in ("form", "list", "kanban", "search"):
                    with self.subTest(role=role, model=model, view=view_type):
                        view = views.get_view(view_type=view_type)
                        self.assertTrue(view["arch"])
                with self.subTest(role=role, model=model, view="record"):
                    self.assertTrue(Form(views.search([], limit=1)).id)
                fields = self._own_fields(views)
                records = views.search([], limit=2)
                self.assertTrue(records.read(fields))

            with self.subTest(role=role, model="res.partner"):
                form = Form(self.resident.with_user(self.staff[role]))
                self.assertEqual(form.name, "First resident")

    def test_contacts_and_invoices_open_without_a_role(self):
        colleague = new_test_user(
            self.env,
            "colleague",
            groups="base.group_partner_manager,account.group_account_invoice",
        )
        form = Form(self.resident.with_user(colleague))
        form.phone = "+31 30 000 0000"
        form.save()
        self.assertTrue(self.resident.with_user(colleague).is_resident)
        with self.assertRaises(AccessError):
            self.resident.with_user(colleague).read(["onergy_address"])
        invoices = self.env["account.move"].with_user(colleague)
        self.assertTrue(invoices.get_view(view_type="form")["arch"])

    def test_resident_without_email_can_be_saved(self):
        """Odoo asks an address of whoever has a login; a number is enough for ours."""
        form = Form(self.resident.with_user(self.staff["customer_service"]))
        form.email = False
        form.save()
        self.assertFalse(self.resident.email)
        self.assertTrue(self.resident.user_ids)

    # ------------------------------------------------------------------ companies

    def test_second_company_is_not_seen(self):
        company = self.env["res.company"].create({"name": "Second supplier"})
        elsewhere = self.env["onergy.complex"].create(
            {"name": "Elsewhere", "code": "E", "company_id": company.id}
        )
        connection = self.connection.copy({"complex_id": elsewhere.id})
        contract = self._create_contract(connection, self.resident, end="2025-12-31")
        contract.advance_ids = [
            Command.create({"date_from": "2025-01-01", "amount": 70})
        ]
        code = next(
            iter(self.env["onergy.access.code"]._issue(self.resident, "letter"))
        )
        code.company_id = company
        records = [elsewhere, connection, contract, contract.advance_ids, code]
        for record in records:
            for role in ("customer_service", "accountant", "manager"):
                user = self.staff[role]
                with self.subTest(model=record._name, role=role):
                    model = self.env[record._name].with_user(user)
                    self.assertFalse(model.search([("id", "=", record.id)]))
                    with self.assertRaises(AccessError):
                        record.with_user(user).read(["display_name"])
        gaps = self.env["onergy.contract.gap"]
        mine = Domain("connection_id", "=", connection.id)
        self.assertTrue(gaps.search(mine))
        self.assertFalse(gaps.with_user(self.staff["manager"]).search(mine))
        insider = new_test_user(
            self.env,
            "insider",
            groups="onergy_residents.group_manager",
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )
        for record in records:
            with self.subTest(model=record._name, role="insider"):
                self.assertTrue(record.with_user(insider).read(["display_name"]))
        with self.assertRaises(AccessError):
            self.contract.with_user(insider).read(["name"])

    # --------------------------------------------------------------------- portal

    def _as_resident(self, model):
        return self.env[model].with_user(self.portal_user)

    def test_resident_sees_his_own_home_only(self):
        for model, own in [
            ("onergy.contract", self.contract),
            ("onergy.connection", self.connection),
            ("onergy.advance", self.contract.advance_ids),
        ]:
            with self.subTest(model=model):
                self.assertEqual(self._as_resident(model).search([]), own)
        for other in (
            self.contract_2,
            self.connection_2,
            self.contract_2.advance_ids,
            self.resident_2,
        ):
            with self.subTest(model=other._name), self.assertRaises(AccessError):
                other.with_user(self.portal_user).read(["display_name"])

    def test_resident_changes_nothing_by_himself(self):
        for record in (self.contract, self.connection, self.contract.advance_ids):
            record = record.with_user(self.portal_user)
            with self.subTest(model=record._name), self.assertRaises(AccessError):
                record.write({"write_date": False})
            with self.subTest(model=record._name), self.assertRaises(AccessError):
                record.unlink()

    def test_resident_does_not_read_what_staff_noted(self):
        self.contract.note = "Pays late"
        for record, name in [
            (self.contract, "note"),
            (self.contract, "portal_state"),
            (self.contract.advance_ids, "note"),
            (self.contract.advance_ids, "approved_by_id"),
            (self.connection, "contract_ids"),
            (self.connection, "current_partner_id"),
            (self.connection, "current_contract_id"),
        ]:
            with self.subTest(field=name), self.assertRaises(AccessError):
                record.with_user(self.portal_user).read([name])

    def test_resident_does_not_read_the_history_that_staff_keep(self):
        self.contract.message_post(body="Internal", subtype_xmlid="mail.mt_note")
        messages = self._as_resident("mail.message")
        self.assertFalse(messages.search([("model", "=", "onergy.contract")]))

    def test_past_resident_sees_his_contract_and_not_the_next_one(self):
        self.contract.date_end = "2025-12-31"
        next_contract = self._create_contract(
            self.connection, self.resident_2, "2026-01-01"
        )
        self.env.flush_all()
        self.env.invalidate_all()
        mine = self._as_resident("onergy.contract").search([])
        self.assertEqual(mine, self.contract)
        connection = self._as_resident("onergy.connection").search([])
        self.assertEqual(connection, self.connection)
        values = str(connection.read(self._own_fields(connection)))
        self.assertNotIn("Second resident", values)
        self.assertNotIn(next_contract.name, values)

    def test_resident_of_two_companies_sees_both_homes(self):
        company = self.env["res.company"].create({"name": "Second supplier"})
        elsewhere = self.env["onergy.complex"].create(
            {"name": "Elsewhere", "code": "E", "company_id": company.id}
        )
        connection = self.connection.copy({"complex_id": elsewhere.id})
        self.resident.company_id = self.resident_2.company_id = False
        contract = self._create_contract(connection, self.resident, end="2025-12-31")
        self.assertEqual(
            self._as_resident("onergy.contract").search([]), self.contract | contract
        )
        later = self._create_contract(connection, self.resident_2, "2026-01-01")
        user = self.resident_2._onergy_get_or_create_portal_user()[self.resident_2]
        self.assertEqual(
            self.env["onergy.contract"].with_user(user).search([]),
            self.contract_2 | later,
        )

    def test_household_shares_what_the_debtor_sees(self):
        company = self.env["res.partner"].create(
            {"name": "Landlord", "is_company": True}
        )
        self.resident.parent_id = company
        contract = self._create_contract(
            self.connection, company, "2024-01-01", "2024-12-31"
        )
        self.assertIn(contract, self._as_resident("onergy.contract").search([]))
