import csv
import io
import json
import tempfile
import zipfile

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import html2plaintext

#: A household with ten meters, read every day for ten years, is a tenth of this.
MAX_ROWS = 500_000
FORMULA_MARKS = ("=", "+", "-", "@")
#: Kept in memory up to this size, then on disk.
MAX_IN_MEMORY = 4 * 1024 * 1024


class OnergyDataExport(models.AbstractModel):
    """Everything we hold about a resident, in a form machines read.

    GDPR articles 15 and 20. Each addon adds its kinds with :meth:`_get_kinds`; each
    kind becomes a JSON and a CSV file of the archive. Only his own periods: a kind
    limits itself to the contracts of the resident.
    """

    _name = "onergy.data.export"
    _description = "Copy of a resident's data"

    @api.model
    def _get_kinds(self, partner, contracts):
        """Hook: return the kinds of data, as list of (name, columns, rows).

        ``name`` is the file's, ``columns`` the keys, ``rows`` a function that yields
        a tuple per row; it is called twice, so that no kind has to fit in memory.

        :param partner: the resident, as superuser
        :param contracts: his contracts, as superuser
        """
        return [
            self._get_person(partner),
            self._from_records(
                "contracts",
                contracts,
                {
                    "number": "name",
                    "address": "connection_id.name",
                    "ean": "connection_id.ean",
                    "role": "role",
                    "from": "date_start",
                    "until": "date_end",
                    "payment_method": "payment_method",
                    "bills_by": "invoice_delivery",
                    "bank_account": "bank_account_id.sanitized_acc_number",
                },
            ),
            self._from_records(
                "advances",
                contracts.advance_ids,
                {
                    "contract": "contract_id.name",
                    "from": "date_from",
                    "amount": "amount",
                },
            ),
            self._from_records(
                "mandates",
                contracts.mandate_ids,
                {
                    "reference": "name",
                    "contract": "contract_id.name",
                    "account": "bank_account_id.sanitized_acc_number",
                    "account_holder": "holder_name",
                    "signed": "signed_date",
                    "how": "signed_how",
                    "valid_from": "valid_from",
                    "state": "state",
                    "ended": "date_end",
                },
            ),
            self._from_records(
                "consents",
                self.env["onergy.consent"].search([("partner_id", "=", partner.id)]),
                {
                    "purpose": "purpose_id.name",
                    "contract": "contract_id.name",
                    "text": "text",
                    "given": "date_given",
                    "channel": "channel",
                    "withdrawn": "date_withdrawn",
                },
            ),
            self._from_records(
                "bills",
                self._get_bills(partner, contracts),
                {
                    "number": "name",
                    "contract": "onergy_contract_id.name",
                    "kind": "onergy_move_kind",
                    "date": "invoice_date",
                    "due": "invoice_date_due",
                    "amount": "amount_total_signed",
                    "still_to_pay": "amount_residual_signed",
                },
            ),
            self._get_messages(partner),
            self._from_records(
                "views_by_staff",
                self.env["onergy.access.log"].search([("partner_id", "=", partner.id)]),
                {"hour": "moment", "who": "user_id.name", "what": "what", "how": "how"},
            ),
        ]

    @api.model
    def _get_person(self, partner):
        users = partner.with_context(active_test=False).user_ids
        return self._from_records(
            "person",
            partner,
            {
                "name": "name",
                "customer_number": "debtor_number",
                "email": "email",
                "phone": "phone",
                "street": "street",
                "street2": "street2",
                "postcode": "zip",
                "city": "city",
                "language": "lang",
            },
            extra={"login": ", ".join(users.mapped("login"))},
        )

    @api.model
    def _get_bills(self, partner, contracts):
        """Return his posted bills, not those of another payer of the same debtor."""
        return self.env["account.move"].search(
            [
                ("partner_id", "child_of", partner.commercial_partner_id.id),
                ("move_type", "in", ("out_invoice", "out_refund")),
                ("state", "=", "posted"),
                ("onergy_contract_id", "in", [False, *contracts.ids]),
            ],
            order="invoice_date",
        )

    @api.model
    def _get_messages(self, partner):
        requests = (
            self.env["onergy.request"]
            .with_context(active_test=False)
            .search([("partner_id", "=", partner.id)])
        )

        def rows():
            for record in requests:
                yield (
                    record.name,
                    record.create_date,
                    record.subject,
                    _plain(record.description),
                )
                for message in record._get_conversation():
                    yield record.name, message.date, "", _plain(message.body)

        return "requests", ("number", "date", "subject", "text"), rows

    @api.model
    def _from_records(self, name, records, paths, extra=None):
        """Return a kind whose rows are records.

        :param dict paths: column -> field, dots follow relations
        :param dict extra: column -> value, the same in every row
        """
        extra = extra or {}

        def rows():
            for record in records:
                yield (
                    *(_follow(record, path) for path in paths.values()),
                    *extra.values(),
                )

        return name, (*paths, *extra), rows

    @api.model
    def _write(self, partner):
        """Return the archive, an open file at its start.

        :raise UserError: there is more than can be sent in one go
        """
        # sudo: the caller gives the resident himself; each kind is limited to him
        export = self.sudo()
        partner = partner.sudo()
        contracts = (
            export.env["onergy.contract"]
            .with_context(active_test=False)
            .search([("partner_id", "=", partner.id)])
        )
        # Closed by the web server once it has been sent.
        archive = tempfile.SpooledTemporaryFile(MAX_IN_MEMORY)  # pylint: disable=consider-using-with
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            target.writestr("README.txt", export._get_readme(partner))
            left = MAX_ROWS
            for name, columns, rows in export._get_kinds(partner, contracts):
                left -= export._write_csv(target, name, columns, rows, left)
                export._write_json(target, name, columns, rows)
        archive.seek(0)
        partner._message_log(
            body=self.env._("The resident downloaded a copy of his data."),
            author_id=partner.id,
        )
        return archive

    @api.model
    def _get_readme(self, partner):
        return self.env._(
            "This is what %(company)s holds about %(name)s on %(date)s.\n\n"
            "Each kind of data is there twice: as .csv, which opens in a spreadsheet, "
            "and as .json, for other programs. Moments are in UTC, amounts in euro, "
            "heat in gigajoule (GJ).\n",
            company=partner._onergy_get_company().name,
            name=partner.name,
            date=fields.Date.context_today(self),
        )

    @api.model
    def _write_csv(self, target, name, columns, rows, limit):
        count = 0
        with (
            target.open(f"{name}.csv", "w") as raw,
            io.TextIOWrapper(raw, "utf-8-sig", newline="") as text,
        ):
            writer = csv.writer(text, delimiter=";")
            writer.writerow(columns)
            for row in rows():
                count += 1
                if count > limit:
                    raise UserError(
                        self.env._(
                            "This is too much for one file. Ask us, then we send it "
                            "to you."
                        )
                    )
                writer.writerow([_as_cell(value) for value in row])
        return count

    @api.model
    def _write_json(self, target, name, columns, rows):
        with (
            target.open(f"{name}.json", "w") as raw,
            io.TextIOWrapper(raw, "utf-8") as text,
        ):
            text.write("[")
            for number, row in enumerate(rows()):
                text.write(",\n" if number else "\n")
                values = dict(zip(columns, row, strict=True))
                json.dump(values, text, default=str, ensure_ascii=False)
            text.write("\n]\n")


def _follow(record, path):
    value = record
    for name in path.split("."):
        value = value[name]
    # An empty field is nothing, except a number or a tick.
    return None if value is False or value is None else value


def _as_cell(value):
    if value is None:
        return ""
    text = str(value)
    # A spreadsheet would take what a person wrote for a formula.
    return (
        f"'{text}"
        if isinstance(value, str) and text.startswith(FORMULA_MARKS)
        else text
    )


def _plain(html):
    return html2plaintext(html or "")
