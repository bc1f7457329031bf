from . import letters
from . import portal
from . import portal_account
from . import activate
from . import request
from . import notice
from . import move
from . import accessibility
