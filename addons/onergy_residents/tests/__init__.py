from . import test_access_code
from . import test_contract
from . import test_portal_access
from . import test_portal_finance
from . import test_request
from . import test_demo
from . import test_request_portal
