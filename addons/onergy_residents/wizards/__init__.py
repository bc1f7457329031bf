from . import onergy_access_give
from . import onergy_access_invite
from . import onergy_mandate_entry
from . import onergy_move_sheet_upload
