from odoo import models
from odoo.tools import SQL


class OnergyWorkbookBuilder(models.AbstractModel):
    _inherit = "onergy.workbook.builder"

    def _get_settlements(self, workbook):
        """SQL condition: settlements whose invoice lies in the period."""
        return SQL(
            "s.state = 'posted' AND s.company_id = %s AND m.date BETWEEN %s AND %s",
            workbook.company_id.id,
            workbook.date_from,
            workbook.date_to,
        )

    def _write_use(self, workbook, book):
        _ = self.env._
        condition = self._get_settlements(workbook)
        return self._write_list(
            workbook,
            book,
            (_("5 Use"), _("Use per address, with readings")),
            [
                (_("Address"), "wide", False),
                (_("Contract"), "text", False),
                (_("Meter"), "text", False),
                (_("Day"), "date", False),
                (_("Reading (GJ)"), "number", False),
                (_("Basis"), "text", False),
                (_("Use since (GJ)"), "number", True),
                (_("A year before, corrected (GJ)"), "number", False),
            ],
            SQL(
                """
                SELECT address, contract, serial, day, value, label,
                       CASE WHEN previous IS NOT NULL THEN
                            CASE WHEN value >= previous THEN value - previous
                                 ELSE NULL END END,
                       CASE WHEN is_first THEN before END
                  FROM (
                    SELECT c.name AS address, k.name AS contract, r.serial, r.day,
                           r.value AS value, b.label,
                           lag(r.value) OVER w AS previous,
                           row_number() OVER (PARTITION BY s.id
                                              ORDER BY r.sequence) = 1 AS is_first,
                           NULLIF(s.use_before, 0) AS before,
                           s.id, r.sequence
                      FROM onergy_settlement_reading r
                      JOIN onergy_settlement s ON s.id = r.settlement_id
                      JOIN account_move m ON m.id = s.move_id
                      JOIN onergy_contract k ON k.id = s.contract_id
                      JOIN onergy_connection c ON c.id = s.connection_id
                      LEFT JOIN (VALUES %s) b(value, label) ON b.value = r.basis
                     WHERE s.original_id IS NULL AND %s
                    WINDOW w AS (PARTITION BY s.id, r.serial, r.component
                                 ORDER BY r.sequence)
                  ) rows
                 ORDER BY address, id, sequence
                """,
                self._labels("onergy.settlement.reading", "basis"),
                condition,
            ),
            (
                6,
                SQL(
                    """
                    SELECT sum(quantity) FROM (
                        SELECT l.quantity FROM onergy_settlement_line l
                          JOIN onergy_settlement s ON s.id = l.settlement_id
                          JOIN account_move m ON m.id = s.move_id
                         WHERE l.unit = 'gj' AND s.original_id IS NULL AND %(is_due)s
                         UNION ALL
                        -- By actual costs: what these were shared out by.
                        SELECT c.use_heat + c.use_cooling FROM onergy_cost_share c
                          JOIN onergy_settlement s ON s.cost_share_id = c.id
                          JOIN account_move m ON m.id = s.move_id
                         WHERE s.original_id IS NULL AND %(is_due)s) billed
                    """,
                    is_due=condition,
                ),
            ),
            _("Differences of the readings are the GJ that were billed."),
            _("A register that started again at zero in the period breaks this."),
        )

    def _write_settlements(self, workbook, book):
        _ = self.env._
        condition = self._get_settlements(workbook)
        components = SQL(", ").join(
            SQL("sum(l.amount) FILTER (WHERE l.component IN %s)", group)
            for group in (
                ("heat",),
                ("cooling",),
                ("standing",),
                ("metering",),
                ("delivery_set",),
                ("service_fixed", "service_metered"),
            )
        )
        return self._write_list(
            workbook,
            book,
            (_("6 Settlements"), _("Settlements in the period")),
            [
                (_("Address"), "wide", False),
                (_("Payer"), "wide", False),
                (_("From"), "date", False),
                (_("Until"), "date", False),
                (_("Document"), "text", False),
                (_("Heat"), "money", True),
                (_("Cooling"), "money", True),
                (_("Standing charge"), "money", True),
                (_("Metering charge"), "money", True),
                (_("Rent of the delivery set"), "money", True),
                (_("Service costs"), "money", True),
                (_("Supply incl. VAT"), "money", True),
                (_("VAT on the supply"), "money", True),
                (_("Advances incl. VAT"), "money", True),
                (_("VAT on the advances"), "money", True),
                (_("Compensation"), "money", True),
                (_("To pay"), "money", True),
            ],
            SQL(
                """
                SELECT c.name, p.name, s.date_from, s.date_to, m.name, %s,
                       s.amount_supply, s.vat_supply,
                       s.amount_advances, s.vat_advances,
                       s.amount_compensation, s.amount_total
                  FROM onergy_settlement s
                  JOIN account_move m ON m.id = s.move_id
                  JOIN onergy_connection c ON c.id = s.connection_id
                  JOIN res_partner p ON p.id = s.partner_id
                  LEFT JOIN onergy_settlement_line l ON l.settlement_id = s.id
                 WHERE %s
                 GROUP BY s.id, c.name, p.name, m.name
                 ORDER BY c.name, s.date_from, s.id
                """,
                components,
                condition,
            ),
            (
                16,
                SQL(
                    """
                    SELECT sum(l.balance) FROM account_move_line l
                      JOIN account_account a ON a.id = l.account_id
                      JOIN account_move m ON m.id = l.move_id
                     WHERE a.account_type = 'asset_receivable'
                       AND m.onergy_move_kind = 'settlement' AND m.state = 'posted'
                       AND m.company_id = %s AND m.date BETWEEN %s AND %s
                    """,
                    workbook.company_id.id,
                    workbook.date_from,
                    workbook.date_to,
                ),
            ),
            _("To pay is what these invoices put on the debtors' accounts."),
            _(
                "Look for a bill of the kind Settlement that was entered by hand, or "
                "one that was cancelled."
            ),
        )
