def migrate(cr, version):
    """Drop lines that a stopped server left twice: the index allows one a contract."""
    cr.execute(
        """
        DELETE FROM onergy_accrual_line older
         USING onergy_accrual_line newer
         WHERE newer.accrual_id = older.accrual_id
           AND newer.contract_id = older.contract_id AND newer.id > older.id
        """
    )
