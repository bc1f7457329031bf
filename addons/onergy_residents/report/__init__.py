from . import onergy_letter
from . import onergy_access_letter
from . import onergy_notice_letter
from . import onergy_contract_gap
from . import onergy_mandate_report
from . import onergy_move_letter
