"""A demo supplier served over HTTP, a mail server that keeps what it gets, Chromium."""

import ast
import contextlib
import email
import email.policy
import re
import time
from dataclasses import dataclass, field

import pytest
from aiosmtpd.controller import Controller

RESIDENT_PASSWORD = "Radiator-en-theepot-7"
# What the issue of accessibility asks for: a phone and a desktop.
VIEWPORTS = {"1280": (1280, 900), "390": (390, 844)}


@dataclass
class Mailbox:
    """Messages that Odoo really sent over SMTP."""

    port: int = 0
    messages: list = field(default_factory=list)

    async def handle_DATA(self, _server, _session, envelope):
        message = email.message_from_bytes(
            envelope.content, policy=email.policy.default
        )
        self.messages.append((list(envelope.rcpt_tos), message))
        return "250 OK"

    def to(self, address, subject="", seconds=90):
        """Wait for a message to ``address`` whose subject holds ``subject``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for recipients, message in reversed(self.messages):
                if address in recipients and subject in message["subject"]:
                    return message
            time.sleep(0.3)
        received = [(to, str(m["subject"])) for to, m in self.messages]
        raise AssertionError(f"no mail to {address} about {subject!r}; got {received}")


@pytest.fixture(scope="session")
def mailbox(dev):
    box = Mailbox()
    box.port = dev.free_port()
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()


@dataclass
class Site:
    """One Odoo that serves a database, and the way to look inside it."""

    address: str
    shell: object
    logins: dict

    def python(self, code):
        """Run code in Odoo's shell on the served database; returns what it prints."""
        return self.shell.run(code)

    def values(self, *expressions, given=""):
        """Evaluate expressions, after the statements ``given``; returns texts."""
        listed = ", ".join(expressions)
        printed = self.python(f"{given}\nprint('VALUES', {listed}, sep='|')")
        return re.search(r"VALUES\|(.*)", printed)[1].strip().split("|")

    def value(self, expression, given=""):
        return self.values(expression, given=given)[0]

    def run_cron(self, xmlid):
        self.python(f"env.ref('{xmlid}').method_direct_trigger()")

    def send_mail(self):
        self.run_cron("mail.ir_cron_mail_scheduler_action")

    def make_resident(self, login, partner, given):
        """Give a payer of the demo a login of his own; returns login and password.

        :param partner: an expression, after the statements ``given``
        """
        self.python(
            f"{given}\n"
            f"partner = {partner}\n"
            f"partner.write({{'email': {login!r}, 'lang': 'nl_NL'}})\n"
            "env['res.users'].with_context(no_reset_password=True).create({\n"
            f"    'partner_id': partner.id, 'login': {login!r}, 'lang': 'nl_NL',\n"
            f"    'password': {RESIDENT_PASSWORD!r},\n"
            "    'group_ids': [(6, 0, env.ref('base.group_portal').ids)]})"
        )
        return login, RESIDENT_PASSWORD


@pytest.fixture(scope="session")
def readings_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readings")


@pytest.fixture(scope="session")
def site(dev, postgres, mailbox):
    template = dev.ensure_demo_template(postgres)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(
            dev.temporary_database(postgres, template, "e2e")
        )
        (dev.LOGS / "e2e-server.log").unlink(missing_ok=True)
        port = dev.free_port()
        address = f"http://127.0.0.1:{port}"
        shell = stack.enter_context(dev.OdooShell(postgres, database, "e2e-shell"))
        site = Site(address, shell, {})
        site.python(
            "set_param = env['ir.config_parameter'].set_param\n"
            f"set_param('web.base.url', {address!r})\n"
            "set_param('web.base.url.freeze', 'True')\n"
            # The shell sends the mail that the tests ask it to send.
            "env['ir.mail_server'].create({'name': 'caught', 'smtp_host': '127.0.0.1', "
            f"'smtp_port': {mailbox.port}, 'from_filter': ''}})"
        )
        printed = site.python("print(env['onergy.demo'].logins())")
        site.logins = {
            role: (login, password)
            for role, login, password in ast.literal_eval(printed)
        }
        stack.enter_context(
            dev.odoo_server(
                postgres,
                database,
                port=port,
                log="e2e-server",
                extra=["--max-cron-threads=0"],
            )
        )
        yield site


class Visitor:
    """A person with a browser window of his own; keeps screenshots as artefacts."""

    def __init__(self, chromium, site, artifacts, width="1280"):
        viewport = dict(zip(("width", "height"), VIEWPORTS[width], strict=True))
        self.context = chromium.new_context(
            viewport=viewport, locale="nl-NL", timezone_id="Europe/Amsterdam"
        )
        self.context.set_default_timeout(30000)
        self.page = self.context.new_page()
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.site, self.artifacts, self.width = site, artifacts, width

    def go(self, path):
        url = path if path.startswith("http") else self.site.address + path
        response = self.page.goto(url)
        assert response.ok, f"{path}: HTTP {response.status}"
        return self.page

    def login(self, login, password):
        self.go("/web/login")
        self.page.fill("input[name=login]", login)
        self.page.fill("input[name=password]", password)
        self.page.click("form.oe_login_form button[type=submit]")
        self.page.wait_for_url(re.compile(r"/(my|odoo)(?!.*login)"))
        return self.page

    def picture(self, name):
        path = self.artifacts / f"{name}-{self.width}.png"
        self.page.screenshot(path=path, full_page=True, animations="disabled")
        return path

    def assert_fits(self):
        """No page of ours scrolls sideways, whatever the screen."""
        overflow = self.page.evaluate(
            "document.documentElement.scrollWidth - window.innerWidth"
        )
        assert overflow <= 0, f"{self.page.url} is {overflow} px too wide"


@pytest.fixture
def visitor(chromium, site, artifacts):
    """Make visitors; each has his own cookies."""
    made = []

    def make(width="1280"):
        person = Visitor(chromium, site, artifacts, width)
        made.append(person)
        return person

    yield make
    for number, person in enumerate(made):
        # Where each was at the end; after a failure, what he was looking at.
        person.picture(f"zz-last-{number}")
        person.context.close()
    errors = [error for person in made for error in person.errors]
    assert not errors, errors
