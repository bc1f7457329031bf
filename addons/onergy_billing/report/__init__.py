from . import onergy_settlement_due
from . import onergy_open_item
