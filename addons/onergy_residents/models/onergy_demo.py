import csv
from base64 import b64encode
from datetime import timedelta
from random import Random

from dateutil.relativedelta import relativedelta

from odoo import Command, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import file_open

SEED = "onergy"
# What a heat supplier would log in with; every password is printed by ./dev demo.
STAFF = [
    # role, login, password, name, group
    ("clerk", "klantenservice@example.com", "demo-klantenservice", "Klantenservice"),
    ("accountant", "boekhouding@example.com", "demo-boekhouding", "Boekhouding"),
    ("manager", "beheer@example.com", "demo-beheer", "Beheer"),
    ("metering", "meetdienst@example.com", "demo-meetdienst", "Meetdienst"),
]
STAFF_GROUPS = {
    "clerk": "onergy_residents.group_customer_service",
    "accountant": "onergy_residents.group_accountant",
    "manager": "onergy_residents.group_manager",
    "metering": "onergy_residents.group_metering",
}
RESIDENTS = [
    # role, login, password
    ("resident", "bewoner@example.com", "demo-bewoner"),
    ("past resident", "oud-bewoner@example.com", "demo-oud-bewoner"),
]
COMPLEXES = [
    {
        "code": "LK",
        "name": "Warmtenet Lindekwartier",
        "regime": "warmtewet",
        "streets": [("Lindelaan", 34, "1234 AB"), ("Esdoornstraat", 26, "1234 AC")],
        "dwellings": ["terraced", "terraced", "corner", "semi_detached"],
        "areas": (85, 145),
        "roles": ["owner_occupier", "owner_occupier", "tenant"],
    },
    {
        "code": "BH",
        "name": "Beukenhof",
        "regime": "servicekosten",
        "streets": [("Beukenhof", 36, "1234 BA")],
        "dwellings": ["apartment"],
        "areas": (48, 78),
        "roles": ["tenant"],
        "owner": "Woonstichting Beukenhof",
    },
    {
        "code": "WL",
        "name": "VvE De Waterlelie",
        "regime": "vve",
        "streets": [("Waterlelieplein", 24, "1234 CA")],
        "dwellings": ["apartment"],
        "areas": (70, 125),
        "roles": ["owner_occupier"],
        "owner": "VvE De Waterlelie",
        "service_cooling": True,
        "floors": "ABC",
    },
]
CITY = "Lindedam"
MOVES = 20


def _mod97(text):
    return int("".join(str(int(char, 36)) for char in text)) % 97


def make_iban(number):
    """Return a Dutch IBAN of the fictional bank TEST with right check digits.

    ISO 13616: 98 minus (BBAN, country, "00" as digits) modulo 97.
    """
    bban = f"TEST{number:010d}"
    return f"NL{98 - _mod97(f'{bban}NL00'):02d}{bban}"


def make_ean(number):
    """Return an EAN-18 in an unused range, with its GS1 check digit."""
    digits = f"8799{number:013d}"
    weighted = sum(
        int(digit) * (3 if position % 2 == 0 else 1)
        for position, digit in enumerate(reversed(digits))
    )
    return f"{digits}{-weighted % 10}"


def _read_demo_csv(name):
    with file_open(f"onergy_residents/demo/{name}.csv") as file:
        return list(csv.DictReader(file))


class OnergyDemo(models.AbstractModel):
    """A made-up heat supplier to look around in.

    Everything follows from a seed and the date, so that two databases made on one
    day are the same. Other addons extend :meth:`_load_parts` with their own data.
    """

    _name = "onergy.demo"
    _description = "Demo supplier"

    @api.private
    @api.model
    def load(self):
        """Fill the company with the demo supplier; does nothing the second time.

        :raise UserError: the company has no chart of accounts
        """
        company = self.env.company
        if not company.chart_template:
            raise UserError(
                self.env._(
                    "Choose a chart of accounts for %(company)s first.",
                    company=company.name,
                )
            )
        demo = self.with_context(
            lang="en_US",
            tz="Europe/Amsterdam",
            tracking_disable=True,
            mail_create_nosubscribe=True,
            mail_auto_subscribe_no_notify=True,
            mail_activity_quick_update=True,
            no_reset_password=True,
        )
        demo._load_parts(fields.Date.context_today(demo))

    @api.private
    @api.model
    def logins(self):
        """Return (role, login, password) of the users that exist."""
        known = set(
            self.env["res.users"]
            .search([("login", "in", [line[1] for line in [*STAFF, *RESIDENTS]])])
            .mapped("login")
        )
        order = ["clerk", "accountant", "resident", "past resident"]
        lines = [line[:3] for line in [*STAFF, *RESIDENTS] if line[1] in known]
        return sorted(
            lines, key=lambda line: order.index(line[0]) if line[0] in order else 9
        )

    def _load_parts(self, today):
        """Hook: load each part that is not there yet."""
        if not self.env["onergy.complex"].search_count([], limit=1):
            self._load_residents(today)

    def _random(self, part):
        """Return a source of chance of its own for each part."""
        return Random(f"{SEED}-{part}")

    def _demo_lang(self):
        installed = dict(self.env["res.lang"].get_installed())
        return "nl_NL" if "nl_NL" in installed else self.env.lang

    def _load_residents(self, today):
        self._load_company()
        staff = self._load_staff()
        connections = self._load_connections()
        contracts = self._load_contracts(connections, today)
        self._load_advances(contracts, today)
        self._load_portal_users(contracts)
        self._load_invoices(contracts, today)
        self._load_requests(contracts, staff["clerk"], today)

    # ------------------------------------------------------------------ company
    def _load_company(self):
        company = self.env.company
        if not company.email:
            company.email = STAFF[0][1]
        if not company.phone:
            company.phone = "+31 20 000 0000"
        # Amounts as Dutch readers write them: € 12,34.
        company.currency_id.position = "before"
        with file_open("onergy_residents/demo/logo.png", "rb") as file:
            company.logo = b64encode(file.read())
        if not self.env["mail.alias.domain"].search_count([], limit=1):
            self.env["mail.alias.domain"].create({"name": "example.com"})

    def _load_staff(self):
        users = self.env["res.users"].create(
            [
                {
                    "name": name,
                    "login": login,
                    "email": login,
                    "password": password,
                    "lang": self._demo_lang(),
                    "tz": "Europe/Amsterdam",
                    "notification_type": "inbox",
                    "group_ids": [Command.set(self.env.ref(STAFF_GROUPS[role]).ids)],
                }
                for role, login, password, name in STAFF
            ]
        )
        return {line[0]: user for line, user in zip(STAFF, users, strict=True)}

    # ------------------------------------------------------------------ dwellings
    def _load_connections(self):
        rng = self._random("connections")
        country = self.env.ref("base.nl")
        values = []
        for spec in COMPLEXES:
            owner = self.env["res.partner"]
            if spec.get("owner"):
                owner = owner.create(
                    {
                        "name": spec["owner"],
                        "is_company": True,
                        "city": CITY,
                        "country_id": country.id,
                        "lang": self._demo_lang(),
                        "email": f"kantoor.{spec['code'].lower()}@example.com",
                    }
                )
            site = self.env["onergy.complex"].create(
                {
                    "name": spec["name"],
                    "code": spec["code"],
                    "regime": spec["regime"],
                    "daily_basis": "contract",
                    "daily_basis_note": "Leveringsvoorwaarden, artikel 7: dagstanden "
                    "voor inzicht in het verbruik",
                    "owner_id": owner.id,
                    "street": spec["streets"][0][0],
                    "zip": spec["streets"][0][2],
                    "city": CITY,
                }
            )
            for street, count, postcode in spec["streets"]:
                values += [
                    {
                        "complex_id": site.id,
                        "street": street,
                        "zip": postcode,
                        "city": CITY,
                        "country_id": country.id,
                        "dwelling_type": rng.choice(spec["dwellings"]),
                        "floor_area": rng.randint(*spec["areas"]),
                        "service_cooling": spec.get("service_cooling", False),
                        **self._house_number(position, spec.get("floors")),
                    }
                    for position in range(count)
                ]
        for number, vals in enumerate(values, start=1):
            vals["ean"] = make_ean(number)
            vals["bag_id"] = f"9999010{number:09d}"
        return self.env["onergy.connection"].create(values)

    def _house_number(self, position, floors):
        if not floors:
            return {"house_number": str(position + 1)}
        return {
            "house_number": str(position // len(floors) + 1),
            "house_addition": floors[position % len(floors)],
        }

    # ------------------------------------------------------------------ contracts
    def _load_contracts(self, connections, today):
        """Make one payer for each day of each connection.

        Twenty dwellings changed hands in the past two years: one stands empty now,
        three residents moved to another dwelling of ours.
        """
        rng = self._random("contracts")
        periods = self._plan_periods(connections, rng, today)
        payers = {period["payer"] for period in periods if period["payer"]}
        partners = self._load_payers(sorted(payers), periods, rng)
        accounts = self._load_bank_accounts(partners)
        contracts = self.env["onergy.contract"].create(
            [
                self._prepare_contract(period, partners, accounts, rng)
                for period in periods
            ]
        )
        return contracts

    def _plan_periods(self, connections, rng, today):
        """Return {connection, payer, role, start, end} of each contract.

        ``payer`` is a number; none means the owner of the complex.
        """
        roles = {spec["code"]: spec["roles"] for spec in COMPLEXES}
        month = today.replace(day=1)
        rental = connections.filtered(lambda c: c.complex_id.code == "BH")
        empty = rng.choice(rental)
        # The portal's resident lives in the first dwelling and owns an apartment.
        homes = (
            connections[0]
            | connections.filtered(lambda c: c.complex_id.code == "WL")[0]
        )
        movable = connections - empty - homes
        moved = [empty, *rng.sample(list(movable), MOVES - 1)]
        periods = []
        for number, connection in enumerate(connections, start=1):
            role = rng.choice(roles[connection.complex_id.code])
            start = month - relativedelta(months=rng.randint(30, 96))
            period = {
                "connection": connection,
                "payer": 1 if connection in homes else number,
                "role": role,
                "start": start,
                "end": False,
            }
            if connection in moved:
                if connection == empty:
                    leaves = month - relativedelta(months=1)
                else:
                    leaves = month - relativedelta(months=rng.randint(2, 22))
                    leaves += timedelta(days=rng.choice([0, 0, 0, 14]))
                periods.append(
                    {
                        **period,
                        "payer": 1000 + number,
                        "end": leaves - timedelta(days=1),
                    }
                )
                period["start"] = leaves
                if connection == empty:
                    period.update(payer=None, role="vacancy")
            periods.append(period)
        self._plan_internal_moves(periods)
        return periods

    def _plan_internal_moves(self, periods):
        """Let three residents who left live in a dwelling that came free later."""
        left = [p for p in periods if p["payer"] and p["payer"] > 1000]
        arrived = [p for p in periods if not p["end"] and p["payer"]]
        left_at = {p["connection"]: p["end"] for p in left}
        moves = 0
        for period in sorted(left, key=lambda p: (p["end"], p["payer"])):
            targets = [
                p
                for p in arrived
                if p["connection"] in left_at and p["start"] > period["end"]
            ]
            if targets and moves < 3:
                target = min(targets, key=lambda p: (p["start"], p["payer"]))
                arrived.remove(target)
                target["payer"] = period["payer"]
                moves += 1

    def _load_payers(self, numbers, periods, rng):
        """Return {number: partner}; the address is the newest dwelling's."""
        dwelling = {
            p["payer"]: p["connection"]
            for p in sorted(periods, key=lambda p: p["start"], reverse=True)
            if p["payer"] and p["payer"] != 1
        }
        dwelling[1] = periods[0]["connection"]
        surnames = [line["surname"] for line in _read_demo_csv("surnames")]
        values = []
        for number in numbers:
            initial = rng.choice("ABCDEFGHJKLMNPRSTVW")
            surname = rng.choice(surnames)
            slug = f"{initial}.{surname}".lower().replace(" ", "")
            home = dwelling[number]
            values.append(
                {
                    "name": f"{initial}. {surname}",
                    "email": False
                    if number != 1 and rng.random() < 0.12
                    else f"{slug}.{number}@example.com",
                    "phone": f"+31 6 0000 {number:04d}",
                    "street": f"{home.street} {home.house_number}"
                    f"{home.house_addition or ''}",
                    "zip": home.zip,
                    "city": home.city,
                    "country_id": home.country_id.id,
                    "lang": self._demo_lang(),
                    "tz": "Europe/Amsterdam",
                }
            )
        partners = self.env["res.partner"].create(values)
        return dict(zip(numbers, partners, strict=True))

    def _load_bank_accounts(self, partners):
        accounts = self.env["res.partner.bank"].create(
            [
                {"partner_id": partner.id, "acc_number": make_iban(number)}
                for number, partner in partners.items()
            ]
        )
        return {account.partner_id: account for account in accounts}

    def _prepare_contract(self, period, partners, accounts, rng):
        connection = period["connection"]
        partner = partners.get(period["payer"]) or connection._get_vacancy_payer()
        direct_debit = rng.random() < 0.75 and partner in accounts
        if period["payer"] == 1 and connection.complex_id.code == "LK":
            # The portal's resident pays this home's bills himself: one is open.
            direct_debit = False
        return {
            "connection_id": connection.id,
            "partner_id": partner.id,
            "role": period["role"],
            "date_start": period["start"],
            "date_end": period["end"],
            "payment_method": "direct_debit" if direct_debit else "bank_transfer",
            "invoice_delivery": "email" if partner.email else "post",
            "bank_account_id": accounts[partner].id if direct_debit else False,
        }

    def _load_advances(self, contracts, today):
        rng = self._random("advances")
        values = []
        for contract in contracts:
            amount = 40 + contract.connection_id.floor_area
            amount = 5 * round(amount * rng.uniform(0.85, 1.2) / 5)
            values.append(
                {
                    "contract_id": contract.id,
                    "amount": amount,
                    "date_from": contract.date_start,
                    "origin": "staff",
                }
            )
            for year in (today.year - 2, today.year - 1, today.year):
                change = today.replace(year=year, month=7, day=1)
                last_day = contract.date_end or today
                if not contract.date_start < change <= last_day or rng.random() < 0.2:
                    continue
                amount = 5 * round(amount * rng.uniform(0.92, 1.13) / 5)
                values.append(
                    {
                        "contract_id": contract.id,
                        "amount": amount,
                        "date_from": change,
                        "origin": rng.choice(["settlement", "settlement", "resident"]),
                    }
                )
        return self.env["onergy.advance"].create(values)

    # ------------------------------------------------------------------ portal
    def _load_portal_users(self, contracts):
        """Give a login to a resident with two homes and to one who left."""
        payers = contracts.partner_id
        current = contracts[0].partner_id
        past = payers.filtered(
            lambda p: all(c.date_end for c in p.onergy_contract_ids) and p.email
        )[:1]
        self.env["res.users"].create(
            [
                {
                    "partner_id": partner.id,
                    "login": login,
                    "email": login,
                    "password": password,
                    "lang": self._demo_lang(),
                    "group_ids": [Command.set(self.env.ref("base.group_portal").ids)],
                }
                for partner, (_role, login, password) in zip(
                    (current, past), RESIDENTS, strict=True
                )
            ]
        )
