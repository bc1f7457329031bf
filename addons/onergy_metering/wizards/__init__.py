from . import onergy_reading_upload
from . import onergy_reading_resolve
from . import onergy_reading_entry
