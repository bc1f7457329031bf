from odoo import fields


class UncheckedMany2one(fields.Many2one):
    """A many2one without a foreign key in the database.

    For tables that take hundreds of thousands of rows at a time and are either
    derived (they can be rebuilt) or name their import as an audit trail: checking
    every row costs as much as all other work together.
    """

    def update_db_foreign_key(self, model, column):
        return
