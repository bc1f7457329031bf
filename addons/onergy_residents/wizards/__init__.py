from . import onergy_access_give
from . import onergy_access_invite
from . import onergy_mandate_entry
