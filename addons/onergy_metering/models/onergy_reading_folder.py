import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg2

from odoo import api, models
from odoo.exceptions import ConcurrencyError
from odoo.tools import SQL

_logger = logging.getLogger(__name__)

#: Names under which senders write a file before it is complete.
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", ".swp")


class StillWritten(Exception):
    """The file changed while it was read."""


class OnergyReadingFolder(models.AbstractModel):
    """The watched folder: each company has one, with ``done`` and ``failed`` in it.

    A file is moved only after its readings are committed. A worker that dies before
    leaves the file where it was, and the next one finds that its content is known.
    """

    _name = "onergy.reading.folder"
    _description = "Watched folder"

    @api.model
    def _cron_import(self):
        """Import what lies in the folders, one file per transaction."""
        companies = self.env["res.company"].search(
            [("onergy_reading_folder", "!=", False)]
        )
        waiting = [
            (company, path)
            for company in companies
            for path in self._list_files(company)
        ]
        commit = self.env["ir.cron"]._commit_progress
        commit(remaining=len(waiting))
        for company, path in waiting:
            try:
                self.with_company(company)._import_path(company, path)
            except (StillWritten, ConcurrencyError, psycopg2.OperationalError) as error:
                # The sender is not ready, another load was first, or the server is
                # out of something. The file stays; the next run takes it.
                self.env.cr.rollback()
                _logger.warning("%s waits for the next run: %s", path.name, error)
                if not commit(0):
                    break
                continue
            if not commit(1):
                break

    @api.model
    def _list_files(self, company):
        """Files that are complete, oldest first."""
        folder = Path(company.onergy_reading_folder)
        settle = company.onergy_reading_settle
        found = []
        try:
            for entry in os.scandir(folder):
                if not entry.is_file(follow_symlinks=False):
                    continue
                if entry.name.startswith(".") or entry.name.endswith(_UNFINISHED):
                    continue
                modified = entry.stat(follow_symlinks=False).st_mtime
                if time.time() - modified >= settle:
                    found.append((modified, Path(entry.path)))
        except OSError as error:
            _logger.warning("Watched folder of %s: %s", company.name, error)
        return [path for _modified, path in sorted(found)]

    @api.model
    def _import_path(self, company, path):
        """Import one file and move it; ``None`` when another worker has it."""
        if not self._claim(path):
            return None
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            return None
        imports = self.env["onergy.reading.import"]
        with stream:
            before = os.fstat(stream.fileno())
            written = datetime.fromtimestamp(before.st_mtime, UTC).replace(tzinfo=None)
            record = imports._import_stream(
                stream, path.name, "file", company, received=written
            )
            after = os.stat(path)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise StillWritten("the file changed while it was read")
        self.env["ir.cron"]._commit_progress()
        self._move(path, "failed" if record.state == "failed" else "done")
        return record

    def _claim(self, path):
        """Whether this transaction is the only one on ``path``."""
        self.env.cr.execute(
            SQL(
                "SELECT pg_try_advisory_xact_lock(hashtext(%s), hashtext(%s))",
                self._name,
                str(path),
            )
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _move(self, path, subfolder):
        """Move a file aside; never over another one."""
        target = path.parent / subfolder
        try:
            target.mkdir(exist_ok=True)
            destination = target / path.name
            if destination.exists():
                stamp = time.strftime("%Y%m%dT%H%M%S")
                destination = target / f"{path.stem}-{stamp}-{os.getpid()}{path.suffix}"
            path.rename(destination)
        except OSError as error:
            # The readings are in; at the next run the content is known.
            _logger.warning("%s cannot be moved to %s: %s", path.name, subfolder, error)
