import hashlib
import logging
import os
from datetime import UTC
from zoneinfo import ZoneInfo

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_datetime

from ..parsers import FileError
from .midnights import DAY_ZONE

_logger = logging.getLogger(__name__)

_CHUNK = 1 << 20


class OnergyReadingImport(models.Model):
    """One run of the pipeline over one file: what came in and what came of it."""

    _name = "onergy.reading.import"
    _description = "Reading import"
    _inherit = ["mail.thread"]
    _order = "id desc"
    _rec_name = "filename"

    company_id = fields.Many2one(
        "res.company",
        required=True,
        index=True,
        readonly=True,
        default=lambda self: self.env.company,
    )
    filename = fields.Char("File", readonly=True, required=True)
    channel = fields.Selection(
        [
            ("file", "Watched folder"),
            ("upload", "Upload"),
            ("push", "Push"),
            ("cli", "Command line"),
            ("manual", "Entered by staff"),
            ("portal", "Entered by resident"),
            ("demo", "Demonstration"),
        ],
        required=True,
        readonly=True,
    )
    profile_id = fields.Many2one(
        "onergy.reading.profile", ondelete="set null", readonly=True
    )
    profile_version = fields.Integer(readonly=True, aggregator=None)
    state = fields.Selection(
        [
            ("running", "Running"),
            ("done", "Done"),
            ("duplicate", "Imported before"),
            ("failed", "Failed"),
        ],
        default="running",
        required=True,
        readonly=True,
        tracking=True,
        index=True,
    )
    content_hash = fields.Char("SHA-256", readonly=True, index="btree_not_null")
    file_size = fields.Integer("Size (bytes)", readonly=True)
    duplicate_of_id = fields.Many2one(
        "onergy.reading.import", readonly=True, ondelete="set null"
    )
    date_start = fields.Datetime(
        "Started", readonly=True, default=fields.Datetime.now, index=True
    )
    date_end = fields.Datetime("Ended", readonly=True)
    received = fields.Datetime(
        "Arrived",
        readonly=True,
        help="When the file was written or sent; the time of its readings where the "
        "file itself holds none.",
    )
    rows_total = fields.Integer("Rows", readonly=True)
    rows_new = fields.Integer("New readings", readonly=True)
    rows_same = fields.Integer("Known already", readonly=True)
    rows_bad = fields.Integer("Set aside", readonly=True)
    rows_listed = fields.Integer(
        "Of which listed before",
        readonly=True,
        help="Rows that an earlier import put on the list of exceptions.",
    )
    reason = fields.Selection(
        selection="_get_file_errors", string="Why it failed", readonly=True
    )
    detail = fields.Char(readonly=True)
    exception_ids = fields.One2many("onergy.reading.exception", "import_id")
    exception_count = fields.Integer(compute="_compute_exception_count")
    summary = fields.Char(compute="_compute_summary")

    @api.model
    def _get_file_errors(self):
        _ = self.env._
        return [
            ("no_profile", _("No profile in use can read this file.")),
            ("bad_profile", _("The profile is not complete:")),
            ("missing_column", _("The file has no column")),
            ("no_header", _("The header is missing or too short.")),
            ("no_key_in_name", _("The name of the file holds no meter number:")),
            ("bad_compression", _("The file cannot be unpacked:")),
            (
                "file_too_large",
                _(
                    "The file or one of its records is too large; split it into "
                    "smaller files. Reading stopped at line:"
                ),
            ),
            (
                "document_too_large",
                _(
                    "The file is too large; split it into smaller ones or use CSV. "
                    "The most that can be read:"
                ),
            ),
            (
                "too_many_values",
                _(
                    "The file is too large; split it into smaller ones or use CSV. "
                    "The most values that can be read:"
                ),
            ),
            ("bad_encoding", _("The text of the file cannot be decoded:")),
            ("bad_workbook", _("This is not a readable Excel workbook:")),
            ("bad_json", _("This is not readable JSON:")),
            ("bad_xml", _("This is not readable XML:")),
            ("no_trailer", _("The closing line is missing: the file is not complete.")),
            ("trailer_count", _("The closing line names another number of lines:")),
            ("empty", _("The file is empty.")),
            ("changed", _("The file changed while it was read.")),
        ]

    @api.depends("exception_ids")
    def _compute_exception_count(self):
        counts = dict(
            self.env["onergy.reading.exception"]._read_group(
                [("import_id", "in", self.ids)], ["import_id"], ["__count"]
            )
        )
        for record in self:
            record.exception_count = counts.get(record, 0)

    @api.depends("state", "rows_total", "rows_new", "rows_same", "rows_bad", "reason")
    def _compute_summary(self):
        for record in self:
            record.summary = record._get_summary()

    def _get_summary(self):
        self.ensure_one()
        if self.state == "failed":
            errors = dict(self._get_file_errors())
            return f"{errors.get(self.reason, '')} {self.detail or ''}".strip()
        if self.state == "duplicate":
            return self.env._(
                "This very file was imported on %(date)s; nothing changed.",
                date=format_datetime(self.env, self.duplicate_of_id.date_start),
            )
        if self.state == "running":
            return self.env._("Still running.")
        return self.env._(
            "%(total)s rows: %(new)s new readings, %(same)s known already, "
            "%(bad)s set aside.",
            total=self.rows_total,
            new=self.rows_new,
            same=self.rows_same,
            bad=self.rows_bad,
        )

    # -- running -----------------------------------------------------------------

    @api.model
    def _import_stream(
        self, stream, filename, channel, company=None, profile=None, received=None
    ):
        """Run the pipeline over a seekable binary stream; return the import record.

        A file that cannot be read leaves a failed import and no rows. The very same
        content, imported before without an open exception, is not read again; where
        the moment of arrival is that of the readings, only on the day it came.
        Nothing is committed.

        :param received: naive UTC moment of arrival; now when not given
        """
        company = company or self.env.company
        digest, size = _hash(stream)
        received = (received or fields.Datetime.now()).replace(microsecond=0)
        earlier = self._find_earlier(company, digest, received)
        record = self.create(
            {
                "company_id": company.id,
                "filename": os.path.basename(filename),
                "channel": channel,
                "content_hash": digest,
                "file_size": size,
                # Read again, its readings keep their moment.
                "received": earlier._get_received()
                if earlier._is_dated_by_arrival()
                else received,
            }
        )
        if earlier and not earlier._waits_for_more():
            record._finish(state="duplicate", duplicate_of_id=earlier.id)
            return record
        try:
            with self.env.cr.savepoint():
                record._run(stream, profile)
        except FileError as error:
            record._finish(state="failed", reason=error.reason, detail=error.detail)
        return record

    def _run(self, stream, profile):
        self.ensure_one()
        if not self.file_size:
            raise FileError("empty")
        company = self.company_id
        profiles = self.env["onergy.reading.profile"]
        if not profile:
            profile = profiles._find_for(stream, self.filename, company)
        if not profile:
            raise FileError("no_profile")
        self.write({"profile_id": profile.id, "profile_version": profile.version})
        stream.seek(0)
        received = self._get_received().replace(tzinfo=UTC)
        rows = profile._get_rows(stream, self.filename, company, received)
        counts = self.env["onergy.reading.loader"]._load_rows(
            rows, company, self.channel, self.id
        )
        self._finish(
            state="done",
            rows_total=counts["total"],
            rows_new=counts["new"],
            rows_same=counts["same"],
            rows_bad=counts["bad"],
            rows_listed=counts["listed"],
        )

    def _attach(self, content):
        """Keep the file with its import (files of the folder lie in ``done``)."""
        self.env["ir.attachment"].sudo().create(  # the clerk may not write attachments
            {
                "name": self.filename,
                "raw": content,
                "res_model": self._name,
                "res_id": self.id,
            }
        )

    def _finish(self, **values):
        self.write({"date_end": fields.Datetime.now(), **values})
        _logger.info(
            "Import %s of %s: %s, %s rows, %s new, %s bad",
            self.id,
            self.filename,
            self.state,
            self.rows_total,
            self.rows_new,
            self.rows_bad,
        )

    @api.model
    def _find_earlier(self, company, digest, received):
        """The last import of this content, if it counts as the same."""
        found = self.search(
            [
                ("company_id", "=", company.id),
                ("content_hash", "=", digest),
                ("state", "=", "done"),
            ]
        )
        # A gateway that sends no time may send the same values day after day.
        day = _get_day(received)
        return found.filtered(
            lambda record: (
                not record._is_dated_by_arrival()
                or _get_day(record._get_received()) == day
            )
        )[:1]

    def _is_dated_by_arrival(self):
        return self.profile_id.moment_source == "received"

    def _get_received(self):
        """Imports of before this was kept are as old as their start."""
        return self.received or self.date_start

    def _waits_for_more(self):
        """Whether reading this content again may bring what was set aside."""
        return bool(
            self.rows_bad
            and self.env["onergy.reading.exception"].search_count(
                [("company_id", "=", self.company_id.id), ("state", "=", "open")],
                limit=1,
            )
        )

    # -- actions -----------------------------------------------------------------

    def action_view_exceptions(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_metering.action_onergy_reading_exception"
        )
        action["domain"] = [("import_id", "=", self.id)]
        action["context"] = {}
        return action

    def action_view_readings(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "onergy_metering.action_onergy_reading"
        )
        action["domain"] = [("import_id", "=", self.id)]
        return action

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(
            self.env._("Imports are kept: they say where each reading came from.")
        )


def _hash(stream):
    digest, size = hashlib.sha256(), 0
    stream.seek(0)
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    stream.seek(0)
    return digest.hexdigest(), size


def _get_day(moment):
    """The date of a naive UTC moment where the dwellings are."""
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(DAY_ZONE)).date()
