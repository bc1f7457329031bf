"""What can be wrong with a file or with one of its rows.

Reasons are stable codes; the words a clerk reads (and the remedy) belong to
``onergy.reading.exception``, where they can be translated.
"""


class FileError(Exception):
    """The file as a whole cannot be read; nothing of it may land."""

    def __init__(self, reason, detail=""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def at(self, line):
        """This error, with the line where reading stopped where it has none yet."""
        if self.reason == "file_too_large" and not self.detail:
            self.detail = str(line)
        return self


class RowError(Exception):
    """One row cannot be used; the others are not affected."""

    def __init__(self, reason, column="", raw=""):
        super().__init__(f"{reason}: {column}={raw!r}")
        self.reason = reason
        self.column = column
        self.raw = raw


class SkipRow(Exception):
    """The row is none of our business (filtered out, or a trailer)."""
