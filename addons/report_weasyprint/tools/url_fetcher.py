"""Resources of a report, read in-process: nothing is fetched over a network."""

import base64
import logging
import mimetypes
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from odoo import SUPERUSER_ID
from odoo.exceptions import UserError
from odoo.http import root
from odoo.tools import file_open
from odoo.tools.image import image_guess_size_from_field_name, image_process
from odoo.tools.mimetypes import guess_mimetype

from odoo.addons.web.controllers.binary import Binary
from odoo.addons.web.controllers.report import ReportController

from .engine import URLFetcher, URLFetcherResponse

_logger = logging.getLogger(__name__)

# The routes a report may read, as Odoo's own controllers spell them: every form of
# /web/image/... that works in a browser works here. The endpoint is the name of the
# method of ReportURLFetcher that answers.
_ROUTES = Map(
    [
        Rule(route, endpoint=reader)
        for controller, reader in (
            (Binary.content_common, "_read_content"),
            (Binary.content_image, "_read_image"),
            (ReportController.report_barcode, "_read_barcode"),
        )
        for route in controller.original_routing["routes"]
    ],
    strict_slashes=False,
    merge_slashes=False,
)


class RefusedURL(ValueError):
    """The URL is not one a report may read."""


class ReportURLFetcher(URLFetcher):
    """Answer WeasyPrint's requests from the database and the addons' files.

    Allowed are ``data:`` URLs, files in an addon's ``static`` folder, asset bundles,
    barcodes, and the images and attachments the user of ``env`` may read. Everything
    else is refused: other hosts, ``file:`` URLs, any other route of Odoo.

    Report templates are often rendered with ``sudo()`` while the HTML they print is
    written by users. Superuser mode is therefore dropped here, and a background job
    (which has no user) sees what a visitor sees: the same as wkhtmltopdf, that comes
    back with the session of the user, or without one.

    :param env: environment of the user who prints
    :param hosts: network locations (``host:port``) that mean this server
    """

    def __init__(self, env, hosts=()):
        super().__init__(allowed_protocols=["data"], allow_redirects=False)
        if env.uid == SUPERUSER_ID:
            env = env(user=env.ref("base.public_user").id, context={})
        self.env = env(su=False)
        self.hosts = frozenset(hosts)

    def fetch(self, url, headers=None):
        """Return the resource; any exception makes WeasyPrint go on without it."""
        if url[:5].lower() == "data:":
            return super().fetch(url, headers)
        try:
            content, mimetype = self._read(url)
        except (HTTPException, UserError, OSError, TypeError, ValueError) as error:
            _logger.debug("Report resource %s was not used: %s", url, error)
            raise RefusedURL(url) from error
        return URLFetcherResponse(url, content, {"Content-Type": mimetype})

    def _read(self, url):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.netloc not in self.hosts:
            raise RefusedURL("it is not on this server")
        path = unquote(parts.path)
        if "\0" in path or "\\" in path or ".." in path.split("/"):
            raise RefusedURL("its path is not allowed")
        if path.startswith("/web/assets/"):
            return self._read_asset(path)
        static_file = root.get_static_file(path)
        if static_file:
            with file_open(static_file, "rb") as file:
                mimetype = mimetypes.guess_type(static_file)[0]
                return file.read(), mimetype or "application/octet-stream"
        reader, arguments = _ROUTES.bind("").match(path)
        return getattr(self, reader)(**{**dict(parse_qsl(parts.query)), **arguments})

    def _read_asset(self, path):
        """Return an asset bundle, generating it when this is its first use.

        On a read-only cursor that fails, and Odoo repeats the request on another.
        """
        # sudo: bundles are public files without an owner.
        bundle = self.env["ir.attachment"].sudo().search(
            [
                ("public", "=", True),
                ("url", "=", path),
                ("res_model", "=", "ir.ui.view"),
                ("res_id", "=", 0),
                ("create_uid", "=", SUPERUSER_ID),
            ],
            limit=1,
        ) or self._generate_asset(path)
        return bundle.raw, "text/css"

    def _generate_asset(self, path):
        name, rtl, asset_type, autoprefix = self.env["ir.asset"]._parse_bundle_name(
            path.rsplit("/", 1)[-1], debug_assets=False
        )
        if asset_type != "css":
            raise RefusedURL("reports run no scripts")
        bundle = self.env["ir.qweb"]._get_asset_bundle(
            name, js=False, rtl=rtl, autoprefix=autoprefix
        )
        return bundle.css()

    def _read_barcode(self, barcode_type, value, **options):
        barcode = self.env["ir.actions.report"].barcode(barcode_type, value, **options)
        return barcode, "image/png"

    def _read_content(
        self,
        xmlid=None,
        model="ir.attachment",
        id=None,
        field="raw",
        access_token=None,
        **_query,
    ):
        record = self.env["ir.binary"]._find_record(
            xmlid, model, id and int(id), access_token, field=field
        )
        if field not in record or record._fields[field].type != "binary":
            raise RefusedURL("it is not a binary field")
        value = record.with_context(bin_size=False)[field]
        if not value:
            raise RefusedURL("the field is empty")
        if record._name != "ir.attachment" or field != "raw":
            value = base64.b64decode(value)
        return value, guess_mimetype(value)

    def _read_image(self, field="raw", width=0, height=0, crop=False, **query):
        content, mimetype = self._read_content(field=field, **query)
        if not mimetype.startswith("image/"):
            raise RefusedURL("it is not an image")
        size = int(width), int(height)
        if size == (0, 0):
            size = image_guess_size_from_field_name(field)
        if size != (0, 0) or crop:
            content = image_process(content, size=size, crop=crop)
        return content, mimetype
