from . import onergy_complex
from . import onergy_connection
from . import onergy_contract
from . import onergy_advance
from . import res_partner
from . import account_move
