from . import alerts
from . import export
from . import overview
from . import portal
from . import push
from . import move
