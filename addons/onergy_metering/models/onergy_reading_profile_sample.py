import io
import json
from datetime import UTC, datetime
from itertools import islice

from odoo import api, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import format_datetime

from ..parsers import ROW_FIELDS, FileError
from .midnights import DAY_ZONE
from .onergy_reading_profile import MAPS, PLAIN


class OnergyReadingProfile(models.Model):
    """The sample of a profile: its preview while it is made, its self-test after."""

    _inherit = "onergy.reading.profile"

    def _read_sample(self, limit=None):
        """Rows of the sample as lists (line, key, ..., reason).

        :raises FileError: when the sample cannot be read
        """
        stream = io.BytesIO((self.sample or "").encode())
        # A fixed moment of arrival, so that the expected rows stay the same.
        received = datetime(2026, 1, 15, 12, tzinfo=UTC)
        rows = self._get_rows(
            stream,
            self.sample_filename or "",
            self.company_id,
            received,
        )
        return [list(row) for row in islice(rows, limit)]

    def _check_sample(self):
        """Reasons why the sample does not pass; empty when it does."""
        self.ensure_one()
        if not (self.sample or "").strip():
            return [self.env._("There is no sample.")]
        try:
            rows = self._read_sample()
        except FileError as error:
            return [self._describe_file_error(error)]
        if not self.expected:
            bad = [row for row in rows if row[9]]
            if not rows or bad:
                return [self.env._("Not every line of the sample can be read.")]
            return []
        expected = [json.loads(x) for x in self.expected.splitlines() if x.strip()]
        if rows != expected:
            return [self.env._("The sample does not give the expected rows.")]
        return []

    @api.depends(
        lambda self: [
            *PLAIN,
            *MAPS,
            "moment_formats",
            "missing_tokens",
            "extra_values",
            "sample",
            "sample_filename",
            "expected",
        ]
    )
    def _compute_preview(self):
        for profile in self:
            rows, error = [], ""
            try:
                rows = profile._read_sample(limit=20) if profile.sample else []
            except FileError as problem:
                error = profile._describe_file_error(problem)
            profile.sample_ok = bool(rows) and not error and not profile._check_sample()
            profile.preview = profile._render_preview(rows, error)

    def _render_preview(self, rows, error=""):
        """HTML table of rows, problems marked; for this form and the upload."""
        Reading = self.env["onergy.reading"]
        words = {
            name: dict(Reading._fields[name]._description_selection(self.env))
            for name in ("register", "status")
        }
        words["reason"] = dict(self.env["onergy.reading.exception"]._get_reasons())
        return self.env["ir.qweb"]._render(
            "onergy_metering.reading_preview",
            {"rows": [self._word_row(row, words) for row in rows], "error": error},
        )

    def _word_row(self, row, words):
        """A row for the eye: words for codes, the time by the clock of the homes."""
        row = dict(zip(ROW_FIELDS, row, strict=True))
        for name, labels in words.items():
            row[name] = labels.get(row[name], row[name])
        if row["moment"]:
            row["moment"] = format_datetime(
                self.env, row["moment"], tz=DAY_ZONE, dt_format="d MMM y HH:mm"
            )
        return row

    def _describe_file_error(self, error):
        reasons = dict(self.env["onergy.reading.import"]._get_file_errors())
        text = reasons.get(error.reason, error.reason)
        return f"{text} {error.detail}".strip()

    @api.constrains("expected")
    def _check_expected(self):
        for profile in self:
            for line in filter(str.strip, (profile.expected or "").splitlines()):
                try:
                    json.loads(line)
                except ValueError:
                    raise ValidationError(
                        self.env._("Not a row of the sample: %s", line)
                    ) from None

    def action_take_expected(self):
        """Make what the preview shows the self-test of the profile."""
        for profile in self:
            try:
                rows = profile._read_sample()
            except FileError as error:
                raise UserError(profile._describe_file_error(error)) from None
            profile.expected = "\n".join(
                json.dumps(row, ensure_ascii=False) for row in rows
            )
