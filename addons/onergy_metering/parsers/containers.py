"""From bytes to records: compression, text encoding and the container formats.

Everything streams, except a JSON document and the parts of a workbook, which are
bounded in size instead. What a stream holds at a time, be it a line or what lies
between two records of XML, is bounded too: a small file may unpack to anything.
"""

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import re
import zipfile
import zlib

from .errors import FileError

#: More than this many bytes after decompression is not a reading file.
MAX_BYTES = 4 * 1024**3
#: Of documents that are held in memory: JSON and workbooks.
MAX_JSON_BYTES = 128 * 1024**2
MAX_WORKBOOK_BYTES = 128 * 1024**2
#: What the sheets of a workbook may unpack to, and its other parts, which are held.
MAX_SHEET_BYTES = 1024**3
MAX_PART_BYTES = 64 * 1024**2
#: Rows that a sheet can have, and the cells of it that are looked at.
MAX_SHEET_ROWS = 1 << 20
MAX_CELLS = 50_000_000
#: Values of a JSON document: empty lists take twenty times their text.
MAX_JSON_VALUES = 8_000_000
MAX_XML_BYTES = 512 * 1024**2
#: Of a record and what comes before it; and what is held of the elements around them,
#: in which each record may look for what it lacks itself.
MAX_XML_GAP = 4 * 1024**2
MAX_XML_NODES = 20_000
#: Of a line, and of a record that quotes line breaks.
MAX_LINE_BYTES = 16 * 1024**2
_LINES = ("csv", "jsonl", "hex")
_SNIFF = 65536

csv.field_size_limit(1 << 20)


class _Limited(io.RawIOBase):
    """A stream that refuses to deliver more than ``limit`` bytes.

    :param line_limit: bytes of a line at most, for what is read by lines
    """

    def __init__(self, stream, limit, line_limit=None):
        self._stream = stream
        self._left = limit
        self._line_limit = line_limit
        self._line = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        try:
            chunk = self._stream.read(len(buffer))
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise FileError("bad_compression", str(error)) from None
        except (zipfile.BadZipFile, RuntimeError) as error:
            raise FileError("bad_compression", str(error)) from None
        self._left -= len(chunk)
        if self._left < 0:
            raise FileError("file_too_large")
        if self._line_limit:
            self._measure_line(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def _measure_line(self, chunk):
        end = chunk.rfind(b"\n")
        if end < 0:
            end = chunk.rfind(b"\r")
        self._line = len(chunk) - end - 1 + (self._line if end < 0 else 0)
        if self._line > self._line_limit:
            raise FileError("file_too_large")


def decompressed(stream, container, limit=MAX_BYTES):
    """A buffered stream of the content, whatever it was packed with.

    gzip, bzip2, xz and zip (of one file) are known by their first bytes, not by a
    file name. ``stream`` must be seekable.
    """
    magic = stream.read(6)
    stream.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        stream = gzip.GzipFile(fileobj=stream)
    elif magic.startswith(b"BZh"):
        stream = bz2.BZ2File(stream)
    elif magic == b"\xfd7zXZ\x00":
        stream = lzma.LZMAFile(stream)
    elif magic.startswith(b"PK\x03\x04") and container != "xlsx":
        stream = _only_member(stream)
    line_limit = MAX_LINE_BYTES if container in _LINES else None
    limited = _Limited(stream, limit, line_limit)
    return io.BufferedReader(limited, buffer_size=1 << 16)


def _only_member(stream):
    try:
        archive = zipfile.ZipFile(stream)
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise FileError("bad_compression", f"{len(names)} files in the archive")
        return archive.open(names[0])
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        raise FileError("bad_compression", str(error)) from None


def sniff(stream):
    """The containers that the first bytes of a file allow.

    Cheap enough to ask before every profile is tried. ``stream`` is left at its
    beginning.
    """
    stream.seek(0)
    head = stream.read(4096)
    stream.seek(0)
    if head.startswith(b"PK\x03\x04") and b"[Content_Types].xml" in head:
        return {"xlsx"}
    try:
        head = decompressed(stream, "csv").peek(4096)[:4096]
    except FileError:
        return set()
    finally:
        stream.seek(0)
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            head = head.decode(encoding, "replace").lstrip("\ufeff").encode()
    start = head.lstrip()[:1]
    if start == b"<":
        return {"xml"}
    if start in (b"{", b"["):
        return {"json", "jsonl"}
    return {"csv", "hex"}


def text_of(stream, encoding):
    """A text stream over ``stream``; a byte order mark wins over ``encoding``.

    ``auto`` is UTF-8 unless the first 64 KB are no UTF-8, then Windows-1252. A byte
    that does not decode becomes U+FFFD and so spoils its own row only.
    """
    head = stream.peek(_SNIFF)[:_SNIFF]
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            encoding = name
            break
    if encoding == "auto":
        encoding = "utf-8" if _is_utf8(head) else "cp1252"
    try:
        return io.TextIOWrapper(stream, encoding, errors="replace", newline="")
    except LookupError:
        raise FileError("bad_profile", f"encoding {encoding!r}") from None


def _is_utf8(head):
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        return False
    return True


def csv_records(stream, profile):
    """Yield ``(line, list of fields)`` of every line after the preamble."""
    text = text_of(stream, profile.encoding)
    for _skipped in range(profile.preamble_lines):
        text.readline()
    if len(profile.delimiter) != 1:
        raise FileError("bad_profile", f"delimiter {profile.delimiter!r}")
    options = {"delimiter": profile.delimiter}
    if profile.quote:
        options["quotechar"] = profile.quote
    else:
        options["quoting"] = csv.QUOTE_NONE
    lines = _RecordLines(text)
    reader = csv.reader(lines, **options)
    offset = profile.preamble_lines
    while True:
        try:
            for fields in reader:
                lines.size = 0
                if fields:
                    yield reader.line_num + offset, fields
            return
        except csv.Error as error:
            lines.size = 0
            yield reader.line_num + offset, error
        except UnicodeError as error:
            raise FileError("bad_encoding", str(error)) from None


class _RecordLines:
    """The lines of a text, as long as one record does not take too many of them."""

    def __init__(self, text):
        self._next = text.__next__
        #: characters since the record began
        self.size = 0

    def __iter__(self):
        return self

    def __next__(self):
        line = self._next()
        self.size += len(line)
        if self.size > MAX_LINE_BYTES:
            raise csv.Error(f"record of more than {MAX_LINE_BYTES} characters")
        return line


def xlsx_records(stream, profile):
    """Yield ``(line, list of texts)`` of the rows of the first sheet."""
    # Imported here: most files are not workbooks, and the import is slow.
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    content = stream.read(MAX_WORKBOOK_BYTES + 1)
    if len(content) > MAX_WORKBOOK_BYTES:
        raise _too_large(MAX_WORKBOOK_BYTES)
    content = io.BytesIO(content)
    try:
        _check_workbook(content)
        book = openpyxl.load_workbook(content, read_only=True, data_only=True)
        for line, cells in _sheet_rows(book.worksheets[0]):
            if line > profile.preamble_lines and any(c is not None for c in cells):
                yield line, [cell_text(cell) for cell in cells]
    except FileError:
        raise
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        OSError,
        SyntaxError,  # includes the XML parse error of the standard library
        EOFError,
        zlib.error,
    ) as error:
        # openpyxl has no error of its own for the many ways a workbook can be broken
        raise FileError("bad_workbook", f"{type(error).__name__}: {error}") from None


def _check_workbook(content):
    """Look at what the parts of a workbook unpack to before they are unpacked."""
    sizes = {True: 0, False: 0}
    with zipfile.ZipFile(content) as archive:
        for part in archive.infolist():
            sizes[part.filename.startswith("xl/worksheets/")] += part.file_size
    for is_sheet, limit in ((True, MAX_SHEET_BYTES), (False, MAX_PART_BYTES)):
        if sizes[is_sheet] > limit:
            raise _too_large(limit)


def _too_large(limit):
    return FileError("document_too_large", f"{limit // 1024**2} MB")


def _sheet_rows(sheet):
    """Yield ``(line, cells)``, all as wide as the widest row until then.

    What the sheet says of its own size is not believed: rows that are missing and
    cells that are empty are made up to that size.
    """
    sheet.reset_dimensions()
    width = count = 0
    for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        width = max(width, len(cells))
        count += width if cells else 1
        if line > MAX_SHEET_ROWS or count > MAX_CELLS:
            raise FileError("file_too_large")
        yield line, cells + (None,) * (width - len(cells)) if cells else cells


def cell_text(cell):
    """The text of a workbook cell: dates in ISO form, numbers without exponent."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.12f}".rstrip("0").rstrip(".") if cell == cell else "NaN"
    if hasattr(cell, "isoformat"):
        return cell.isoformat(" ") if hasattr(cell, "hour") else cell.isoformat()
    return str(cell)


def json_records(stream, profile):
    """Yield ``(number, object)`` for every object at the record path."""
    content = stream.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise _too_large(MAX_JSON_BYTES)
    if sum(map(content.count, (b",", b"[", b"{"))) > MAX_JSON_VALUES:
        raise FileError("too_many_values", str(MAX_JSON_VALUES))
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", errors="replace").read()
    document = _loads(text)
    if isinstance(document, Exception):
        raise FileError("bad_json", str(document))
    for name in filter(None, profile.record_path.split(".")):
        document = document.get(name) if isinstance(document, dict) else None
    records = document if isinstance(document, list) else [document]
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise FileError("bad_json", f"no object at {profile.record_path or 'top'}")
        yield number, record


def jsonl_records(stream, profile):
    """Yield ``(line, object or error)`` for every line that is not empty."""
    for line, text in enumerate(text_of(stream, profile.encoding), start=1):
        if line <= profile.preamble_lines or not text.strip():
            continue
        document = _loads(text)
        if not isinstance(document, dict | Exception):
            document = ValueError("no object")
        yield line, document


def _loads(text):
    try:
        # Numbers stay text: a float would round a register value.
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        return ValueError(str(error))


def hex_records(stream, profile):
    """Yield ``(line, [text])`` for every line that holds a telegram."""
    for line, text in enumerate(text_of(stream, profile.encoding), start=1):
        if line > profile.preamble_lines and text.strip():
            yield line, [text.strip()]


def xml_records(stream, profile):
    """Yield ``(line, element)`` for every element named by the record path."""
    from lxml import etree

    if not profile.record_path:
        raise FileError("bad_profile", "record path")
    source = _Gaps(stream)
    is_record = _tag_matcher(profile.record_path)
    held, last, entities = 0, None, None
    try:
        events = etree.iterparse(
            source,
            events=("end",),
            remove_comments=True,
            remove_pis=True,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        )
        for _event, element in events:
            if entities is None:
                entities = _has_entities(element)
            # An entity is a node too, but nothing tells when it comes or goes: a
            # document that declares any may hold no more than that in all.
            held += _node_count(element) + (len(element) if entities else 0)
            if held > MAX_XML_NODES:
                raise FileError("file_too_large", str(element.sourceline or ""))
            if not is_record(element.tag):
                continue
            source.start_gap()
            yield element.sourceline or 0, element
            freed = _forget(element, last)
            held -= 0 if entities else freed
            last = element
    except etree.XMLSyntaxError as error:
        raise FileError("bad_xml", str(error)) from None


def _tag_matcher(path):
    """Whether a tag is the one of the record path; ``*`` stands for any."""
    pattern = re.escape(path.removeprefix("{}"))
    pattern = pattern.replace(re.escape("{*}"), r"(?:\{[^{}]*\})?")
    return re.compile(pattern.replace(re.escape("*"), "[^{}]+")).fullmatch


def _has_entities(element):
    document_type = element.getroottree().docinfo.internalDTD
    return document_type is not None and any(document_type.iterentities())


class _Gaps:
    """A stream that ends where too much comes without a record, or in all."""

    def __init__(self, stream):
        self._stream = stream
        self._count = 0
        self._gap = 0

    def start_gap(self):
        self._gap = 0

    def read(self, size=-1):  # pylint: disable=method-required-super
        chunk = self._stream.read(size)
        self._count += len(chunk)
        self._gap += len(chunk)
        if self._gap > MAX_XML_GAP or self._count > MAX_XML_BYTES:
            raise FileError("file_too_large")
        return chunk


def _node_count(element):
    return 1 + len(element.attrib)


def _forget(record, last):
    """Free a record that was read and what nobody can refer to any more.

    That is everything from the record before it, and the finished neighbours of its
    parents: what stays is what came before the first record below each parent.

    :param last: the record before it
    :return: number of elements and attributes that were freed
    """
    freed = sum(map(_node_count, record.iter()))
    record.clear()
    # The empty element itself stays until the next record has come.
    freed -= 1
    siblings = []
    for sibling in record.itersiblings(preceding=True):
        siblings.append(sibling)
        if sibling is last:
            freed += _remove(siblings)
            break
    for ancestor in record.iterancestors():
        previous = ancestor.getprevious()
        while previous is not None and previous.tag == ancestor.tag:
            freed += _remove([previous])
            previous = ancestor.getprevious()
    return freed


def _remove(elements):
    freed = 0
    for element in elements:
        freed += sum(map(_node_count, element.iter()))
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
    return freed


RECORDS = {
    "csv": csv_records,
    "xlsx": xlsx_records,
    "xml": xml_records,
    "json": json_records,
    "jsonl": jsonl_records,
    "hex": hex_records,
}
