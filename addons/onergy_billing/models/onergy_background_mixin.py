import logging

from odoo import api, fields, models
from odoo.exceptions import UserError

_logger = logging.getLogger(__name__)


class OnergyBackgroundMixin(models.AbstractModel):
    """Something that takes long and is made by a scheduled action.

    The model that inherits it names its scheduled action in ``_background_cron`` and
    returns from ``_build`` what to write on the record when it is ready.
    """

    _name = "onergy.background.mixin"
    _description = "Made in the background"

    #: External id of the scheduled action that calls ``_cron_process``.
    _background_cron = None

    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("queued", "Waiting"),
            ("running", "Being made"),
            ("done", "Ready"),
            ("failed", "Failed"),
        ],
        required=True,
        readonly=True,
        index=True,
        default="draft",
        copy=False,
    )
    progress = fields.Integer(readonly=True, copy=False)
    progress_text = fields.Char("Busy with", readonly=True, copy=False)
    problem = fields.Text(readonly=True, copy=False)
    user_id = fields.Many2one(
        "res.users",
        "Made by",
        readonly=True,
        copy=False,
        default=lambda self: self.env.user,
    )

    def action_make(self):
        """Queue the records; the scheduled action makes them."""
        for record in self:
            if record.state in ("queued", "running"):
                raise UserError(self.env._("This is being made already."))
        self.write(self._prepare_queue())
        # sudo: who may make these need not manage scheduled actions
        self.env.ref(self._background_cron).sudo()._trigger()

    def _prepare_queue(self):
        return {
            "state": "queued",
            "progress": 0,
            "progress_text": False,
            "problem": False,
            "user_id": self.env.uid,
        }

    @api.model
    def _cron_process(self):
        """Make what waits, one after the other.

        One scheduled action never runs twice at the same time, so a record that is
        found "being made" was left behind by a server that stopped.
        """
        for record in self.search([("state", "in", ("queued", "running"))], order="id"):
            record._make()
            self.env["ir.cron"]._commit_progress(1)

    def _make(self):
        """Make one record, telling how far it is.

        Two commits: one before, so that everybody sees that it began, and one before
        the result is written, because the progress was written by other transactions
        in the meantime.
        """
        self.ensure_one()
        self.state = "running"
        commit = self.env["ir.cron"]._commit_progress
        commit()
        try:
            with self.env.cr.savepoint():
                values = self._build()
        except UserError as error:
            values = {"state": "failed", "problem": str(error)}
        except Exception:  # whatever goes wrong, who waits for it has to be told
            _logger.exception("%s could not be made", self)
            values = {
                "state": "failed",
                "problem": self.env._(
                    "Something went wrong. The log of the server tells what."
                ),
            }
        else:
            values = {"state": "done", "progress": 100, **values}
        commit()
        self.invalidate_recordset()
        self.write({"progress_text": False, **values})
        self._tell_user()

    def _build(self):
        """Do the work.

        :return: values to write
        :raises UserError: with what a person can do about it
        """
        raise NotImplementedError

    def _tell(self, percent, text):
        """Show how far it is, at once and to everybody: in a transaction of its own."""
        self.ensure_one()
        with self.env.registry.cursor() as cr:
            record = self.with_env(self.env(cr=cr))
            record.write({"progress": percent, "progress_text": text})

    def _tell_user(self):
        self.ensure_one()
        is_done = self.state == "done"
        texts = self.with_context(lang=self.user_id.lang)
        self.user_id._bus_send(
            "simple_notification",
            {
                "type": "success" if is_done else "danger",
                "title": texts.display_name,
                "message": texts.env._("Ready.")
                if is_done
                else texts.env._("It could not be made."),
            },
        )
