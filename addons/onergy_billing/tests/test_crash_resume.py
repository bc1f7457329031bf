import logging
import os
from random import Random
from unittest.mock import patch

from freezegun import freeze_time

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import onergy_advance_run, onergy_settlement_run
from .common import SettlementCommon

_logger = logging.getLogger(__name__)

HOMES = 7
LIVES = 6


class Crash(Exception):
    """The server stops: whatever was not committed is lost."""


@tagged("post_install", "-at_install")
class TestCrashResume(SettlementCommon):
    """A run that is killed at any point, and goes on, makes nothing twice nor loses it.

    A batch is a transaction of the job; here it is a savepoint that is rolled back when
    it crashes. ``ONERGY_BILLING_SEED`` repeats a series of lives.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._correct_2024()
        cls.contract.date_end = "2024-07-01"
        cls.contracts = cls.env["onergy.contract"]
        for number in range(HOMES):
            home = cls._create_home(str(100 + number))
            serial = f"CRASH{number}"
            cls._create_meter(serial, home, "2024-07-01")
            cls._load_readings(
                (serial, "2024-07-01", "0"),
                (serial, "2025-01-01", str(5 + number)),
                (serial, "2025-07-01", str(9 + 2 * number)),
            )
            contract = cls._create_contract(
                home, cls._create_payer(f"Payer {number}"), "2024-07-01"
            )
            contract._set_advance(100.0 + number, contract.date_start, "staff")
            cls.contracts += contract
        cls.complex.billing_cycle = "anniversary"

    def each_life(self):
        """A source of chance per life; each begins from the same records."""
        seed = os.environ.get("ONERGY_BILLING_SEED") or Random().randrange(10**6)
        _logger.info("ONERGY_BILLING_SEED=%s", seed)
        for life in range(LIVES):
            with self.subTest(seed=seed, life=life):
                savepoint = self.env.cr.savepoint()
                yield Random(f"{seed}-{life}")
                self.env.invalidate_all()
                savepoint.close(rollback=True)
                self.env.invalidate_all()

    def run_with_crashes(self, run, rng):
        """Do all batches; of each the first tries may crash somewhere in its work."""
        crashes = 0
        for _try in range(200):
            points = self.get_crash_points(rng)
            try:
                with points, self.env.cr.savepoint():
                    more = run._process_batch()
                    self.env.flush_all()
            except Crash:
                crashes += 1
                self.env.invalidate_all()
                continue
            if not more:
                return crashes
            self.env.invalidate_all()
        self.fail("The run does not end")

    def get_crash_points(self, rng):
        """A patch that makes a random step of a batch crash, or nothing at all."""
        Move = type(self.env["account.move"])
        Settlement = type(self.env["onergy.settlement"])
        Line = type(self.env["onergy.advance.run.line"])
        steps = [
            (Move, "_onergy_create_posted", rng.choice(["before", "after"])),
            (Move, "_post", rng.choice(["before", "after"])),
            (Settlement, "write", "after"),
            (Settlement, "create", rng.choice(["before", "after"])),
            (Line, "write", "after"),
        ]
        model, name, when = rng.choice(steps)
        if rng.random() < 0.4:
            when = "never"
        original = getattr(model, name)

        def crashing(records, *args, **kwargs):
            if when == "before":
                raise Crash()
            result = original(records, *args, **kwargs)
            if when == "after":
                raise Crash()
            return result

        return patch.object(model, name, crashing)

    def check_bills(self, kind, expected):
        moves = self.env["account.move"].search(
            [
                ("onergy_contract_id", "in", self.contracts.ids),
                ("onergy_move_kind", "=", kind),
            ]
        )
        self.assertEqual(set(moves.mapped("state")), {"posted"})
        found = sorted((m.onergy_contract_id.id, m.amount_total) for m in moves)
        self.assertEqual(found, sorted(expected.items()))

    @mute_logger("odoo.sql_db")
    def test_advances(self):
        expected = {c.id: 100.0 + n for n, c in enumerate(self.contracts)}
        crashes = 0
        for rng in self.each_life():
            run = self.env["onergy.advance.run"].create(
                {"month": "2025-07-01", "invoice_date": "2025-07-01"}
            )
            run.with_user(self.clerk).action_preview()
            run.action_approve()
            self.env.flush_all()
            self.patch(onergy_advance_run, "BATCH", rng.randint(1, 4))
            crashes += self.run_with_crashes(run, rng)
            self.assertEqual(run.state, "done")
            self.check_bills("advance", expected)
        self.assertTrue(crashes, "nothing crashed: nothing was tried")

    @mute_logger("odoo.sql_db")
    def test_settlements(self):
        """Working out and posting: in one go, and with crashes, come to the same."""
        with freeze_time("2025-07-10"):
            first = self.env.cr.savepoint()
            run = self.settle().settlement_ids
            expected = {
                s.contract_id.id: s.amount_total
                for s in run
                if s.contract_id in self.contracts
            }
            self.env.invalidate_all()
            first.close(rollback=True)
            self.env.invalidate_all()
            self.assertEqual(len(expected), HOMES)
            crashes = 0
            for rng in self.each_life():
                self.patch(onergy_settlement_run, "BATCH", rng.randint(1, 4))
                run = self.create_run(kind="due").sudo()
                run.contract_ids = self.contracts
                run.prepared_by_id = self.clerk
                run._start_step("calculating", HOMES)
                crashes += self.run_with_crashes(run, rng)
                self.assertEqual(run.state, "checked")
                run.with_user(self.manager).action_approve()
                self.env.flush_all()
                crashes += self.run_with_crashes(run, rng)
                self.assertEqual((run.state, run.posted_count), ("done", HOMES))
                self.check_bills("settlement", expected)
        self.assertTrue(crashes, "nothing crashed: nothing was tried")
