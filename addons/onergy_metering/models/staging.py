"""Rows on their way to PostgreSQL: a file-like object for COPY."""

from ..parsers import FileError

_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\ufffd"}
)


class CopySource:
    """Readable by ``copy_expert``: encodes rows while the server reads them.

    Only as many rows as fit in one read are held in memory. ``count`` is the number
    of rows delivered. An error of the rows ends the stream and is kept in ``error``:
    raised from within COPY it would come out as a canceled query.
    """

    def __init__(self, rows):
        self._rows = iter(rows)
        self._rest = b""
        self.count = 0
        self.error = None

    def read(self, size=65536):  # pylint: disable=method-required-super
        """The next ``size`` bytes at most; empty at the end."""
        chunks, length = [self._rest], len(self._rest)
        while length < size:
            block = self._block()
            if not block:
                break
            chunks.append(block)
            length += len(block)
        data = b"".join(chunks)
        self._rest = data[size:]
        return data[:size]

    def _block(self, rows=512):
        lines = []
        try:
            for row in self._rows:
                lines.append(_line(row))
                if len(lines) >= rows:
                    break
        except FileError as error:
            self.error = error
        if not lines:
            return b""
        self.count += len(lines)
        # Lone surrogates come from broken JSON escapes; they are no text.
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _line(row):
    line, key, register, moment, value, unit, status, column, raw, reason = row
    if not reason and key.isalnum():
        # Good rows hold nothing that COPY would take for more than text.
        return f"{line}\t{key}\t{register}\t{moment}\t{value}\t{unit}\t{status}\t\t\t"
    return "\t".join(["\\N" if field is None else _text(field) for field in row])


def _text(value):
    if value.__class__ is not str:
        return str(value)
    if value.isalnum():
        return value
    return value.translate(_ESCAPES)
