"""Homes with meters, and files of their readings."""

from datetime import date, timedelta

FIRST_DAY = date(2024, 1, 1)
SERIAL = 70_000_000


class Town:
    """A complex with so many homes, each with one heat meter.

    Made by SQL: this is not what is measured.
    """

    def __init__(self, env, meters):
        self.env = env
        self.cr = env.cr
        self.meters = meters
        self.next_day = 0
        self._prepare()

    def _prepare(self):
        cr = self.cr
        company = self.env.company.id
        complex_ = self.env["onergy.complex"].create(
            {"name": "Bench", "code": f"B{self.meters}"}
        )
        self.env.flush_all()
        cr.execute("SELECT COALESCE(max(id), 0) FROM onergy_meter")
        [above] = cr.fetchone()
        cr.execute("SELECT COALESCE(max(id), 0) FROM onergy_connection")
        [above_homes] = cr.fetchone()
        cr.execute(
            """
            INSERT INTO onergy_connection (complex_id, company_id, street, house_number,
                                           zip, city, name, active, dwelling_type)
            SELECT %s, %s, 'S', g::text, '1000AA', 'X', 'S ' || g, TRUE, 'apartment'
              FROM generate_series(1, %s) g
            """,
            [complex_.id, company, self.meters],
        )
        cr.execute(
            """
            INSERT INTO onergy_meter (serial, company_id, active, medium, unit,
                                      volume_unit, step, read_mode, scope)
            SELECT (%s + g)::text, %s, TRUE, 'heat', 'GJ', 'm3', 0.001, 'remote',
                   'dwelling'
              FROM generate_series(1, %s) g
            """,
            [SERIAL, company, self.meters],
        )
        cr.execute(
            """
            INSERT INTO onergy_meter_placement (meter_id, connection_id, company_id,
                                                date_from)
            SELECT m.id, c.id, m.company_id, '2020-01-01'
              FROM (SELECT id, company_id, row_number() OVER (ORDER BY id) AS n
                      FROM onergy_meter WHERE id > %s) m
              JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n
                      FROM onergy_connection WHERE id > %s) c USING (n)
            """,
            [above, above_homes],
        )
        self.env["onergy.degree.day"]._load_temperatures(
            ("260", FIRST_DAY + timedelta(days=number), "5", False)
            for number in range(1200)
        )
        cr.execute("SELECT id FROM onergy_meter WHERE id > %s ORDER BY id", [above])
        self.meter_ids = [meter_id for (meter_id,) in cr.fetchall()]
        self.complex = complex_
        self.vacuum()

    def vacuum(self):
        """Clean up and analyse, as the server does by itself every minute."""
        self.cr.commit()
        self.cr._cnx.autocommit = True
        self.cr.execute("VACUUM ANALYZE")
        self.cr._cnx.autocommit = False

    def take_days(self, count):
        first = self.next_day
        self.next_day += count
        return [FIRST_DAY + timedelta(days=first + n) for n in range(count)]

    def write_file(self, out, days):
        """A CSV file of all meters, with one unknown meter and one bad date a day.

        :param out: binary stream
        """
        out.write(b"serial,date,value,unit\n")
        for day in days:
            value = 100 + (day - FIRST_DAY).days * 0.3
            lines = [
                f"{SERIAL + number},{day},{value + number % 7 / 10:.3f},GJ\n"
                for number in range(1, self.meters - 1)
            ]
            lines.append(f"60000000,{day},1,GJ\n{SERIAL + 1},2024-13-{day.day},1,GJ\n")
            out.write("".join(lines).encode())
        out.seek(0)
        return out
