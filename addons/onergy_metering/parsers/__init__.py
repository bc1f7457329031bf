"""Reading files: from bytes to rows, without Odoo.

The modules here know nothing of Odoo or of a database, so that a format can be
tested, fuzzed and timed on its own. :func:`read_rows` is the one entry point.
"""

from .containers import sniff
from .errors import FileError, RowError
from .profile import Profile
from .rows import ROW_FIELDS, read_rows

__all__ = ["ROW_FIELDS", "FileError", "Profile", "RowError", "read_rows", "sniff"]
