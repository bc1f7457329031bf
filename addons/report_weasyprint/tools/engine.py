"""The one place that imports WeasyPrint.

Importing it loads Pango, Harfbuzz and Fontconfig, which pip does not install. A
server without them must still start and offer its other reports, so the failure is
kept here for :meth:`ir.actions.report.get_wkhtmltopdf_state` to report.
"""

import logging

_logger = logging.getLogger(__name__)

# Both libraries comment on every unknown property of Bootstrap and every table of
# every font. A level chosen by the administrator (--log-handler) is respected.
for _name in ("weasyprint", "weasyprint.progress", "fontTools"):
    _chatty = logging.getLogger(_name)
    if _chatty.level == logging.NOTSET:
        _chatty.setLevel(logging.ERROR)

try:
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher, URLFetcherResponse
except (ImportError, OSError) as error:  # OSError: a shared library is missing
    _logger.warning("WeasyPrint cannot be used: %s", error)
    CSS = HTML = FontConfiguration = URLFetcherResponse = None
    URLFetcher = object
    available = False
else:
    available = True
