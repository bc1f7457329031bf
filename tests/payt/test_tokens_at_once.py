"""Two processes on one database and a refresh token that works only once."""

import contextlib
import threading
from time import monotonic, sleep

import pytest
from payt_server import PaytServer
from payt_server.oauth import CLIENT_ID, CLIENT_SECRET
from payt_server.state import ADMINISTRATION

ADDONS = ["onergy_residents", "onergy_payt", "report_weasyprint"]
SECONDS = 3
TOKEN = "POST /oauth/token"
SET_UP = """
env["payt.connection"].create({{
    "company_id": env.company.id, "environment": "custom", "api_base_url": {payt!r},
    "app_base_url": {payt!r}, "administration_id": {administration!r},
    "auth_mode": "authorization_code", "client_id": {client!r},
    "client_secret": {secret!r}, "start_date": "2025-01-01", "user_id": 2}})
env["payt.connection"].search([]).action_create_clearing_journal()
"""
CONSENT = """
connection = env["payt.connection"].search([])
connection._finish_authorization("the code")
connection.action_go_live()
"""
# As after two hours without work.
EXPIRE = "env['payt.token'].search([]).expires_at = 1.0"
JOB = "env.ref('onergy_payt.ir_cron_payt_{}').method_direct_trigger()"
TERMINATE = """
env.cr.execute('''SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction'
      AND query LIKE '%payt_token%FOR UPDATE%' ''')
print(env.cr.rowcount)
"""


class Office:
    """A simulator, and shells on one database: each is a worker of its own."""

    def __init__(self, payt, open_shell):
        self.payt, self.open_shell = payt, open_shell
        self.first, self.second = open_shell("first"), open_shell("second")

    def consent(self):
        """A person logs in at Payt; everything is as new."""
        self.payt.oauth.offered.clear()
        redirect = self.look("env['payt.connection'].search([])._redirect_uri()")
        self.payt.oauth.codes["the code"] = redirect
        self.second.run(CONSENT)

    def expire(self):
        self.payt.oauth.tokens.clear()
        self.second.run(EXPIRE)

    def look(self, expression):
        return self.second.run(f"print({expression})").strip()

    def token(self):
        return self.look("env['payt.token'].search([]).refresh_token")

    def slow_refresh(self, shell, job):
        """Let a worker begin; return its thread and errors when Payt has changed
        the token and not answered yet."""
        self.payt.faults.add({"kind": "slow", "operation": TOKEN, "seconds": SECONDS})
        before, errors = self.payt.counts[TOKEN], []
        thread = in_thread(shell, job, errors)
        until = monotonic() + 60
        while self.payt.counts[TOKEN] == before:
            assert thread.is_alive() and monotonic() < until, errors
            sleep(0.02)
        return thread, errors


def in_thread(shell, code, errors):
    def run():
        try:
            shell.run(code)
        except Exception as error:  # whatever it is, the test has to show it
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def office(dev, postgres):
    template = dev.ensure_template(postgres, ADDONS)
    with contextlib.ExitStack() as stack:
        payt = stack.enter_context(PaytServer(rate_limit=0))
        database = stack.enter_context(
            dev.temporary_database(postgres, template, "tokens-at-once")
        )

        def open_shell(name):
            return stack.enter_context(
                dev.OdooShell(postgres, database, f"payt-token-{name}")
            )

        office = Office(payt, open_shell)
        office.first.run(
            SET_UP.format(
                payt=payt.address,
                administration=ADMINISTRATION,
                client=CLIENT_ID,
                secret=CLIENT_SECRET,
            )
        )
        yield office


@pytest.fixture
def connected(office):
    office.payt.oauth.lenient = False
    office.consent()
    return office


def test_two_workers_make_one_refresh(connected):
    connected.expire()
    thread, errors = connected.slow_refresh(connected.first, JOB.format("pull"))
    connected.second.run(JOB.format("push"))
    connected.second.run("env['payt.connection'].search([]).action_test()")
    thread.join()
    assert not errors
    assert len(connected.payt.oauth.offered) == 1
    assert connected.token() == connected.payt.oauth.refresh_token
    assert connected.look("env['payt.connection'].search([]).last_error") == "False"


def test_two_workers_refused_at_once_make_one_refresh(connected):
    # Payt ended the token early: each finds out by a 401.
    connected.payt.oauth.tokens.clear()
    thread, errors = connected.slow_refresh(connected.first, JOB.format("pull"))
    connected.second.run("env['payt.connection'].search([]).action_test()")
    thread.join()
    assert not errors
    assert len(connected.payt.oauth.offered) == 1
    assert connected.token() == connected.payt.oauth.refresh_token


def test_a_rotated_token_outlives_the_rollback_of_the_work(connected):
    connected.expire()
    with pytest.raises(Exception, match="on purpose"):
        connected.first.run(
            "env['payt.connection'].search([]).action_test()\n"
            "raise Exception('on purpose')"
        )
    assert connected.token() == connected.payt.oauth.refresh_token
    connected.second.run("env['payt.connection'].search([]).action_test()")
    assert len(connected.payt.oauth.offered) == 1


def test_a_broken_database_connection_does_not_lose_the_token(connected):
    connected.expire()
    job = "env['payt.connection'].search([]).action_test()"
    thread, errors = connected.slow_refresh(connected.first, job)
    assert connected.second.run(TERMINATE).strip() == "1"
    thread.join()
    assert not errors
    assert connected.token() == connected.payt.oauth.refresh_token


def test_a_worker_that_dies_before_it_kept_the_token(connected):
    connected.expire()
    doomed = connected.open_shell("doomed")
    thread, _errors = connected.slow_refresh(doomed, JOB.format("pull"))
    doomed.process.kill()
    thread.join()
    # Payt has changed the token and nobody received it. The old one is offered again,
    # once; then a person is called, and nobody offers it any more.
    for _round in range(3):
        connected.first.run(JOB.format("pull"))
    offered = connected.payt.oauth.offered
    assert offered[0] == offered[1]
    assert len(offered) == 2
    state = connected.look(
        "[(c.is_connected, c.last_error_code, len(c.activity_ids))"
        " for c in env['payt.connection'].search([])]"
    )
    assert state == "[(False, 'consent', 1)]"
    connected.consent()
    connected.first.run(JOB.format("pull"))
    assert connected.look("env['payt.connection'].search([]).last_error") == "False"


def test_an_answer_that_got_lost_is_asked_for_again(connected):
    connected.payt.oauth.lenient = True
    connected.expire()
    connected.payt.faults.add({"kind": "cut_after", "operation": TOKEN})
    connected.first.run(JOB.format("pull"))
    assert connected.look("env['payt.connection'].search([]).last_error_code") == (
        "connection"
    )
    connected.first.run(JOB.format("pull"))
    assert connected.token() == connected.payt.oauth.refresh_token
    assert connected.look("env['payt.connection'].search([]).last_error") == "False"
