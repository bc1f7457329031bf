from . import onergy_settlement_due
