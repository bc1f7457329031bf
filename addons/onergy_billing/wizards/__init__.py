from . import account_move_reversal
from . import onergy_tariff_load
from . import onergy_tariff_load_error
from . import onergy_advance_propose
from . import onergy_open_item_day
