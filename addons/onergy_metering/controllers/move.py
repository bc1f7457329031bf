from base64 import b64encode

from odoo import fields
from odoo.http import request

from odoo.addons.onergy_residents.controllers.move import OnergyPortalMove

from ..models.onergy_contract_entry import _read_number
from .portal import MAX_PHOTO, PHOTO_MARKS


class MeteringPortalMove(OnergyPortalMove):
    """The question for the reading of the last day."""

    def _get_steps(self, move):
        steps = super()._get_steps(move)
        if move.kind != "landlord" and move._get_meters_by_hand():
            steps.append("reading")
        return steps

    def _get_open_steps(self, move):
        """A reading may also be given after the move was carried out."""
        steps = super()._get_open_steps(move)
        if move._takes_closing_reading() and "reading" in self._get_steps(move):
            return ["reading"]
        return steps

    def _get_step_template(self, step):
        if step == "reading":
            return "onergy_metering.portal_move_step_reading"
        return super()._get_step_template(step)

    def _get_step_label(self, step):
        if step == "reading":
            return request.env._("Fill in or change the reading")
        return super()._get_step_label(step)

    def _prepare_step_values(self, move, step):
        values = super()._prepare_step_values(move, step)
        if step != "reading":
            return values
        today = fields.Date.context_today(move.with_context(tz="Europe/Amsterdam"))
        known = {r.meter_id: r.value for r in move.closing_reading_ids}
        return {
            **values,
            "meters": [
                {
                    "id": meter.id,
                    "serial": meter.serial,
                    "unit": move._get_closing_unit(meter),
                    "value": f"{known[meter]:.3f}".replace(".", ",")
                    if meter in known
                    else "",
                }
                for meter in move._get_meters_by_hand()
            ],
            "too_early": bool(move.date_end and move.date_end > today),
        }

    def _check_step_reading(self, move, post):
        """Take in a reading for each meter; an empty one may follow later."""
        errors, readings = {}, []
        if move._get_closing_moment() is None:
            return {}, errors
        for meter in move._get_meters_by_hand():
            name = f"reading_{meter.id}"
            text = (post.get(name) or "").strip()
            if not text:
                continue
            value = _read_number(text)
            if value is None:
                errors[name] = request.env._(
                    "This is not a number. Type only digits and a comma, for example "
                    "123,456."
                )
            elif (
                not post.get(f"confirmed_{meter.id}")
                and move._judge_reading(meter, value) == "doubtful"
            ):
                errors[name] = request.env._(
                    "This reading does not fit the one before. Please look at the "
                    "meter once more. Is it right? Then send it again."
                )
                errors[f"doubtful_{meter.id}"] = True
            readings.append((meter, value, self._read_photo(post, meter, errors)))
        if not errors:
            for meter, value, photo in readings:
                move._set_closing_reading(meter, value, photo)
        return {}, errors

    def _read_photo(self, post, meter, errors):
        """Return the picture of a meter as base64, nothing when there is none."""
        upload = post.get(f"photo_{meter.id}")
        if not upload or not getattr(upload, "filename", ""):
            return None
        picture = upload.read(MAX_PHOTO + 1)
        if len(picture) > MAX_PHOTO or not picture.startswith(PHOTO_MARKS):
            errors[f"photo_{meter.id}"] = request.env._(
                "We cannot open this picture. Send a photo of at most 10 MB."
            )
            return None
        return b64encode(picture)
