from odoo.tests import TransactionCase, tagged

from ..hooks import uninstall_hook


@tagged("post_install", "-at_install")
class TestUninstall(TransactionCase):
    def test_function_of_the_trigger_is_taken_along(self):
        def count():
            self.env.cr.execute(
                "SELECT (SELECT count(*) FROM pg_proc WHERE proname = %(name)s),"
                "(SELECT count(*) FROM pg_trigger WHERE tgname = %(name)s)",
                {"name": "onergy_reading_keep_meter"},
            )
            return self.env.cr.fetchone()

        self.assertEqual(count(), (1, 1))
        uninstall_hook(self.env)
        self.assertEqual(count(), (0, 0))
