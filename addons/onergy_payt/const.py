"""Values that several models share."""

# Rows that machines make by the hundred need no "created" note and no followers.
QUIET = {
    "tracking_disable": True,
    "mail_create_nolog": True,
    "mail_create_nosubscribe": True,
    "mail_notrack": True,
}
