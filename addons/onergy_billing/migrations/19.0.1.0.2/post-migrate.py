from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Tell what takes a credited bill back, and what was billed anew after it.

    Until now that followed from the run: what takes a bill back was put in the run that
    had made the bill.
    """
    cr.execute(
        """
        UPDATE onergy_settlement back
           SET takes_back_id = bill.id, run_id = NULL
          FROM onergy_settlement bill, account_move credit
         WHERE credit.id = back.move_id AND credit.reversed_entry_id = bill.move_id
           AND back.state = 'posted' AND bill.state = 'posted'
           AND back.original_id IN (bill.id, bill.original_id)
           AND back.run_id = bill.run_id AND back.amount_total = -bill.amount_total
        """
    )
    env = api.Environment(cr, SUPERUSER_ID, {})
    Settlement = env["onergy.settlement"]
    credited = Settlement.search([("takes_back_id", "!=", False)]).original_id
    for original in credited:
        is_billed = True
        for settlement in original.correction_ids.sorted("id"):
            if settlement.takes_back_id:
                if settlement.takes_back_id == original or (
                    settlement.takes_back_id.is_anew
                ):
                    is_billed = False
            elif not is_billed and settlement.state != "cancelled":
                settlement.is_anew = is_billed = True
