from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from odoo.addons.mail.tests.common import MailCase

from .portal_common import PortalCase

URL = "/my/move"


@tagged("post_install", "-at_install")
class TestMovePortal(PortalCase, MailCase):
    """A resident tells that he moves, with nothing but HTML forms."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("en_US")
        for user in (cls.resident, cls.other, cls.past, *cls.staff.values()):
            user.lang = "en_US"
        cls.today = fields.Date.context_today(cls.contract)
        cls.last_day = cls.today + timedelta(days=30)
        # Staff have to sort out who pays meanwhile.
        cls.site.owner_id = cls.env["res.partner"].create({"name": "Owner"})

    def _moves(self):
        return self.env["onergy.move"].search([("contract_id", "=", self.contract.id)])

    def _start(self, kind="move_out"):
        self.post_as("resident", URL, {"kind": kind, "contract_id": self.contract.id})
        return self._moves()

    def _answer(self, move, step, login="resident", **values):
        return self.post_as(login, f"{URL}/{move.id}/{step}", values)

    def _fill_in(self):
        move = self._start()
        self._answer(move, "date", date_end=str(self.last_day))
        self._answer(
            move, "address", new_street="Kade 5", new_zip="4321zz", new_city="Ede"
        )
        self._answer(move, "next", next_kind="unknown", note="Key with neighbour")
        return move

    def test_one_question_after_the_other(self):
        page = self.open_as("resident", f"{URL}?contract_id={self.contract.id}")
        self.assertIn("Dorpsstraat 1", page)
        move = self._start()
        self.assertEqual(move.state, "draft")
        self.assertFalse(move.activity_ids)
        response = self._answer(move, "date", date_end=str(self.last_day))
        self.assertTrue(response.url.endswith(f"/{move.id}/address"))
        response = self._answer(
            move, "address", new_street="Kade 5", new_zip="4321zz", new_city="Ede"
        )
        self.assertTrue(response.url.endswith(f"/{move.id}/next"))
        self._answer(move, "next", next_kind="resident", next_name="Third resident")
        self.assertEqual(move.date_end, self.last_day)
        self.assertEqual(move.new_zip, "4321 ZZ")
        self.assertEqual(move.next_name, "Third resident")

    def test_checked_before_it_is_sent_and_confirmed_by_mail(self):
        move = self._fill_in()
        page = self.open_as("resident", f"{URL}/{move.id}")
        for text in ("Is this right?", "Kade 5, 4321 ZZ Ede", "Key with neighbour"):
            self.assertIn(text, page)
        self.assertEqual(move.state, "draft")
        page = self.post_as("resident", f"{URL}/{move.id}/send", {}).text
        self.assertIn("we received your move", page)
        self.assertEqual(move.state, "reported")
        mail = self.env["mail.mail"].search([("res_id", "=", move.id)])
        self.assertIn(self.resident.email, mail.email_to)
        self.assertIn("Kade 5, 4321 ZZ Ede", mail.body_html)
        self.assertFalse(self.contract.date_end, "a clerk looks at it first")
        self.post_as("resident", f"{URL}/{move.id}/send", {})
        self.assertEqual(
            self.env["mail.mail"].search_count([("res_id", "=", move.id)]), 1
        )

    def test_nothing_is_sent_that_was_not_answered(self):
        move = self._start()
        response = self.post_as("resident", f"{URL}/{move.id}/send", {})
        self.assertTrue(response.url.endswith("/date"))
        self.assertEqual(move.state, "draft")

    def test_errors_are_clear_and_nothing_is_lost(self):
        page = self.post_as("resident", URL, {"contract_id": self.contract.id}).text
        self.assertIn("Choose what you want to tell us", page)
        move = self._start()
        far = self.today + timedelta(days=500)
        for step, values, complaint in (
            ("date", {"date_end": "soon"}, "Fill in a date"),
            ("date", {"date_end": "2025-01-31"}, "started on"),
            ("date", {"date_end": str(far)}, "more than a year away"),
            ("address", {"new_street": "Kade 5"}, "Fill in the town"),
            ("address", {"new_zip": "0123 AB"}, "not a Dutch postcode"),
            ("next", {}, "Choose one of the answers"),
            ("next", {"next_kind": "later"}, "Choose one of the answers"),
            ("next", {"next_kind": "resident"}, "Fill in the name"),
            (
                "next",
                {"next_kind": "resident", "next_name": "A", "next_email": "b@"},
                "not an e-mail address",
            ),
        ):
            with self.subTest(complaint):
                page = self._answer(move, step, **values).text
                self.assertIn(complaint, page)
                self.assertIn(
                    'aria-invalid="true"'
                    if "Choose" not in complaint
                    else 'role="alert"',
                    page,
                )
                for value in set(values.values()) - {"later"}:
                    self.assertIn(value, page)
        self.assertFalse(move.date_end)
        # As people type a date where the browser has no calendar.
        self._answer(move, "date", date_end=f"{self.last_day:%d-%m-%Y}")
        self.assertEqual(move.date_end, self.last_day)

    def test_changed_and_withdrawn_until_it_is_carried_out(self):
        move = self._fill_in()
        self.post_as("resident", f"{URL}/{move.id}/send", {})
        move.action_check()
        later = self.last_day + timedelta(days=2)
        page = self._answer(move, "date", date_end=str(later)).text
        self.assertIn("We received your change", page)
        self.assertEqual(move.date_end, later)
        self.assertEqual(move.state, "reported", "a clerk looks at it again")
        move.action_carry_out()
        self._answer(move, "date", date_end=str(self.last_day))
        self.post_as("resident", f"{URL}/{move.id}/cancel", {})
        self.assertEqual(move.date_end, later)
        self.assertEqual(move.state, "done")
        self.assertIn("Arranged", self.open_as("resident", f"{URL}/{move.id}"))
        move.action_undo()
        page = self.post_as("resident", f"{URL}/{move.id}/cancel", {}).text
        self.assertIn("You withdrew your message", page)
        self.assertEqual(move.state, "cancelled")

    def test_stopping_before_sending_leaves_nothing(self):
        move = self._start()
        self.post_as("resident", f"{URL}/{move.id}/cancel", {})
        self.assertFalse(self._moves())

    def test_starting_again_goes_on_with_the_same(self):
        move = self._start()
        self.assertEqual(self._start(), move)
        self._fill_in()
        self.post_as("resident", f"{URL}/{move.id}/send", {})
        response = self.post_as(
            "resident", URL, {"kind": "move_out", "contract_id": self.contract.id}
        )
        self.assertTrue(response.url.endswith(f"{URL}/{move.id}"))
        self.assertEqual(self._moves(), move)

    def test_death_is_asked_with_care(self):
        move = self._start("death")
        page = self.open_as("resident", f"{URL}/{move.id}/heirs")
        self.assertIn("We are sorry for your loss", page)
        page = self._answer(move, "heirs", contact_name="Daughter").text
        self.assertIn("an e-mail address, or a postal address", page)
        self._answer(
            move,
            "heirs",
            contact_name="Daughter",
            contact_email="daughter@example.com",
        )
        self._answer(move, "enddate", end_known="no")
        page = self.post_as("resident", f"{URL}/{move.id}/send", {}).text
        self.assertIn("sorry for your loss", page)
        mail = self.env["mail.mail"].search([("res_id", "=", move.id)])
        self.assertEqual(mail.email_to, "daughter@example.com")
        self.assertNotIn("Dear Resident One", mail.body_html)

    def test_sale_is_for_owners(self):
        page = self.open_as("resident", URL)
        self.assertNotIn("sold my home", page)
        page = self.post_as(
            "resident", URL, {"kind": "sale", "contract_id": self.contract.id}
        ).text
        self.assertIn("Choose what you want", page)
        self.contract.role = "owner_occupier"
        self.assertIn("sold my home", self.open_as("resident", URL))
        self.assertEqual(self._start("sale").kind, "sale")

    # ------------------------------------------------------------------ access

    def test_of_another_is_not_shown_nor_changed(self):
        move = self._fill_in()
        urls = [f"{URL}/{move.id}", f"{URL}/{move.id}/date"]
        for login in ("other", "past"):
            for url in urls:
                with self.subTest(login=login, url=url):
                    self.assertNotIn("Kade 5", self.open_as(login, url))
            self._answer(move, "date", login=login, date_end=str(self.today))
            self.post_as(login, f"{URL}/{move.id}/send", {})
            self.post_as(login, f"{URL}/{move.id}/cancel", {})
            self.assertNotIn("Kade 5", self.open_as(login, URL))
        self.assertTrue(move.exists())
        self.assertEqual(move.state, "draft")
        self.assertEqual(move.date_end, self.last_day)

    def test_who_comes_next_is_told_to_whom_reported_him_only(self):
        newcomer = {
            "next_kind": "resident",
            "next_name": "New Comer",
            "next_email": "new@comer.example",
            "next_phone": "+31 6 12340000",
        }
        move = self.env["onergy.move"].create(
            {
                "kind": "move_in",
                "connection_id": self.home.id,
                "next_date": self.last_day,
                **newcomer,
            }
        )
        self.assertEqual(move.partner_id, self.resident.partner_id)
        for kind in ("move_in", "move_out"):
            move.kind = kind
            text = str(move._get_report_lines())
            for url in ("", "/next"):
                text += self.open_as("resident", f"{URL}/{move.id}{url}")
            for secret in ("New Comer", "new@comer.example", "12340000"):
                with self.subTest(kind=kind, secret=secret):
                    self.assertNotIn(secret, text)
        self.assertIn("A new resident", self.open_as("resident", f"{URL}/{move.id}"))
        mine = move.with_user(self.resident)
        for name in ("next_name", "next_email", "next_phone"):
            with self.subTest(name), self.assertRaises(AccessError):
                mine.read([name])
        move.unlink()
        move = self._fill_in()
        self._answer(move, "next", **newcomer)
        for url in ("", "/next"):
            self.assertIn(
                "New Comer", self.open_as("resident", f"{URL}/{move.id}{url}")
            )

    def test_not_for_the_home_of_another(self):
        for contract in (self.other_contract, self.past_contract):
            self.post_as(
                "resident", URL, {"kind": "move_out", "contract_id": contract.id}, 404
            )
        self.post_as(
            "past", URL, {"kind": "move_out", "contract_id": self.past_contract.id}, 404
        )
        self.assertFalse(self.env["onergy.move"].search([]))
        self.assertIn("nothing to end", self.open_as("past", URL))

    def test_visitor_has_to_log_in(self):
        move = self._fill_in()
        self.authenticate(None, None)
        for url in (URL, f"{URL}/{move.id}", f"{URL}/{move.id}/date"):
            self.assertIn("/web/login", self.url_open(url).url)
        for action in ("date", "send", "cancel"):
            response = self.url_open(
                f"{URL}/{move.id}/{action}", {"csrf_token": self.csrf_token()}
            )
            self.assertIn("/web/login", response.url)
        self.assertEqual(move.state, "draft")

    def test_staff_look_and_change_nothing_here(self):
        move = self._fill_in()
        for user in self.staff.values():
            with self.subTest(user.login):
                self.assertIn("Kade 5", self.open_as(user.login, f"{URL}/{move.id}"))
                self.assertNotIn("Kade 5", self.open_as(user.login, URL))
                self._answer(move, "date", login=user.login, date_end=str(self.today))
                self.post_as(user.login, f"{URL}/{move.id}/send", {})
                self.post_as(user.login, f"{URL}/{move.id}/cancel", {})
        self.assertEqual(move.state, "draft")
        self.assertEqual(move.date_end, self.last_day)

    def test_forms_need_their_token(self):
        move = self._fill_in()
        self.authenticate("resident", "resident")
        response = self.url_open(f"{URL}/{move.id}/send", {"csrf_token": "wrong"})
        self.assertEqual(response.status_code, 400)
        self.assertEqual(move.state, "draft")

    def test_after_the_end_no_new_data_and_the_old_stay(self):
        """Who has moved keeps his own period; the next sees none of it."""
        move = self._fill_in()
        self.post_as("resident", f"{URL}/{move.id}/send", {})
        move.write(
            {
                "date_end": self.today - timedelta(days=1),
                "next_kind": "resident",
                "next_partner_id": self.other.partner_id.id,
            }
        )
        move.action_carry_out()
        page = self.open_as("resident", f"/my/data?contract_id={self.contract.id}")
        self.assertIn(self.contract.name, page)
        self.open_as(
            "resident", f"/my/data?contract_id={move.next_contract_id.id}", 404
        )
        self.open_as("other", f"/my/data?contract_id={move.next_contract_id.id}")
        self.open_as("other", f"/my/data?contract_id={self.contract.id}", 404)

    def test_number_of_queries(self):
        move = self._fill_in()
        self.authenticate("resident", "resident")
        for url, budget in ((URL, 20), (f"{URL}/{move.id}", 25)):
            self.url_open(url)
            with self.subTest(url), self.assertQueryCount(budget):
                self.assertEqual(self.url_open(url).status_code, 200)
