from . import engine
from . import page
from . import url_fetcher
from . import renderer
