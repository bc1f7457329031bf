from . import test_connection, test_payments, test_push, test_webhook
