from datetime import datetime

from dateutil.relativedelta import relativedelta
from werkzeug.exceptions import NotFound

from odoo import fields
from odoo.exceptions import AccessError, MissingError
from odoo.http import request, route
from odoo.tools import email_normalize

from ..models.onergy_connection import POSTCODE
from ..models.onergy_move import OPEN_STATES
from .portal import OnergyPortal

MOVE_URL = "/my/move"
MAX_CHARACTERS = 120
#: Nobody knows his last day longer ahead than this.
MAX_MONTHS_AHEAD = 12
#: What a browser sends, and what people type where there is no date picker.
DATE_FORMATS = ("%Y-%m-%d", "%d-%m-%Y", "%d/%m/%Y", "%d.%m.%Y")

#: The questions that are asked, one a page, per kind of move.
STEPS = {
    "move_out": ("date", "address", "next"),
    "sale": ("date", "address", "next"),
    "death": ("heirs", "enddate"),
}


def read_date(text):
    """Return the date that somebody typed, nothing if it is none."""
    for date_format in DATE_FORMATS:
        try:
            return datetime.strptime((text or "").strip(), date_format).date()
        except ValueError:
            continue
    return None


class OnergyPortalMove(OnergyPortal):
    """Where a resident reports that he moves: one question a page."""

    # ------------------------------------------------------------------
    # START
    # ------------------------------------------------------------------

    @route(
        MOVE_URL,
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        readonly=True,
    )
    def portal_my_move(self, done=None, **kw):
        return self._render_move_start(done=done, **kw)

    def _render_move_start(self, errors=None, typed=None, done=None, **kw):
        values = self._prepare_onergy_values("data", kw.get("contract_id"))
        homes = values["contracts"].filtered(lambda c: c.state != "ended")
        Move = request.env["onergy.move"]
        moves = Move
        if Move.has_access("read"):
            # The domain repeats the record rule, for staff who read every move.
            moves = Move.search(
                Move._get_open_domain(request.env.user.partner_id),
                order="create_date desc",
                limit=20,
            )
        values.update(
            homes=homes,
            moves=moves,
            kinds=self._get_kind_choices(homes),
            errors=errors or {},
            typed=typed or {},
            done=done,
        )
        return request.render("onergy_residents.portal_my_move", values)

    def _get_kind_choices(self, homes):
        """Return (value, label, explanation) of what can be reported here."""
        choices = [
            (
                "move_out",
                request.env._("I am moving"),
                request.env._("You leave this home."),
            ),
        ]
        if "owner_occupier" in homes.mapped("role"):
            choices.append(
                (
                    "sale",
                    request.env._("I have sold my home"),
                    request.env._("The home gets a new owner."),
                )
            )
        return [
            *choices,
            (
                "death",
                request.env._("The account holder has died"),
                request.env._("You arrange this for somebody else."),
            ),
        ]

    @route(MOVE_URL, type="http", auth="user", website=True, methods=["POST"])
    def portal_start_move(self, kind="", **post):
        contract = self._get_selected_contract(post.get("contract_id"))
        if not contract or contract.state == "ended":
            raise NotFound()
        allowed = [choice[0] for choice in self._get_kind_choices(contract)]
        if kind not in allowed:
            error = request.env._("Choose what you want to tell us.")
            return self._render_move_start({"kind": error}, post, **post)
        # sudo: residents may not write moves; the contract is his own, see above
        Move = request.env["onergy.move"].sudo()
        existing = Move.search(
            [
                ("contract_id", "=", contract.id),
                ("kind", "=", kind),
                ("state", "in", ("draft", "reported", "checked")),
            ],
            limit=1,
        )
        if existing.state in ("reported", "checked"):
            return request.redirect(existing.access_url, code=303)
        move = existing or Move.create(
            {
                "kind": kind,
                "channel": "portal",
                "state": "draft",
                "contract_id": contract.id,
                "partner_id": contract.partner_id.id,
            }
        )
        return request.redirect(self._get_step_url(move, self._get_steps(move)[0]), 303)

    # ------------------------------------------------------------------
    # STEPS
    # ------------------------------------------------------------------

    def _get_steps(self, move):
        """Return the names of the questions of this move, in order.

        Another addon adds its own; ``_get_step_template`` and ``_check_step_<name>``
        belong to each.
        """
        return list(STEPS.get(move.kind, ("date", "next")))

    def _get_step_template(self, step):
        return f"onergy_residents.portal_move_step_{step}"

    def _get_step_url(self, move, step):
        return f"{move.access_url}/{step}"

    def _get_move(self, move_id):
        """Return the move as superuser, or nothing if it is not his to see."""
        try:
            return self._document_check_access("onergy.move", move_id)
        except (AccessError, MissingError):
            return None

    def _get_own_move(self, move_id):
        """Return the move if he may change it; staff do that in the backend."""
        return None if request.env.user._is_internal() else self._get_move(move_id)

    def _get_open_steps(self, move):
        """Return the questions whose answers can be given or changed now."""
        return self._get_steps(move) if move.state in OPEN_STATES else []

    @route(
        f"{MOVE_URL}/<int:move_id>/<string:step>",
        type="http",
        auth="user",
        website=True,
        methods=["GET", "POST"],
        sitemap=False,
    )
    def portal_move_step(self, move_id, step, **post):
        move = self._get_own_move(move_id)
        if not move or step not in self._get_open_steps(move):
            return request.redirect(MOVE_URL)
        if request.httprequest.method == "GET":
            return self._render_step(move, step, back=post.get("back"))
        vals, errors = getattr(self, f"_check_step_{step}")(move, post)
        if errors:
            return self._render_step(move, step, post, errors, post.get("back"))
        move.write(vals)
        if move.state != "draft":
            move._changed_by_resident()
            return self._move_done(move, "changed")
        steps = self._get_steps(move)
        later = steps[steps.index(step) + 1 :]
        if post.get("back") or not later:
            return request.redirect(move.access_url, code=303)
        return request.redirect(self._get_step_url(move, later[0]), code=303)

    def _render_step(self, move, step, typed=None, errors=None, back=None):
        steps = self._get_steps(move)
        index = steps.index(step)
        values = self._prepare_onergy_values("data")
        values.update(
            move=move,
            step=step,
            step_number=index + 1,
            step_count=len(steps) + 1,
            previous_url=(
                move.access_url
                if back or move.state != "draft"
                else self._get_step_url(move, steps[index - 1])
                if index
                else MOVE_URL
            ),
            back=back,
            is_sent=move.state != "draft",
            typed=typed if typed is not None else self._get_typed(move),
            errors=errors or {},
            max_text=1000,
            **self._prepare_step_values(move, step),
        )
        return request.render(self._get_step_template(step), values)

    def _prepare_step_values(self, move, step):
        """Hook: what the page of another addon's question needs."""
        return {}

    def _get_typed(self, move):
        """Return what was answered before, as the fields of the forms."""
        names = (
            "new_street",
            "new_zip",
            "new_city",
            "next_kind",
            "next_name",
            "next_email",
            "next_phone",
            "contact_name",
            "contact_email",
            "contact_phone",
            "note",
        )
        typed = {name: move[name] or "" for name in names}
        if not move._is_next_told_by_payer():
            typed.update(next_name="", next_email="", next_phone="")
        for name in ("date_end", "next_date", "date_death"):
            typed[name] = fields.Date.to_string(move[name]) or ""
        # Nothing is chosen before the resident chooses.
        if move.state == "draft" and not move.next_name and not move.note:
            typed["next_kind"] = move.next_kind if move.next_kind != "unknown" else ""
        return typed

    # ------------------------------------------------------------------
    # ANSWERS
    # ------------------------------------------------------------------

    def _read_texts(self, post, *names):
        return {name: (post.get(name) or "").strip()[:MAX_CHARACTERS] for name in names}

    def _check_date(self, move, text, errors, name="date_end"):
        """Return the last day that was typed, or say what is wrong with it."""
        day = read_date(text)
        today = fields.Date.context_today(move)
        start = move.contract_id.date_start
        if not day:
            errors[name] = request.env._(
                "Fill in a date, for example %(example)s.",
                example=self._format_date(today),
            )
        elif start and day < start:
            errors[name] = request.env._(
                "Your contract for this home started on %(day)s. Fill in a later date.",
                day=self._format_date(start),
            )
        elif day > today + relativedelta(months=MAX_MONTHS_AHEAD):
            errors[name] = request.env._(
                "This is more than a year away. Tell us when the date is closer."
            )
        return day

    def _check_step_date(self, move, post):
        errors = {}
        day = self._check_date(move, post.get("date_end"), errors)
        return {"date_end": day}, errors

    def _check_step_enddate(self, move, post):
        """After a death the end may be unknown: the contract then goes on."""
        errors = {}
        if post.get("end_known") == "no":
            return {"date_end": False}, errors
        if post.get("end_known") != "yes":
            errors["end_known"] = request.env._("Choose one of the two.")
            return {}, errors
        return {
            "date_end": self._check_date(move, post.get("date_end"), errors)
        }, errors

    def _check_step_address(self, move, post):
        vals = self._read_texts(post, "new_street", "new_zip", "new_city")
        errors = {}
        self._check_address(vals, errors)
        return vals, errors

    def _check_address(self, vals, errors):
        if not vals["new_street"]:
            errors["new_street"] = request.env._("Fill in the street and house number.")
        if not vals["new_city"]:
            errors["new_city"] = request.env._("Fill in the town.")
        digits = sum(char.isdigit() for char in vals["new_zip"])
        if not vals["new_zip"]:
            errors["new_zip"] = request.env._("Fill in the postcode.")
        elif digits == 4 and not POSTCODE.fullmatch(vals["new_zip"]):
            errors["new_zip"] = request.env._(
                "This is not a Dutch postcode. Write it as 1234 AB."
            )

    def _check_step_next(self, move, post):
        texts = self._read_texts(post, "next_name", "next_email", "next_phone")
        vals = {"next_kind": post.get("next_kind"), **texts, "next_date": False}
        vals["note"] = (post.get("note") or "").strip()[:1000]
        errors = {}
        if vals["next_kind"] not in ("resident", "owner", "unknown"):
            errors["next_kind"] = request.env._("Choose one of the answers.")
        if vals["next_kind"] != "resident":
            return {**vals, **dict.fromkeys(texts, False)}, errors
        if not texts["next_name"]:
            errors["next_name"] = request.env._("Fill in the name.")
        self._check_email(texts["next_email"], "next_email", errors)
        if post.get("next_date"):
            vals["next_date"] = read_date(post["next_date"])
            if not vals["next_date"] or (
                move.date_end and vals["next_date"] <= move.date_end
            ):
                errors["next_date"] = request.env._(
                    "Fill in a date after your last day, or leave this empty."
                )
        return vals, errors

    def _check_email(self, email, name, errors):
        if email and not email_normalize(email):
            errors[name] = request.env._(
                "This is not an e-mail address. Write it as name@example.com."
            )

    def _check_step_heirs(self, move, post):
        vals = self._read_texts(
            post,
            "contact_name",
            "contact_email",
            "contact_phone",
            "new_street",
            "new_zip",
            "new_city",
        )
        errors = {}
        if not vals["contact_name"]:
            errors["contact_name"] = request.env._(
                "Fill in the name of the person we can write to."
            )
        self._check_email(vals["contact_email"], "contact_email", errors)
        if vals["new_street"] or vals["new_zip"] or vals["new_city"]:
            self._check_address(vals, errors)
        elif not vals["contact_email"]:
            errors["contact_email"] = request.env._(
                "Fill in an e-mail address, or a postal address below."
            )
        vals["date_death"] = False
        if post.get("date_death"):
            vals["date_death"] = read_date(post["date_death"])
            today = fields.Date.context_today(move)
            if not vals["date_death"] or vals["date_death"] > today:
                errors["date_death"] = request.env._(
                    "Fill in a date that is not after today, or leave this empty."
                )
        return vals, errors

    # ------------------------------------------------------------------
    # CHECK, SEND, WITHDRAW
    # ------------------------------------------------------------------

    @route(
        f"{MOVE_URL}/<int:move_id>",
        type="http",
        auth="user",
        website=True,
        methods=["GET"],
        sitemap=False,
        readonly=True,
    )
    def portal_move(self, move_id, done=None, **kw):
        move = self._get_move(move_id)
        if not move:
            return request.redirect(MOVE_URL)
        missing = self._get_missing_step(move)
        if move.state == "draft" and missing:
            return request.redirect(self._get_step_url(move, missing))
        values = self._prepare_onergy_values("data")
        is_own = not request.env.user._is_internal()
        open_steps = self._get_open_steps(move) if is_own else []
        values.update(
            move=move,
            lines=move._get_report_lines(),
            steps=[
                (self._get_step_label(step), self._get_step_url(move, step))
                for step in open_steps
            ],
            step_count=len(self._get_steps(move)) + 1,
            can_change=is_own and move.state in OPEN_STATES,
            done=done if done in ("sent", "changed", "cancelled") else None,
        )
        return request.render("onergy_residents.portal_move_overview", values)

    def _get_step_label(self, step):
        """Return the text of the link by which an answer is changed."""
        return {
            "date": request.env._("Change the last day"),
            "enddate": request.env._("Change the last day"),
            "address": request.env._("Change the new address"),
            "next": request.env._("Change who comes next"),
            "heirs": request.env._("Change the contact"),
        }[step]

    def _get_missing_step(self, move):
        """Return the first question that must be answered and was not."""
        if move.kind == "death":
            return None if move.contact_name else "heirs"
        if not move.date_end:
            return "date"
        return None if move.new_street or move.kind == "landlord" else "address"

    @route(
        f"{MOVE_URL}/<int:move_id>/send",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_send_move(self, move_id, **post):
        move = self._get_own_move(move_id)
        if not move or move.state not in OPEN_STATES:
            return request.redirect(MOVE_URL)
        if missing := self._get_missing_step(move):
            return request.redirect(self._get_step_url(move, missing))
        if move.state == "draft":
            move._send_report()
        return self._move_done(move, "sent")

    @route(
        f"{MOVE_URL}/<int:move_id>/cancel",
        type="http",
        auth="user",
        website=True,
        methods=["POST"],
        sitemap=False,
    )
    def portal_cancel_move(self, move_id, **post):
        move = self._get_own_move(move_id)
        if move and move.state in OPEN_STATES:
            move._cancel_by_resident()
        return request.redirect(f"{MOVE_URL}?done=cancelled", code=303)

    def _move_done(self, move, what):
        return request.redirect(f"{move.access_url}?done={what}", code=303)
