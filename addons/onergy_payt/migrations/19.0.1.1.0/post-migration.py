"""Tell apart who paused an invoice, and under which payer Payt has it."""


def migrate(cr, version):
    # One mark stood for both; confirming the invoice again lifts only our own.
    cr.execute(
        """
        UPDATE payt_invoice invoice
           SET is_taken_back = true, is_disputed = false
          FROM account_move move
         WHERE move.id = invoice.move_id
           AND move.state != 'posted'
           AND invoice.is_disputed
        """
    )
    # The payer was that of the invoice, which may have changed after it was sent.
    cr.execute(
        """
        UPDATE payt_invoice invoice
           SET partner_id = debtor.partner_id
          FROM payt_debtor debtor
         WHERE debtor.id = invoice.debtor_id
           AND invoice.partner_id IS DISTINCT FROM debtor.partner_id
        """
    )
