from odoo import models


class OnergyLoggedMixin(models.AbstractModel):
    """Records whose opening by staff is noted in ``onergy.access.log``.

    A form is read with :meth:`web_read` and one record; lists come in by
    :meth:`web_search_read` and are not noted.
    """

    _name = "onergy.logged.mixin"
    _description = "Views by staff are noted"

    #: Fields that a form shows and the choice of a record in another form does not.
    _logged_fields = ()

    def _get_logged_partner(self):
        """Return the resident whom this record is about."""
        return self.partner_id

    def _is_logged(self, specification):
        return bool(
            len(self) == 1
            and self.id
            and not self.env.su
            and self.env.context.get("onergy_log_views", True)
            and any(name in specification for name in self._logged_fields)
            and self.env.user._is_internal()
        )

    def web_search_read(self, *args, **kwargs):
        records = self.with_context(onergy_log_views=False)
        return super(OnergyLoggedMixin, records).web_search_read(*args, **kwargs)

    def web_read(self, specification):
        if not self._is_logged(specification):
            return super().web_read(specification)
        # What the form shows of other records belongs to this view.
        records = self.with_context(onergy_log_views=False)
        values = super(OnergyLoggedMixin, records).web_read(specification)
        # sudo: whose record it is counts, whatever this user may see of contacts
        partner = self.sudo()._get_logged_partner()
        self.env["onergy.access.log"]._note(self, partner, "form")
        return values

    # Unlike Odoo's it writes a line, so it is no work for a replica.
    web_read._readonly = False

    def export_data(self, fields_to_export):
        result = super().export_data(fields_to_export)
        if self.env.user._is_internal() and not self.env.su:
            # sudo: as above
            records = self.sudo().filtered(lambda r: r._get_logged_partner())
            partners = [record._get_logged_partner() for record in records]
            self.env["onergy.access.log"]._note(records, partners, "export")
        return result
