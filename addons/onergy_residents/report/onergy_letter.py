from odoo import api, models


class OnergyLetter(models.AbstractModel):
    """What the letters in a window envelope share."""

    _name = "onergy.letter"
    _description = "Letter in a window envelope"

    @api.model
    def _get_address_lines(self, partner):
        """Return the lines in the window of the envelope, after the name.

        Post goes to the contact's own address; a resident without one is reached at
        the home he pays for.
        """
        contact = self.env["res.partner"].browse(
            partner.address_get(["invoice"])["invoice"]
        )
        if contact.street:
            lines = [
                contact.street,
                contact.street2,
                "  ".join(filter(None, [contact.zip, (contact.city or "").upper()])),
            ]
            country = contact.country_id
        else:
            contracts = partner.onergy_contract_ids
            home = (
                contracts.filtered(lambda c: c.state == "running")[:1] or contracts[:1]
            ).connection_id
            lines = [
                home._get_street_line(),
                "  ".join(filter(None, [home.zip, (home.city or "").upper()])),
            ]
            country = home.country_id
        if country and country != self.env.company.country_id:
            lines.append((country.name or "").upper())
        return [line for line in lines if line]
