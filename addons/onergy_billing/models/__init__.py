from . import onergy_delivery_set
from . import onergy_vat_rate
from . import onergy_tariff_cap
from . import onergy_tariff
from . import onergy_tariff_line
from . import onergy_connection
