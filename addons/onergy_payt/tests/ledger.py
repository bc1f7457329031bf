class Ledger:
    """Compares what Odoo, Payt and the payers would each swear to."""

    def settle(self, rounds=40):
        """Let time pass and people press ‘Try again’ until nothing moves any more."""
        for _round in range(rounds):
            stuck = self.operations().filtered(
                lambda o: o.state in ("failed", "unknown")
            )
            stuck.claimed_date = "2025-01-01 00:00:00"
            stuck.filtered(lambda o: o.state == "failed").action_retry()
            crashed = self.operations(state="sending")
            crashed.claimed_date = "2025-01-01 00:00:00"
            self.push()
            self.pull()
            waiting = self.operations().filtered(
                lambda o: o.state not in ("done", "partial", "cancelled")
            )
            if not waiting and not self.payt.faults.pending:
                break

    def check_ledger(self, moves):
        for move in moves:
            self.check_invoice(move)
        self.check_transactions()
        self.check_messages()
        self.check_plans()
        self.check_mandates()
        left = self.operations().filtered(
            lambda o: o.state not in ("done", "partial", "cancelled")
        )
        self.assertFalse(left, left.mapped(lambda o: (o.kind, o.state, o.reason)))

    def check_invoice(self, move):
        found = [
            row
            for row in self.payt.state.invoices.values()
            if row["invoice_number"] == move.name
        ]
        self.assertEqual(len(found), 1, f"{move.name} is {len(found)} times at Payt")
        sign = -1 if move.move_type == "out_refund" else 1
        self.assertAlmostEqual(
            float(found[0]["total_amount"]), sign * move.amount_total
        )
        self.assertAlmostEqual(
            float(found[0]["open_amount"]), sign * move.amount_residual, places=2
        )
        self.assertEqual(bool(found[0].get("blocked")), self.mirror(move)._is_blocked())

    def check_transactions(self):
        payments = self.env["account.payment"].sudo().search([])
        for row in self.payt.state.psp_transactions.values():
            booked = payments.filtered(
                lambda p, row=row: p.payt_transaction_id.payt_id == row["id"]
            )
            transaction = booked.payt_transaction_id
            if row["status"] == "paid":
                self.assertEqual(
                    len(booked), 1, f"{row['id']} booked {len(booked)} times"
                )
                self.assertEqual(booked.amount, float(row["amount"]))
                self.assertFalse(transaction.reversal_move_id)
            elif booked:
                self.assertEqual(transaction.state, "reversed")
                self.assertTrue(transaction.reversal_move_id)

    def check_messages(self):
        at_payt = self.payt.state.messages.values()
        sent = self.env["payt.message"].sudo().search([("kind", "=", "out")])
        self.assertEqual(
            sorted(
                row["content"] for row in at_payt if row["sender_type"] == "creditor"
            ),
            sorted(sent.mapped("body")),
        )
        received = self.env["payt.message"].sudo().search([("kind", "=", "in")])
        self.assertEqual(
            sorted(row["content"] for row in at_payt if row["sender_type"] == "debtor"),
            sorted(received.mapped("body")),
        )

    def check_plans(self):
        """Each plan of Payt is here once, in the same state; no other is."""
        ours = self.env["payt.plan"].sudo().search([("payt_id", "!=", False)])
        self.assertEqual(
            sorted(ours.mapped("payt_id")), sorted(self.payt.state.payment_plans)
        )
        for plan in ours:
            row = self.payt.state.payment_plans[plan.payt_id]
            self.assertEqual(plan.state == "active", bool(row["active"]))
            self.assertFalse(plan.decision, "a decision is still on its way")

    def check_mandates(self):
        """Payt has each mandate in use once, and no other."""
        wanted = self.env["payt.mandate"].sudo().search([("is_wanted", "=", True)])
        self.assertEqual(
            sorted(wanted.mapped("reference")),
            sorted(
                row["mandate_reference"]
                for row in self.payt.state.psp_mandates.values()
            ),
        )
