from . import export
from . import portal
from . import push
from . import move
