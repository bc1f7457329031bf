def uninstall_hook(env):
    """Take along what Odoo does not know to be of this addon."""
    # The trigger would go with its table; the function would stay behind.
    env.cr.execute("DROP FUNCTION IF EXISTS onergy_reading_keep_meter() CASCADE")
