import ipaddress
from datetime import timedelta

from odoo import SUPERUSER_ID, api, fields, models
from odoo.tools import hmac

WINDOW = timedelta(hours=1)
MAX_PER_LOGIN = 10
MAX_PER_ADDRESS = 30


class OnergyAccessAttempt(models.Model):
    """A refused activation or password: what slows down whoever tries.

    Holds keyed hashes only, so that the table tells nobody who tried what, and a
    name that does not exist counts just like one that does.
    """

    _name = "onergy.access.attempt"
    _description = "Refused activation"
    _log_access = False

    moment = fields.Datetime(required=True, default=fields.Datetime.now, index=True)
    login_key = fields.Char(required=True, index=True)
    address_key = fields.Char(required=True, index=True)

    @api.model
    def _keys(self, login, remote_addr):
        """Return the keys that attempts of this name and address are counted by."""
        return {
            "login_key": hmac(self.env(su=True), "onergy.attempt.login", login),
            "address_key": hmac(
                self.env(su=True), "onergy.attempt.address", _network(remote_addr)
            ),
        }

    @api.model
    def _is_blocked(self, keys):
        """Tell whether this name or this address had too many refusals of late."""
        recent = [("moment", ">", fields.Datetime.now() - WINDOW)]
        limits = {"login_key": MAX_PER_LOGIN, "address_key": MAX_PER_ADDRESS}
        # Both are always counted, for an equally long answer.
        counts = {
            key: self.search_count([(key, "=", keys[key]), *recent], limit=limit)
            for key, limit in limits.items()
        }
        return any(counts[key] >= limit for key, limit in limits.items())

    @api.model
    def _password_keys(self, user):
        """Return the keys of wrong passwords of somebody who is logged in.

        Neighbours behind one address do not lock each other out.
        """
        key = hmac(self.env(su=True), "onergy.attempt.password", str(user.id))
        return {"login_key": key, "address_key": key}

    @api.model
    def _count(self, keys):
        """Count a refusal, also if the error that follows undoes this transaction."""
        self.create(keys)
        registry, name = self.env.registry, self._name

        def count_again():
            with registry.cursor() as cr:
                api.Environment(cr, SUPERUSER_ID, {})[name].create(keys)

        self.env.cr.postrollback.add(count_again)

    @api.autovacuum
    def _gc_attempts(self):
        self.search([("moment", "<=", fields.Datetime.now() - WINDOW)]).unlink()


def _network(remote_addr):
    """Return what counts as one address: an IPv6 user holds a whole /64."""
    try:
        address = ipaddress.ip_address(remote_addr or "")
    except ValueError:
        return ""
    if address.version == 6:
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
