from odoo.tests import tagged

from .common import PaytCommon


@tagged("post_install", "-at_install")
class TestMandate(PaytCommon):
    """Direct debit mandates at Payt follow those of the contracts."""

    def _contract(self, **values):
        site = self.env["onergy.complex"].create({"name": "Test", "code": "M"})
        home = self.env["onergy.connection"].create(
            {
                "complex_id": site.id,
                "street": "Dorpsstraat",
                "house_number": "1",
                "zip": "1234 AB",
                "city": "Utrecht",
            }
        )
        account = self.env["res.partner.bank"].create(
            {"partner_id": self.payer.id, "acc_number": "NL91 ABNA 0417 1643 00"}
        )
        return self.env["onergy.contract"].create(
            {
                "connection_id": home.id,
                "partner_id": self.payer.id,
                "date_start": "2025-01-01",
                "payment_method": "direct_debit",
                "bank_account_id": account.id,
                **values,
            }
        )

    def test_no_mandates_unless_asked(self):
        self._contract()
        self.push()
        self.assertFalse(self.payt.state.psp_mandates)

    def test_a_mandate_is_registered_once_whatever_happens(self):
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)
        self.connection.push_mandates = True
        self.payt.faults.add(
            {"kind": "cut_after", "operation": "POST /v1/psp_mandates"}
        )
        contract = self._contract()
        self.push()
        self.assertEqual(self.operations(kind="mandate").state, "unknown")
        self.push()
        self.assertEqual(self.operations(kind="mandate").state, "done")
        (mandate,) = self.payt.state.psp_mandates.values()
        signed = contract._get_mandate("active")
        self.assertEqual(mandate["mandate_reference"], signed.name)
        self.assertEqual(signed.payt_mandate_ids.state, "registered")
        self.assertEqual(mandate["bank_account_number"], "NL91ABNA0417164300")

    def test_another_account_is_another_mandate(self):
        self.connection.push_mandates = True
        contract = self._contract()
        self.sync()
        first = self.env["payt.mandate"].search([])
        signed = contract._get_mandate("active")
        self.assertEqual((first.state, first.reference), ("registered", signed.name))
        self.assertTrue(first.payt_id)
        contract.bank_account_id = self.env["res.partner.bank"].create(
            {"partner_id": self.payer.id, "acc_number": "NL02 ABNA 0123 4567 89"}
        )
        self.sync()
        self.assertEqual(first.state, "revoked")
        (stored,) = self.payt.state.psp_mandates.values()
        self.assertEqual(stored["bank_account_number"], "NL02ABNA0123456789")
        self.assertNotEqual(stored["mandate_reference"], first.reference)
        self.assertEqual(
            stored["mandate_reference"], contract._get_mandate("active").name
        )

    def test_a_mandate_is_revoked_with_the_direct_debit(self):
        self.connection.push_mandates = True
        contract = self._contract()
        self.push()
        contract.payment_method = "bank_transfer"
        self.push()
        self.assertFalse(self.payt.state.psp_mandates)
        contract.payment_method = "direct_debit"
        self.push()
        self.assertEqual(len(self.payt.state.psp_mandates), 1)
        self.assertEqual(self.env["payt.mandate"].search_count([]), 2)

    def test_a_mandate_signed_on_the_website_goes_to_payt_when_it_starts(self):
        self.connection.push_mandates = True
        contract = self._contract(payment_method="bank_transfer", bank_account_id=False)
        signed = self.env["onergy.mandate"]._sign_new(
            contract, "NL02ABNA0123456789", "E. Bewoner", "portal"
        )
        self.push()
        self.assertEqual(signed.state, "pending")
        self.assertFalse(self.payt.state.psp_mandates)
        signed.sudo()._activate()
        self.push()
        (stored,) = self.payt.state.psp_mandates.values()
        self.assertEqual(stored["mandate_reference"], signed.name)
        self.assertEqual(stored["bank_account_name"], "E. Bewoner")
        signed.sudo()._revoke()
        self.push()
        self.assertFalse(self.payt.state.psp_mandates)

    def test_a_revocation_with_unclear_outcome_is_looked_up(self):
        self.patch(self.env.registry["payt.push"], "_look_up_after", lambda push: 0)
        self.connection.push_mandates = True
        contract = self._contract()
        self.push()
        for kind in ("cut_after", "cut_before"):
            with self.subTest(kind=kind):
                self.payt.faults.add(
                    {"kind": kind, "operation": "DELETE /v1/psp_mandates"}
                )
                contract.payment_method = "bank_transfer"
                self.push()
                self.assertEqual(self.operations(state="unknown").kind, "mandate")
                self.push()
                self.push()
                self.assertFalse(self.payt.state.psp_mandates)
                self.assertFalse(self.operations(state="unknown"))
                contract.payment_method = "direct_debit"
                self.push()

    def test_a_mandate_that_was_never_sent_is_not_revoked(self):
        self.connection.push_mandates = True
        contract = self._contract()
        contract.payment_method = "bank_transfer"
        self.push()
        self.assertFalse(self.payt.counts["POST /v1/psp_mandates"])
        self.assertFalse(self.payt.counts["DELETE /v1/psp_mandates"])

    def test_switching_mandates_on_registers_those_there_are(self):
        self._contract()
        self.connection.push_mandates = True
        self.push()
        self.assertEqual(len(self.payt.state.psp_mandates), 1)

    def test_a_mandate_revoked_at_payt_calls_a_person(self):
        self.connection.push_mandates = True
        self._contract()
        self.sync()
        (row,) = self.payt.state.psp_mandates.values()
        with self.payt.locked() as state:
            state.delete(
                "psp_mandates",
                row,
                debtor_id=row["debtor_id"],
                mandate_identifier=row["mandate_identifier"],
                provider=row["provider"],
            )
        self.connection.cursor_ids.sudo().last_run = False
        self.pull()
        mandate = self.env["payt.mandate"].search([])
        self.assertEqual(mandate.state, "revoked")
        self.assertTrue(mandate.debtor_id.activity_ids)

    def test_a_mandate_given_at_payt_is_shown(self):
        self.connection.push_mandates = True
        move = self.invoice()
        self.sync()
        with self.payt.locked() as state:
            state.insert(
                "psp_mandates",
                {
                    "debtor_id": self.at_payt(move)["debtor_id"],
                    "bank_account_name": "Bewoner",
                    "bank_account_number": "NL02ABNA0123456789",
                    "mandate_identifier": "mdt_1",
                    "provider": "twikey",
                },
            )
        self.pull()
        self.pull()
        mandate = self.env["payt.mandate"].search([])
        self.assertTrue(mandate.given_at_payt)
        self.assertFalse(mandate.contract_id)
        self.assertTrue(self.mirror(move).debtor_id.activity_ids)
