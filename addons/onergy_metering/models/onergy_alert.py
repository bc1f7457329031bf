from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL, format_date, formatLang

from ..parsers.units import UNITS
from .onergy_alert_setting import DAILY_KINDS, KINDS
from .onergy_vee_engine import BASE_DEGREE_DAYS, LEARNING_DAYS

BATCH = 50
#: Days in which the last readings of a month come in.
LATE_DAYS = 3
#: Days that "more than expected" and "constant use" look at.
WINDOW_DAYS = 7
#: Of those, days that must be known with their weather.
KNOWN_DAYS = 5
#: Less than this above the expectation is no news, GJ.
LEAST_EXCESS = 0.05
#: Days differ by less than this part of their average: constant.
CONSTANT_SPREAD = 0.1
#: A register that counts in large steps gives equal days by itself.
CONSTANT_STEPS = 20


class OnergyAlert(models.Model):
    """One episode of something that a resident wanted to be warned of.

    It is opened when the condition begins and closed when it ends; while it is open
    there is no second one of its kind. It is mailed once.
    """

    _name = "onergy.alert"
    _description = "Alert to a resident"
    _order = "date_open desc, id desc"
    _rec_name = "kind"

    contract_id = fields.Many2one(
        "onergy.contract", required=True, readonly=True, ondelete="cascade", index=True
    )
    partner_id = fields.Many2one(related="contract_id.partner_id")
    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, index=True
    )
    kind = fields.Selection(KINDS, required=True, readonly=True)
    date_open = fields.Date("From", required=True, readonly=True)
    date_close = fields.Date("Until", readonly=True, help="Empty while it goes on.")
    value = fields.Float(
        digits=(16, 3),
        readonly=True,
        aggregator=None,
        help="GJ in the month or a day, percent above the expectation, or days.",
    )
    threshold = fields.Float("Limit", digits=(16, 2), readonly=True, aggregator=None)
    month = fields.Date(
        readonly=True,
        help="The whole month that was above the limit, where days may not be looked "
        "at. Empty: the month of the first day.",
    )
    mail_state = fields.Selection(
        [("pending", "To mail"), ("sent", "Mailed"), ("none", "No e-mail address")],
        required=True,
        default="pending",
        readonly=True,
    )
    date_mailed = fields.Datetime(readonly=True)

    _open_uniq = models.UniqueIndex("(contract_id, kind) WHERE date_close IS NULL")
    _pending = models.Index("(id) WHERE mail_state = 'pending'")

    # -- job -----------------------------------------------------------------------

    @api.model
    def _cron_check(self):
        """Open, close and mail: a few statements for all residents, then batches.

        An alert is marked as mailed in the transaction that makes its mail, so a run
        that is stopped and started again mails nothing twice.
        """
        self._open_and_close()
        # Each is tried once a run: what stays pending must not make it endless.
        waiting = self.search([("mail_state", "=", "pending")], order="id")
        self.env["ir.cron"]._commit_progress(remaining=len(waiting))
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            batch._send()
            if not self.env["ir.cron"]._commit_progress(len(batch)):
                return

    @api.model
    def _open_and_close(self):
        """Bring the open alerts in line with what holds today."""
        self.env.flush_all()
        today = fields.Date.context_today(self)
        self.env.cr.execute(
            SQL(
                """
                WITH holds AS MATERIALIZED (%(holds)s), closed AS (
                    UPDATE onergy_alert a SET date_close = %(today)s
                     WHERE a.date_close IS NULL AND NOT EXISTS (
                           SELECT 1 FROM holds h
                            WHERE h.contract_id = a.contract_id AND h.kind = a.kind
                              AND h.month IS NOT DISTINCT FROM a.month)
                )
                INSERT INTO onergy_alert (
                    contract_id, company_id, kind, date_open, value, threshold,
                    month, mail_state, create_uid, write_uid, create_date, write_date)
                SELECT h.contract_id, c.company_id, h.kind, %(today)s, h.value,
                       h.threshold, h.month, 'pending',
                       %(uid)s, %(uid)s, %(now)s, %(now)s
                  FROM holds h JOIN onergy_contract c ON c.id = h.contract_id
                ON CONFLICT (contract_id, kind) WHERE date_close IS NULL DO NOTHING
                """,
                holds=SQL(" UNION ALL ").join(self._get_condition_queries(today)),
                today=today,
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )
        self.invalidate_model()

    def _get_condition_queries(self, today):
        """What holds today: ``contract_id, kind, value, threshold, month`` each."""
        this_month = today.replace(day=1)
        whole_month = fields.Date.subtract(
            (today - timedelta(days=LATE_DAYS)).replace(day=1), months=1
        )
        windows = {
            "today": today,
            "first": today - timedelta(days=WINDOW_DAYS),
            "silent": self._get_wanted("silent", today),
            **{
                kind: self._get_wanted(kind, this_month, daily=True)
                for kind in DAILY_KINDS
            },
        }
        return [
            SQL(
                LIMIT_QUERY,
                limit=self._get_wanted("limit", this_month, daily=True),
                first=this_month,
                last=today,
                month=None,
            ),
            SQL(
                LIMIT_QUERY,
                limit=self._get_wanted("limit", whole_month, daily=False),
                first=whole_month,
                last=fields.Date.end_of(whole_month, "month"),
                month=whole_month,
            ),
            SQL(SILENT_QUERY, silent=windows["silent"], today=today),
            SQL(
                EXPECTED_QUERY,
                expected=windows["expected"],
                first=windows["first"],
                today=today,
                base=BASE_DEGREE_DAYS,
                learning=LEARNING_DAYS,
                known=KNOWN_DAYS,
                excess=LEAST_EXCESS,
            ),
            SQL(
                CONSTANT_QUERY,
                constant=windows["constant"],
                first=windows["first"],
                today=today,
                window=WINDOW_DAYS,
                spread=CONSTANT_SPREAD,
                steps=CONSTANT_STEPS,
                units=SQL(", ").join(
                    SQL("(%s, %s::numeric)", name, str(factor))
                    for name, (_kind, factor) in UNITS.items()
                ),
            ),
        ]

    def _get_wanted(self, kind, since, daily=None):
        """Settings of running contracts with their meters, as a sub-select.

        :param date since: meters that were taken down earlier do not count
        :param bool daily: only where days may, or may not, be looked at
        """
        today = fields.Date.context_today(self)
        domain = [
            ("date_start", "<=", today),
            "|",
            ("date_end", "=", False),
            ("date_end", ">=", today),
        ]
        if daily is not None:
            domain.append(("daily_readings_allowed", "=", daily))
        contracts = self.env["onergy.contract"]._search(domain)
        return SQL(
            """
            (SELECT DISTINCT s.contract_id, s.kind, s.threshold::numeric AS threshold,
                    c.connection_id, c.date_start, p.meter_id
               FROM onergy_alert_setting s
               JOIN onergy_contract c ON c.id = s.contract_id
               JOIN onergy_meter_placement p ON p.connection_id = c.connection_id
                AND (p.date_to IS NULL OR p.date_to >= %(since)s)
              WHERE s.active AND s.kind = %(kind)s AND c.id IN %(contracts)s)
            """,
            since=since,
            kind=kind,
            contracts=contracts.subselect(),
        )

    # -- mail and words --------------------------------------------------------------

    def _send(self):
        """Mail the alerts that wait and that no other run is mailing."""
        alerts = self.try_lock_for_update(allow_referencing=True).filtered(
            lambda alert: alert.mail_state == "pending"
        )
        unreachable = alerts.filtered(lambda alert: not alert.partner_id.email)
        unreachable.mail_state = "none"
        mailed = alerts - unreachable
        if mailed:
            self.env.ref("onergy_metering.mail_template_alert").send_mail_batch(
                mailed.ids
            )
            mailed.write({"mail_state": "sent", "date_mailed": fields.Datetime.now()})

    def _get_title(self):
        """What it is about, in a few words for the resident."""
        self.ensure_one()
        return {
            "limit": self.env._("You are above your own limit"),
            "expected": self.env._("You use more than expected"),
            "silent": self.env._("We receive no reading"),
            "constant": self.env._("Your use is constant"),
        }[self.kind]

    def _get_text(self):
        """What was found, in a sentence for the resident."""
        self.ensure_one()
        if self.month:
            return self.env._(
                "You used %(use)s GJ in %(month)s. Your own limit is %(limit)s GJ.",
                use=formatLang(self.env, self.value, digits=2),
                month=format_date(self.env, self.month, date_format="MMMM"),
                limit=formatLang(self.env, self.threshold, digits=2),
            )
        if self.kind == "limit":
            return self.env._(
                "You used %(use)s GJ this month. Your own limit is %(limit)s GJ.",
                use=formatLang(self.env, self.value, digits=2),
                limit=formatLang(self.env, self.threshold, digits=2),
            )
        if self.kind == "expected":
            return self.env._(
                "In the last week you used %(percent)s%% more than we expected in this "
                "weather. Is a window open, or a thermostat higher than usual?",
                percent=formatLang(self.env, self.value, digits=0),
            )
        if self.kind == "silent":
            return self.env._(
                "We have had no reading of your meter for %(days)s days. You do not "
                "have to do anything: we will look into it.",
                days=formatLang(self.env, self.value, digits=0),
            )
        return self.env._(
            "You have used almost the same every day for a week, about %(use)s GJ a "
            "day. Is a tap running, or a radiator always on?",
            use=formatLang(self.env, self.value, digits=2),
        )


LIMIT_QUERY = """
    SELECT s.contract_id, s.kind, sum(d.quantity) AS value, s.threshold,
           %(month)s::date AS month
      FROM %(limit)s s
      JOIN onergy_consumption_day d
        ON d.meter_id = s.meter_id AND d.register = 'energy'
       AND d.connection_id = s.connection_id
       AND d.day BETWEEN GREATEST(%(first)s, s.date_start) AND %(last)s
     GROUP BY s.contract_id, s.kind, s.threshold
    HAVING sum(d.quantity) > s.threshold
"""

# The last reading of each meter is kept; of one that never spoke the placement counts.
SILENT_QUERY = """
    SELECT s.contract_id, s.kind, max(%(today)s - since.day) AS value, s.threshold,
           NULL::date AS month
      FROM %(silent)s s
      JOIN onergy_meter m ON m.id = s.meter_id AND m.active AND m.read_mode = 'remote'
      JOIN onergy_meter_placement p
        ON p.meter_id = m.id AND p.connection_id = s.connection_id
       AND p.date_from <= %(today)s
       AND (p.date_to IS NULL OR p.date_to >= %(today)s)
      LEFT JOIN onergy_meter_register r
        ON r.meter_id = m.id AND r.register = 'energy'
     CROSS JOIN LATERAL (
           SELECT GREATEST(COALESCE((r.last_moment AT TIME ZONE 'UTC'
               AT TIME ZONE 'Europe/Amsterdam')::date, p.date_from), s.date_start)
               AS day) since
     WHERE %(today)s - since.day > s.threshold
     GROUP BY s.contract_id, s.kind, s.threshold
"""

# As the rules of validation expect it: use per degree day, learnt by each register.
# Estimated days and days without a temperature say nothing.
EXPECTED_QUERY = """
    SELECT s.contract_id, s.kind,
           100 * (sum(d.quantity) / sum(e.quantity) - 1) AS value, s.threshold,
           NULL::date AS month
      FROM %(expected)s s
      JOIN onergy_connection h ON h.id = s.connection_id
      JOIN onergy_complex x ON x.id = h.complex_id
      JOIN onergy_meter_register r
        ON r.meter_id = s.meter_id AND r.register = 'energy'
       AND r.day_count >= %(learning)s AND r.weight_sum > 0
      JOIN onergy_consumption_day d
        ON d.meter_id = s.meter_id AND d.register = 'energy'
       AND d.connection_id = s.connection_id AND d.quality <> 'estimated'
       AND d.day >= GREATEST(%(first)s, s.date_start) AND d.day < %(today)s
      JOIN onergy_degree_day w ON w.station = x.weather_station AND w.date = d.day
     CROSS JOIN LATERAL (
           SELECT (r.use_sum / r.weight_sum)::numeric
                  * (w.weighted::numeric + %(base)s) AS quantity) e
     GROUP BY s.contract_id, s.kind, s.threshold
    HAVING count(DISTINCT d.day) >= %(known)s AND sum(e.quantity) > 0
       AND sum(d.quantity) > sum(e.quantity) * (1 + s.threshold / 100)
       AND sum(d.quantity) - sum(e.quantity) > %(excess)s
"""

CONSTANT_QUERY = """
    SELECT found.contract_id, found.kind, max(found.value) AS value, found.threshold,
           NULL::date AS month
      FROM (SELECT s.contract_id, s.kind, s.threshold, avg(d.quantity) AS value
              FROM %(constant)s s
              JOIN onergy_meter m ON m.id = s.meter_id
              JOIN (VALUES %(units)s) unit(name, factor) ON unit.name = m.unit
              JOIN onergy_consumption_day d
                ON d.meter_id = s.meter_id AND d.register = 'energy'
               AND d.connection_id = s.connection_id AND d.quality = 'measured'
               AND d.day >= GREATEST(%(first)s, s.date_start) AND d.day < %(today)s
             GROUP BY s.contract_id, s.kind, s.threshold, m.id, unit.factor
            HAVING count(*) = %(window)s AND min(d.quantity) > 0
               AND max(d.quantity) - min(d.quantity) <= %(spread)s * avg(d.quantity)
               AND avg(d.quantity) >= %(steps)s * m.step::numeric * unit.factor) found
     GROUP BY found.contract_id, found.kind, found.threshold
"""
