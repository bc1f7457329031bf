from . import onergy_access_invite
from . import onergy_contract_end
