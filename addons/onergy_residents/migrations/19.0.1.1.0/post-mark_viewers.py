def migrate(cr, version):
    """Mark who was made to look at a home, so that he is forgotten with his access.

    Contact and access of somebody new were made in one transaction.
    """
    cr.execute(
        """
        UPDATE res_partner p SET onergy_viewer = TRUE
          FROM onergy_access_grant g
         WHERE g.partner_id = p.id AND g.create_date = p.create_date
        """
    )
