from . import (
    test_access,
    test_as_of,
    test_clash,
    test_connection,
    test_demo,
    test_faults,
    test_payments,
    test_portal,
    test_property,
    test_pull,
    test_push,
    test_webhook,
)
