from . import test_engine
from . import test_engine_properties
from . import test_tariff
from . import test_advance
from . import test_settlement
from . import test_settlement_case_a
from . import test_portal
from . import test_workbook
