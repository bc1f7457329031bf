"""Records as the connector sends them."""

from payt_client import file_checksum

PDF = b"%PDF-1.4 simulated invoice"
VAT_RATE = {
    "code": "odoo-21.00",
    "rate": "21.00",
    "name": "21 %",
    "category": "regular",
}
LINE = {
    "description": "Voorschot",
    "vat_rate_code": "odoo-21.00",
    "vat_percentage": "21.00",
    "product_quantity": "1",
    "product_price": "100.00",
    "total_excl_tax_amount": "100.00",
    "vat_amount": "21.00",
    "total_incl_tax_amount": "121.00",
    "line_order": 1,
}


def contact(number="1"):
    return {
        "contact_identifier": f"db-contact-{number}",
        "lastname": f"Bewoner {number}",
        "default_email_address": f"bewoner{number}@example.com",
        "postal_address_street_1": "Voorbeeldstraat 1",
        "postal_address_postal_code": "3511AA",
        "postal_address_city": "Utrecht",
        "postal_address_country_code": "NL",
    }


def debtor(number="1"):
    return {
        "debtor_number": f"D{number}",
        "debtor_identifier": f"db-partner-{number}",
        "contact_identifier": f"db-contact-{number}",
        "name": f"Bewoner {number}",
        "is_company": False,
        "country_code": "NL",
        "language_code": "nl",
    }


def invoice(number="1", amount="121.00", open_amount=None, **values):
    return {
        "invoice_number": f"INV/{number}",
        "invoice_identifier": f"db-invoice-{number}",
        "debtor_identifier": "db-partner-1",
        "invoice_date": "2026-11-01",
        "due_date": "2026-11-30",
        "currency_code": "EUR",
        "amount_total": amount,
        "amount_open": open_amount or amount,
        "book_amount_total": amount,
        "book_amount_open": open_amount or amount,
        "payment_method": "bank_transfer",
        "sent_at": "2026-11-01T08:00:00.000Z",
        **values,
    }


def upload_pdf(client, content=PDF):
    checksum = file_checksum(content)
    announced = {
        "checksum": checksum,
        "byte_size": len(content),
        "content_type": "application/pdf",
    }
    for slot in client.announce_files([announced]):
        client.upload(slot, content, "application/pdf")
    return checksum


def load(client, *numbers, **values):
    """Put a debtor and invoices in the simulator, in the order Payt asks for."""
    client.upsert_contacts([contact()])
    client.upsert_debtors([debtor()])
    client.upsert_invoices([invoice(number, **values) for number in numbers])
