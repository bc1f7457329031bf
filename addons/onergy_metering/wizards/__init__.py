from . import onergy_degree_day_upload
from . import onergy_meter_exchange
from . import onergy_metering_export
from . import onergy_metering_overview
from . import onergy_metering_overview_line
from . import onergy_reading_entry
from . import onergy_reading_resolve
from . import onergy_reading_upload
