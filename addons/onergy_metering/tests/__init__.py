from . import test_parsers
from . import test_mbus
from . import test_loader
from . import test_consumption
from . import test_import
from . import test_access
from . import test_portal
from . import test_demo
