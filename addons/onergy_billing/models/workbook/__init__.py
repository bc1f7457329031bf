from . import builder
from . import front
from . import open_items
from . import settlements
from . import accrual
from . import ledger
from . import vacancy
from . import payt
