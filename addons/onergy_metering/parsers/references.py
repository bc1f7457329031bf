"""References of a profile, resolved once per file into functions on a record."""

from .errors import FileError, RowError


def field_getter(reference, columns):
    """A function from a list of fields to the text of ``reference``.

    ``columns`` maps the names of the header to positions. An unknown name is a
    :class:`FileError`, a record that is too short a :class:`RowError`.
    """
    parts = [part.strip() for part in reference.split("+")]
    getters = [_one_field(part, columns) for part in parts]
    if len(getters) == 1:
        return getters[0]

    def joined(record):
        return " ".join(getter(record) for getter in getters)

    return joined


def _one_field(reference, columns):
    if reference.startswith("="):
        fixed = reference[1:]
        return lambda record: fixed
    if reference.startswith("#"):
        if not reference[1:].isdigit() or reference == "#0":
            raise FileError("bad_profile", f"reference {reference!r}")
        position = int(reference[1:]) - 1
    elif reference.casefold() in columns:
        position = columns[reference.casefold()]
    else:
        raise FileError("missing_column", reference)

    def get(record):
        try:
            return record[position]
        except IndexError:
            raise RowError("missing_column", reference) from None

    return get


def path_getter(reference, fetch):
    """The same for a mapping or an element; ``fetch(record, path)`` reads it."""
    parts = [part.strip() for part in reference.split("+")]

    def get(record):
        return " ".join(
            part[1:] if part.startswith("=") else fetch(record, part) for part in parts
        )

    return get


def fetch_json(record, path):
    """The scalar at a dotted path, as text; empty when absent."""
    for name in path.split("."):
        if not isinstance(record, dict):
            return ""
        record = record.get(name)
    if record is None or isinstance(record, dict | list):
        return ""
    if isinstance(record, bool):
        return "true" if record else "false"
    return record


def fetch_xml(record, path):
    """The text at a path below the record, or below one of its ancestors.

    ``@name`` is an attribute of the record. The nearest hit wins.
    """
    if path.startswith("@"):
        return record.get(path[1:]) or ""
    while record is not None:
        found = record.findtext(path)
        if found is not None:
            return found
        record = record.getparent()
    return ""
