from . import onergy_access_invite
