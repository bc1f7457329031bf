from . import test_engine
from . import test_print
from . import test_records
from . import test_url_fetcher
from . import test_standard
from . import test_wkhtmltopdf
