from . import portal
from . import notice
