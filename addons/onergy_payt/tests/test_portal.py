from odoo import fields, http
from odoo.tests import HttpCase, new_test_user, tagged

from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestPortal(PaytCommon, HttpCase):
    """What a resident sees and does, in his own language."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.site = cls.env["onergy.complex"].create({"name": "Test", "code": "PAYT"})
        cls.resident = cls._create_resident("payt_resident", "Eerste bewoner", "1")
        cls.other = cls._create_resident("payt_other", "Tweede bewoner", "2")

    @classmethod
    def _create_resident(cls, login, name, number):
        user = new_test_user(
            cls.env,
            login,
            "base.group_portal",
            name=name,
            email=f"{login}@example.com",
            company_id=cls.company.id,
            company_ids=[(6, 0, cls.company.ids)],
            lang="nl_NL",
        )
        home = cls.env["onergy.connection"].create(
            {
                "complex_id": cls.site.id,
                "street": "Dorpsstraat",
                "house_number": number,
                "zip": "1234 AB",
                "city": "Utrecht",
            }
        )
        cls.env["onergy.contract"].create(
            {
                "connection_id": home.id,
                "partner_id": user.partner_id.id,
                "date_start": "2025-01-01",
            }
        )
        return user

    def bill(self, user=None, amount=100.0):
        return self.invoice(amount, payer=(user or self.resident).partner_id)

    def page(self, url="/my/finance", login="payt_resident", status=200):
        self.authenticate(login, login)
        response = self.url_open(url)
        self.assertEqual(response.status_code, status)
        return response.text

    def post(self, url, login="payt_resident", **data):
        self.authenticate(login, login)
        token = http.Request.csrf_token(self)
        self.env.flush_all()
        response = self.url_open(url, data={"csrf_token": token, **data})
        self.env.invalidate_all()
        return response

    def test_the_status_of_each_bill_with_a_way_to_pay(self):
        move = self.bill()
        self.sync()
        self.payt.control_phase({"invoice_number": move.name, "phase": "reminder_2"})
        self.pull()
        text = self.page()
        self.assertIn("Herinnering 2 gestuurd", " ".join(text.split()))
        self.assertIn(self.mirror(move).public_url, text)
        self.assertIn(f"/my/invoices/{move.id}", text)

    def test_a_bill_is_paid_at_one_place(self):
        """Two places to pay would make two payments."""
        set_param = self.env["ir.config_parameter"].set_param
        set_param("account_payment.enable_portal_payment", "True")
        move = self.bill()
        url = f"/my/invoices/{move.id}"
        self.assertIn("#pay_with", self.page(url))
        self.sync()
        text = self.page(url)
        self.assertIn(self.mirror(move).public_url, text)
        self.assertNotIn("#pay_with", text)
        self.pay(move)
        self.sync()
        self.assertNotIn(self.mirror(move).public_url, self.page(url))

    def test_only_what_is_open(self):
        paid, unpaid = self.bill(), self.bill(amount=50.0)
        self.sync()
        self.pay(paid)
        self.sync()
        notice = 'data-payt="%s"'
        everything = self.page()
        self.assertIn(notice % self.mirror(paid).id, everything)
        self.assertIn("Betaald", everything)
        only_open = self.page("/my/finance?payt=open")
        self.assertNotIn(notice % self.mirror(paid).id, only_open)
        self.assertIn(notice % self.mirror(unpaid).id, only_open)

    def test_a_reversed_direct_debit_is_explained(self):
        move = self.bill()
        self.sync()
        payt_id = self.pay(move, method="direct_debit")
        self.pull()
        self.assertNotIn("is teruggegaan", self.page())
        self.payt.control_take_back({"id": payt_id, "reversal_code": "AM04"})
        self.pull()
        for page in (self.page(), self.page(f"/my/invoices/{move.id}")):
            self.assertIn("niet genoeg geld op uw bankrekening", page)
            self.assertNotIn("AM04", page)
        self.assertIn("is teruggegaan", self.page())
        self.mirror(move).reversal_code = "AC04"
        page = self.page(f"/my/invoices/{move.id}")
        self.assertIn("Uw bankrekening is opgeheven", page)
        self.assertIn("/my/payment", page)
        # Once it is paid, nothing is wrong any more.
        self.pay(move)
        self.pull()
        page = self.page(f"/my/invoices/{move.id}")
        self.assertNotIn("Uw bankrekening is opgeheven", page)

    def test_another_resident_sees_none_of_it(self):
        move = self.bill()
        self.sync()
        self.payt.control_comment({"invoice_number": move.name, "text": "Geheim woord"})
        self.pull()
        for url in ("/my/finance", "/my/timeline"):
            text = self.page(url, "payt_other")
            self.assertNotIn(move.name, text)
            self.assertNotIn("Geheim woord", text)

    def test_visitors_have_to_log_in(self):
        self.authenticate(None, None)
        response = self.url_open("/my/timeline", allow_redirects=False)
        self.assertIn(response.status_code, (302, 303))

    def test_the_conversation_in_both_directions(self):
        move = self.bill()
        self.sync()
        response = self.post(
            "/my/timeline/message",
            text="Kan ik <later> betalen?",
            invoice_id=self.mirror(move).id,
        )
        self.assertIn("uw bericht ontvangen", response.text)
        self.assertIn("Kan ik &lt;later&gt; betalen?", response.text)
        message = self.env["payt.message"].search([])
        self.assertEqual((message.kind, message.move_id), ("in", move))
        self.assertTrue(message.is_unread)
        self.env["payt.answer.wizard"].with_context(
            default_message_id=message.id
        ).create({"body": "Ja, dat kan."}).action_send()
        self.sync()
        self.assertIn("Ja, dat kan.", self.page("/my/timeline"))
        self.assertIn("Ja, dat kan.", self.page("/my/finance"))

    def test_a_message_about_somebody_elses_bill_is_refused(self):
        move = self.bill(self.other)
        self.sync()
        response = self.post(
            "/my/timeline/message", text="x", invoice_id=self.mirror(move).id
        )
        self.assertEqual(response.status_code, 404)
        self.assertFalse(self.env["payt.message"].search([]))

    def test_an_empty_or_endless_message_is_not_taken(self):
        self.bill()
        for text in ("  ", "x" * 4001):
            response = self.post("/my/timeline/message", text=text)
            self.assertIn("hoogstens 4000", response.text)
        self.assertFalse(self.env["payt.message"].search([]))

    def test_nobody_floods_us(self):
        self.bill()
        for _number in range(20):
            self.post("/my/timeline/message", text="Weer ik")
        response = self.post("/my/timeline/message", text="En nog een")
        self.assertIn("vandaag veel berichten", response.text)
        self.assertEqual(self.env["payt.message"].search_count([]), 20)

    def test_paper_bills_are_free_by_default(self):
        self.bill()
        self.assertIn("Dit is gratis", self.page("/my/timeline"))
        self.post("/my/timeline/paper")
        request = self.env["onergy.request"].search([("category", "=", "post")])
        self.assertEqual(request.partner_id, self.resident.partner_id)
        self.assertNotIn("kost", str(request.description))
        self.assertEqual(self.env["payt.message"].search([]).kind, "in")

    def test_paper_bills_with_a_fee(self):
        self.connection.paper_fee = 2.5
        self.bill()
        self.assertIn("2,50", self.page("/my/timeline"))
        self.post("/my/timeline/paper")
        request = self.env["onergy.request"].search([("category", "=", "post")])
        self.assertIn("2,50", str(request.description))

    def test_another_advance(self):
        self.bill()
        for typed in ("veel", "-5", "0", "1e9"):
            response = self.post("/my/timeline/advance", amount=typed)
            self.assertIn("Vul een bedrag in", response.text)
        self.post("/my/timeline/advance", amount="€ 95,50")
        request = self.env["onergy.request"].search([("category", "=", "advance")])
        self.assertEqual(len(request), 1)
        self.assertIn("95,50", str(request.description))

    def test_pages_take_few_queries_whatever_the_number_of_bills(self):
        for _number in range(3):
            self.bill()
        self.sync()
        self.page()
        few = self._count_queries("/my/finance")
        for _number in range(9):
            self.bill()
        self.sync()
        self.page()
        self.assertLessEqual(self._count_queries("/my/finance"), few + 3)

    def _count_queries(self, url):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self.url_open(url)
        return self.env.cr.sql_log_count - before

    # --------------------------------------------------------------------------- plan

    def test_a_resident_proposes_to_pay_in_parts(self):
        move = self.bill(amount=100.0)
        self.sync()
        url = f"/my/plan/{self.mirror(move).id}"
        self.assertIn(url, self.page())
        text = " ".join(self.page(url).split())
        self.assertIn("3 maanden", text)
        self.assertIn("33,33", text)
        response = self.post(url, terms="3", reason="Even krap")
        self.assertIn("voorstel", response.text)
        plan = self.env["payt.plan"].sudo().search([])
        self.assertEqual((plan.state, plan.reason), ("proposed", "Even krap"))
        self.assertEqual(plan.asked_invoice_ids, self.mirror(move))
        self.assertEqual(sum(plan.term_ids.mapped("amount")), 100.0)
        self.assertTrue(plan.activity_ids)
        self.assertNotIn(url, self.page())
        self.page(url, status=404)

    def test_a_proposal_has_to_be_complete(self):
        move = self.bill()
        self.sync()
        url = f"/my/plan/{self.mirror(move).id}"
        for data in ({"terms": "99", "reason": "x"}, {"terms": "2", "reason": " "}):
            response = self.post(url, **data)
            self.assertIn("plan_error", response.text)
        self.assertFalse(self.env["payt.plan"].sudo().search([]))

    def test_nobody_asks_a_plan_for_the_bill_of_another(self):
        move = self.bill(self.other)
        self.sync()
        url = f"/my/plan/{self.mirror(move).id}"
        self.page(url, status=404)
        self.assertEqual(self.post(url, terms="2", reason="x").status_code, 404)
        self.assertFalse(self.env["payt.plan"].sudo().search([]))

    def test_plans_can_be_switched_off(self):
        self.connection.plan_max_terms = 0
        move = self.bill()
        self.sync()
        url = f"/my/plan/{self.mirror(move).id}"
        self.assertNotIn(url, self.page())
        self.page(url, status=404)

    def test_what_we_sent_along_is_for_this_resident_only(self):
        move = self.bill()
        self.push()
        file = self.env["ir.attachment"].create(
            {"name": "uitleg.txt", "raw": b"Zo zit het."}
        )
        other = self.env["ir.attachment"].create({"name": "geheim", "raw": b"x"})
        message = self.env["payt.message"]._send(
            self.mirror(move).debtor_id, "Uitleg", "Zie de bijlage.", attachments=file
        )
        url = f"/my/timeline/file/{message.id}/{file.id}"
        self.assertIn(url, self.page("/my/timeline"))
        self.assertEqual(self.page(url), "Zo zit het.")
        self.page(f"/my/timeline/file/{message.id}/{other.id}", status=404)
        self.page(url, login="payt_other", status=404)

    def test_an_overdue_bill_is_called_so_at_both_places(self):
        move = self.bill()
        self.push()
        self.pull()
        self.assertLess(move.invoice_date_due, fields.Date.context_today(move))
        page = self.page()
        self.assertEqual(page.count("Te laat"), 2)
