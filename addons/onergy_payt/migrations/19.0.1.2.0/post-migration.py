"""Learn again which invoices the payments that we know are for."""


def migrate(cr, version):
    # Read from the beginning, the list says it of each; what is the same changes not.
    cr.execute(
        "UPDATE payt_cursor SET watermark = NULL WHERE resource = 'psp_transactions'"
    )
