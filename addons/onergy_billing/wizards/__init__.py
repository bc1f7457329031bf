from . import onergy_tariff_load
from . import onergy_tariff_load_error
