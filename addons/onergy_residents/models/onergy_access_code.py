import logging
import re
import secrets
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import consteq, hmac

_logger = logging.getLogger(__name__)

# Crockford's base 32: no I, L, O and U, so that nobody reads a letter for a digit.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LOOKALIKES = str.maketrans("ILO", "110")
CODE_LENGTH = 16  # 16 x 5 = 80 random bits
GROUP_LENGTH = 4
DEFAULT_VALIDITY_DAYS = 180


class OnergyAccessCode(models.Model):
    """A one-time code with which a resident sets the password of his portal login.

    The code itself is on the letter and nowhere else: the database keeps a hash
    keyed with the database secret. A code is drawn at random from 2**80, hence a
    fast hash is enough and makes the look-up of a code one index access.
    """

    _name = "onergy.access.code"
    _description = "Activation code"
    _order = "id desc"
    _rec_name = "partner_id"
    _rec_names_search = ["partner_id", "user_id.login"]

    partner_id = fields.Many2one(
        "res.partner",
        "Resident",
        required=True,
        index=True,
        ondelete="cascade",
        readonly=True,
    )
    user_id = fields.Many2one(
        "res.users", required=True, index=True, ondelete="cascade", readonly=True
    )
    login = fields.Char(
        "Login name", related="user_id.login", related_sudo=True, readonly=True
    )
    company_id = fields.Many2one(
        "res.company", required=True, index=True, readonly=True
    )
    code_hash = fields.Char(
        required=True, readonly=True, copy=False, groups="base.group_system"
    )
    delivery = fields.Selection(
        [("letter", "Letter"), ("email", "E-mail")], required=True, readonly=True
    )
    issued_date = fields.Datetime(
        "Issued", required=True, readonly=True, default=fields.Datetime.now
    )
    issued_by_id = fields.Many2one(
        "res.users", "Issued by", readonly=True, default=lambda self: self.env.user
    )
    date_expiry = fields.Date(
        "Valid until", required=True, readonly=True, help="The last day it works."
    )
    used_date = fields.Datetime("Used", readonly=True)
    revoked_date = fields.Datetime("Revoked", readonly=True)
    state = fields.Selection(
        [
            ("active", "Waiting for the resident"),
            ("used", "Used"),
            ("revoked", "Revoked"),
            ("expired", "Expired"),
        ],
        compute="_compute_state",
        search="_search_state",
    )

    _code_hash_uniq = models.UniqueIndex("(code_hash)")
    _one_open_per_user = models.UniqueIndex(
        "(user_id) WHERE used_date IS NULL AND revoked_date IS NULL",
        "This login already has a code. Revoke that one first.",
    )

    @api.depends("date_expiry", "used_date", "revoked_date")
    def _compute_state(self):
        today = fields.Date.context_today(self)
        for code in self:
            if code.used_date:
                code.state = "used"
            elif code.revoked_date:
                code.state = "revoked"
            elif code.date_expiry < today:
                code.state = "expired"
            else:
                code.state = "active"

    def _search_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        today = fields.Date.context_today(self)
        unused = Domain("used_date", "=", False)
        is_open = unused & Domain("revoked_date", "=", False)
        domains = {
            "used": ~unused,
            "revoked": unused & Domain("revoked_date", "!=", False),
            "expired": is_open & Domain("date_expiry", "<", today),
            "active": is_open & Domain("date_expiry", ">=", today),
        }
        return Domain.OR(domains[state] for state in value if state in domains)

    # ------------------------------------------------------------------ issuing

    def action_revoke(self):
        """Make the selected codes that still wait for their resident useless."""
        self._check_may_issue()
        self.filtered(lambda code: code.state in ("active", "expired"))._revoke()

    def action_reissue(self):
        """Open the wizard that sends a new code instead of a lost one."""
        return self.partner_id.action_onergy_invite()

    @api.model
    def _check_may_issue(self):
        """A code opens a resident's account, so managers alone hand them out."""
        if not (
            self.env.su or self.env.user.has_group("onergy_residents.group_manager")
        ):
            raise AccessError(
                self.env._("Only managers can issue or revoke activation codes.")
            )

    @api.model
    def _issue(self, partners, delivery):
        """Give residents a new code and, if they have none, a portal login.

        :param partners: ``res.partner`` records of residents
        :param str delivery: ``"letter"`` or ``"email"``
        :return: dict of new ``onergy.access.code`` record -> the code in clear. The
            clear code exists in this answer only: put it on the letter and forget it.
        :raise UserError: a partner is no resident, or works here
        """
        self._check_may_issue()
        partners._onergy_check_can_be_invited()
        # Managers may not write users; _check_may_issue has let them through.
        codes_sudo = self.sudo()
        users = partners.sudo()._onergy_get_or_create_portal_user()
        codes_sudo.search(
            [("user_id", "in", [user.id for user in users.values()])]
        ).filtered(lambda code: code.state in ("active", "expired"))._revoke()
        clear = {partner: self._generate() for partner in partners}
        expiry = fields.Date.context_today(self) + timedelta(days=self._validity_days())
        codes = codes_sudo.create(
            [
                {
                    "partner_id": partner.id,
                    "user_id": users[partner].id,
                    "company_id": partner.sudo()._onergy_get_company().id,
                    "code_hash": self._hash(clear[partner]),
                    "delivery": delivery,
                    "date_expiry": expiry,
                    "issued_by_id": self.env.uid,
                }
                for partner in partners
            ]
        )
        body = (
            self.env._("A letter with a new activation code was printed.")
            if delivery == "letter"
            else self.env._("A new activation code was sent by e-mail.")
        )
        partners._message_log_batch(bodies=dict.fromkeys(partners.ids, body))
        return {
            code.with_env(self.env): clear[code.partner_id.with_env(partners.env)]
            for code in codes
        }

    @api.model
    def _issue_by_mail(self, partners):
        """Issue codes and mail them to the residents.

        The mails are sent within this transaction and deleted in it, so that the codes
        never reach the disk. What cannot be sent is withdrawn.

        :return: the partners whose mail failed
        """
        issued = self._issue(partners, "email")
        codes = self.union(*issued)
        template = self.env.ref("onergy_residents.mail_template_access_code")
        # sudo: managers may not create outgoing mail by hand
        mails = (
            template.sudo()
            .with_context(
                onergy_codes={code.id: clear for code, clear in issued.items()}
            )
            .send_mail_batch(codes.ids)
        )
        mails.send()
        left = mails.exists()
        failed = codes.browse(
            left.filtered(lambda m: m.state != "sent").mapped("res_id")
        )
        left.unlink()
        failed._revoke()
        return failed.partner_id

    def _revoke(self):
        # Written for the system: nobody has write access to codes.
        self.sudo().write({"revoked_date": fields.Datetime.now()})
        # Before the new code is inserted: a login has one open code in the database.
        self.flush_model(["revoked_date"])
        body = self.env._("The activation code was revoked.")
        self.partner_id._message_log_batch(
            bodies=dict.fromkeys(self.partner_id.ids, body)
        )

    @api.model
    def _validity_days(self):
        days = (
            self.env["ir.config_parameter"]
            .sudo()  # a setting that every issuer needs
            .get_param("onergy_residents.access_code_days")
        )
        return int(days or DEFAULT_VALIDITY_DAYS)

    @api.model
    def _generate(self):
        """Return a fresh code as it is printed, for example 7K3M-9QXT-4BVD-2HWN."""
        code = "".join(secrets.choice(ALPHABET) for _position in range(CODE_LENGTH))
        return "-".join(
            code[start : start + GROUP_LENGTH]
            for start in range(0, CODE_LENGTH, GROUP_LENGTH)
        )

    @api.model
    def _hash(self, code):
        """Return the keyed hash of a code as a person typed it."""
        typed = re.sub(r"[^0-9A-Z]", "", (code or "")[:64].upper())
        # sudo: the database secret is the key
        return hmac(self.env(su=True), self._name, typed.translate(LOOKALIKES))

    # --------------------------------------------------------------- activation

    @api.model
    def _verify(self, login, code, remote_addr):
        """Return the open code that this login name and code belong to, or nothing.

        Whatever is wrong (no such name, another's code, expired, used, too many
        attempts from here or for this name) the answer is the same empty record
        set, after the same work. A refusal is counted for the name and the address.

        :param str login: login name as typed
        :param str code: code as typed; case, spaces and dashes do not matter
        :param str remote_addr: address of the visitor
        :return: ``onergy.access.code`` as superuser, with at most one record
        """
        # A visitor has no rights here; what he typed is what he proves himself with.
        self = self.sudo()
        login = (login or "").strip().casefold()[:128]
        attempts = self.env["onergy.access.attempt"]
        keys = attempts._keys(login, remote_addr)
        blocked = attempts._is_blocked(keys)
        found = self.search([("code_hash", "=", self._hash(code))], limit=1)
        matches = consteq(
            hmac(self.env, self._name, login),
            hmac(self.env, self._name, (found.user_id.login or "").casefold()),
        )
        if found and matches and not blocked and found._is_usable():
            return found
        if not blocked:
            attempts.create(keys)
        _logger.info("Activation refused from %s", remote_addr)
        return self.browse()

    def _is_usable(self):
        self.ensure_one()
        return (
            self.state == "active" and self.user_id.active and self.user_id._is_portal()
        )

    def _consume(self):
        """Mark a code that ``_verify`` returned as used; call with the password set.

        :raise UserError: it was used or revoked in the meantime
        """
        self.ensure_one()
        # sudo: the visitor has no rights; ``_verify`` showed that he has the code
        code = self.sudo().try_lock_for_update()
        code.invalidate_recordset()
        if not code or not code._is_usable():
            raise UserError(self.env._("This code has just been used."))
        code.used_date = fields.Datetime.now()
        code.partner_id._message_log(
            body=self.env._("The resident activated the portal login with a code."),
            author_id=code.partner_id.id,
        )
