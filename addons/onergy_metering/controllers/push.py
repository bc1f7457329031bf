import io

from odoo import http
from odoo.exceptions import AccessError
from odoo.http import request

MAX_BYTES = 64 * 1024 * 1024

#: What curl and browsers say of a body when they are not told.
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class ReadingPush(http.Controller):
    @http.route(
        "/onergy/metering/push",
        type="http",
        auth="bearer",
        methods=["POST"],
        csrf=False,
        save_session=False,
        max_content_length=MAX_BYTES,
    )
    def push(self, filename="push", profile=None, **_kw):
        """Import the body of the request as one reading file.

        The sender authenticates with an API key of a user of the metering role. The
        same content again is answered with the receipt of the first time.

        :param filename: name of the file, for profiles that look at it
        :param profile: code of the profile; found by the content when not given
        :return: JSON receipt; 200, or 422 when the file as a whole cannot be read or
            no profile has that code, 415 when it was sent as a form
        """
        env = request.env
        if not env.user.has_group("onergy_residents.group_metering"):
            raise AccessError(env._("This user may not deliver readings."))
        if request.httprequest.mimetype in FORMS:
            # Taken apart as a form before it gets here: the file itself is gone.
            message = env._(
                "Send the file as it is, not as a form: with the header Content-Type: "
                "text/csv, or application/octet-stream."
            )
            return self._refuse(message, 415)
        found = self._find_profile(profile)
        if profile and not found:
            message = env._("No profile in use has the code %s.", profile)
            return self._refuse(message, 422)
        record = env["onergy.reading.import"]._import_stream(
            # Kept by the request, so that a retry after a collision reads it again.
            io.BytesIO(request.httprequest.get_data()),
            filename[:100],
            "push",
            profile=found,
        )
        original = record.duplicate_of_id or record
        return request.make_json_response(
            {
                "import": original.id,
                "state": record.state,
                "sha256": record.content_hash,
                "rows": original.rows_total,
                "new": original.rows_new,
                "known": original.rows_same,
                "set_aside": original.rows_bad,
                "message": record.summary,
            },
            status=422 if record.state == "failed" else 200,
        )

    def _refuse(self, message, status):
        return request.make_json_response(
            {"state": "failed", "message": message}, status=status
        )

    def _find_profile(self, code):
        profiles = request.env["onergy.reading.profile"]
        if not code:
            return profiles
        return profiles.search([("code", "=", code), ("state", "=", "active")], limit=1)
