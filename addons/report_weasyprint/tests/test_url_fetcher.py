"""What a report may read."""

import base64
import io
import socket
from unittest.mock import patch

from PIL import Image

from odoo.tests import new_test_user, tagged

from ..tools.url_fetcher import RefusedURL, ReportURLFetcher
from .common import ARCH, ReportCase, image

HOST = "http://heat.example.com"


@tagged("post_install", "-at_install")
class TestURLFetcher(ReportCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clerk = new_test_user(cls.env, "clerk", groups="base.group_user")
        cls.portal = new_test_user(cls.env, "resident", groups="base.group_portal")
        cls.secret = cls.env["ir.attachment"].create(
            {"name": "secret.png", "datas": image(), "res_model": "res.partner.bank"}
        )
        cls.partner = cls.partners[0]
        cls.partner.image_1920 = image(300, 300)

    def fetch(self, path, user=None, env=None):
        env = env or self.env(user=user or self.clerk)
        fetcher = ReportURLFetcher(env, ["heat.example.com"])
        url = path if ":" in path[:8] else HOST + path
        return fetcher.fetch(url)

    def assertRefused(self, path, user=None, env=None):
        with self.assertRaises(RefusedURL, msg=path):
            self.fetch(path, user, env)

    def size(self, response):
        self.assertEqual(response.content_type, "image/png")
        return Image.open(io.BytesIO(response.read())).size

    def test_data(self):
        response = self.fetch("data:text/plain;base64,aGVhdA==")
        self.assertEqual(response.read(), b"heat")

    def test_static_file(self):
        response = self.fetch("/web/static/img/favicon.ico?version=2")
        self.assertTrue(response.read().startswith(b"\0\0\1\0"))
        response = self.fetch("/report_weasyprint/static/src/css/report.css")
        self.assertEqual(response.content_type, "text/css")

    def test_other_hosts(self):
        for url in (
            "http://example.com/web/static/img/favicon.ico",
            "https://fonts.odoocdn.com/fonts/noto/NotoSans-Bol.woff2",
            "http://heat.example.com:8069/web/static/img/favicon.ico",
            "http://user@heat.example.com/web/static/img/favicon.ico",
            "http://169.254.169.254/latest/meta-data/",
        ):
            self.assertRefused(url)

    def test_other_schemes(self):
        for url in (
            "file:///etc/passwd",
            "FILE:///etc/passwd",
            "ftp://heat.example.com/web/static/img/favicon.ico",
            "javascript:alert(1)",
            "gopher://heat.example.com/1",
        ):
            self.assertRefused(url)

    def test_path_traversal(self):
        for path in (
            "/web/static/../__manifest__.py",
            "/web/static/%2e%2e/__manifest__.py",
            "/web/static/%2E%2E%2F__manifest__.py",
            "/web/static/..%5c__manifest__.py",
            "/web/static/img/../../__manifest__.py",
            "/web/static//etc/passwd",
            "/web/static/img/favicon.ico%00.png",
            "/../../etc/passwd",
            "/web/__manifest__.py",
            "/no_such_addon/static/img.png",
        ):
            self.assertRefused(path)

    def test_other_routes(self):
        for path in ("/", "/web", "/web/login", "/web/session/get_session_info"):
            self.assertRefused(path)
        self.assertRefused(f"/report/html/base.report_partner/{self.partner.id}")

    def test_image(self):
        path = f"/web/image/res.partner/{self.partner.id}"
        self.assertEqual(self.size(self.fetch(f"{path}/image_1920")), (300, 300))
        self.assertEqual(self.size(self.fetch(f"{path}/image_128")), (128, 128))
        self.assertEqual(self.size(self.fetch(f"{path}/image_1920/40x40")), (40, 40))
        query = f"model=res.partner&id={self.partner.id}&field=image_1920&width=50"
        self.assertEqual(self.size(self.fetch(f"/web/image?{query}")), (50, 50))

    def test_image_of_a_record_the_user_may_not_read(self):
        path = f"/web/image/res.partner/{self.partner.id}/image_1920"
        self.assertRefused(path, self.portal)
        self.assertRefused(path, self.env.ref("base.public_user"))
        own = self.portal.partner_id
        own.image_1920 = image(300, 300)
        path = f"/web/image/res.partner/{own.id}/image_1920"
        self.assertEqual(self.size(self.fetch(path, self.portal)), (300, 300))

    def test_superuser_mode_gives_no_rights(self):
        """Templates are rendered with sudo(), what users wrote is not trusted."""
        path = f"/web/image/res.partner/{self.partner.id}/image_1920"
        self.assertRefused(path, env=self.env(user=self.portal.id, su=True))
        # A background job has no user: it sees what a visitor sees.
        self.assertTrue(self.env.su)
        self.assertRefused(path, env=self.env)

    def test_attachment(self):
        path = f"/web/image/{self.secret.id}"
        self.assertEqual(
            self.size(self.fetch(path, self.env.ref("base.user_admin"))), (60, 20)
        )
        self.assertRefused(path, self.portal)
        self.assertRefused(f"/web/content/{self.secret.id}", self.portal)
        token = self.secret.generate_access_token()[0]
        response = self.fetch(f"{path}?access_token={token}", self.portal)
        self.assertEqual(self.size(response), (60, 20))
        self.assertRefused(f"{path}?access_token=guess", self.portal)
        self.secret.public = True
        content = self.fetch(f"/web/content/{self.secret.id}/logo.png", self.portal)
        self.assertEqual(content.read(), base64.b64decode(image()))

    def test_attachment_elsewhere(self):
        """An attachment that is a link is not followed."""
        attachment = self.env["ir.attachment"].create(
            {
                "name": "link.png",
                "type": "url",
                "url": "http://example.com/a.png",
                "public": True,
            }
        )
        self.assertRefused(f"/web/image/{attachment.id}")
        self.assertRefused(f"/web/content/{attachment.id}")

    def test_not_binary(self):
        for path in (
            f"/web/content/res.partner/{self.partner.id}/name",
            f"/web/content/res.partner/{self.partner.id}/no_such_field",
            f"/web/image/res.partner/{self.partner.id}/name",
            "/web/content/no.such.model/1/raw",
            "/web/content/99999999",
            "/web/image/base.no_such_xmlid",
            "/web/image/?id=drop",
        ):
            self.assertRefused(path)

    def test_content_is_no_image(self):
        attachment = self.env["ir.attachment"].create(
            {"name": "text.txt", "raw": b"heat", "public": True}
        )
        self.assertRefused(f"/web/image/{attachment.id}")
        self.assertEqual(self.fetch(f"/web/content/{attachment.id}").read(), b"heat")

    def test_barcode(self):
        for path in (
            "/report/barcode/QR/NL%2F1?width=200&height=200",
            "/report/barcode/?barcode_type=QR&value=NL%2F1&width=200&height=200",
        ):
            self.assertEqual(self.size(self.fetch(path)), (200, 200))
        response = self.fetch("/report/barcode/Code128/12345?width=300&height=50")
        self.assertEqual(self.size(response)[1], 50)
        self.assertRefused("/report/barcode/Code128/1?width=100000&height=100000")

    def test_asset_bundle(self):
        """A bundle that nobody asked for before is generated."""
        self.env["ir.attachment"].search([("url", "=like", "/web/assets/%")]).unlink()
        bundle = self.env["ir.qweb"]._get_asset_bundle(
            "web.report_assets_pdf", js=False
        )
        path = bundle.get_link("css")
        first = self.fetch(path, self.portal)
        self.assertEqual(first.content_type, "text/css")
        content = first.read()
        self.assertIn(b"reset.min.css", content)
        self.assertEqual(self.fetch(path).read(), content)
        self.assertRefused("/web/assets/1234567/web.assets_web.min.js")
        self.assertRefused("/web/assets/1234567/no.such_bundle")

    def test_report_of_a_hostile_template(self):
        """Nothing of this reaches the network or the disk, and the text is printed."""
        self.view.arch = ARCH % (
            """
            <link rel="stylesheet" href="http://example.com/style.css"/>
            <link rel="stylesheet" href="/web/login"/>
            <link rel="stylesheet" href="/web/static/img/favicon.ico"/>
            <link rel="stylesheet" href="data:broken"/>
            <style>
                @import url("http://example.com/style.css");
                @font-face {font-family: X; src: url("file:///etc/passwd")}
                p {background: url("http://example.com/a.png"); font-family: X}
            </style>
            <img src="http://example.com/a.png"/>
            <img src="file:///etc/passwd"/>
            <embed src="http://example.com/a.svg"/>
            <object data="file:///etc/passwd"/>
            <a rel="attachment" href="file:///etc/passwd">Attached</a>
            <svg xmlns="http://www.w3.org/2000/svg">
                <image href="http://example.com/a.png" width="9" height="9"/>
            </svg>
            <p>Still here</p>
            """
        )
        with (
            patch.object(socket, "create_connection") as connect,
            patch.object(socket.socket, "connect") as raw_connect,
            self.assertLogs("weasyprint", "ERROR") as logs,
        ):
            reader = self.print_report(self.partner)
        connect.assert_not_called()
        raw_connect.assert_not_called()
        self.assertIn("Still here", self.texts(reader)[0])
        self.assertFalse(reader.attachments)
        self.assertTrue(any("http://example.com/a.png" in log for log in logs.output))

    def test_images_in_a_report(self):
        self.view.arch = ARCH % (
            """
            <img t-att-src="'/report/barcode/QR/%s?width=90&amp;height=90' % o.id"/>
            <img t-attf-src="/web/image/res.partner/#{o.id}/image_1920/30x30"/>
            """
        )
        self.company.logo = False
        self.Report = self.Report.with_user(self.clerk)
        images = self.print_report(self.partner).pages[0].images
        self.assertEqual(
            sorted(found.image.size for found in images), [(30, 30), (90, 90)]
        )
