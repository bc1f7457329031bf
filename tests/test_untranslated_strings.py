"""Every text a person reads goes through a translation call.

Odoo's own checks look at exceptions in Python; these look at all the places where our
code hands a text to a person, in Python, in templates and in JavaScript.
"""

import ast
import re
from xml.etree import ElementTree

import pytest
from support import load_dev

dev = load_dev()
ADDONS = dev.our_addons()[0]

ERRORS = {
    "AccessDenied",
    "AccessError",
    "MissingError",
    "RedirectWarning",
    "UserError",
    "ValidationError",
}
TRANSLATE = {"_", "_lt", "LazyTranslate"}
# Keys of dicts that Odoo or our templates show, and arguments that end on a screen.
SHOWN_KEYS = {"title", "message", "label", "help", "hint", "text"}
SHOWN_ARGUMENTS = {"body", "subject", "summary", "note"}
# A capitalised word, or two words in a row; codes and names of icons are neither.
WORDS = re.compile(r"[A-Z][a-z]+|[a-z]{2,} [a-z]{2,}")


def python_files(addon):
    for path in sorted((dev.ADDONS / addon).rglob("*.py")):
        parts = path.relative_to(dev.ADDONS / addon).parts
        # The demo supplier speaks Dutch, whatever the language.
        is_demo = path.name.startswith("onergy_demo") or "demo" in parts
        if parts[0] != "tests" and path.name != "__manifest__.py" and not is_demo:
            yield path


def is_bare_text(node):
    """Whether an expression is a text of words that no call translates."""
    if isinstance(node, ast.JoinedStr):
        return any(map(is_bare_text, node.values))
    if isinstance(node, ast.BinOp):
        return is_bare_text(node.left) or is_bare_text(node.right)
    if isinstance(node, ast.IfExp):
        return is_bare_text(node.body) or is_bare_text(node.orelse)
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and bool(WORDS.search(re.sub(r"<[^>]*>", "", node.value)))
    )


def called(node):
    function = node.func
    return (
        function.attr
        if isinstance(function, ast.Attribute)
        else getattr(function, "id", "")
    )


def bare_texts(source):
    """Return (line, text) of what a person would read untranslated."""
    for node in ast.walk(ast.parse(source)):
        shown = []
        if isinstance(node, ast.Call) and called(node) in ERRORS:
            shown = node.args
        elif isinstance(node, ast.Call) and called(node) not in TRANSLATE:
            shown = [k.value for k in node.keywords if k.arg in SHOWN_ARGUMENTS]
        elif isinstance(node, ast.Dict):
            shown = [
                value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value in SHOWN_KEYS
            ]
        for expression in shown:
            if is_bare_text(expression):
                yield expression.lineno, ast.unparse(expression)


def bare_attributes(path):
    """Return (tag, text) of texts in QWeb expressions, which are never exported."""
    literal = re.compile(r"""^\s*(['"])(.*)\1\s*$""")
    for element in ElementTree.parse(path).iter():
        for name, value in element.attrib.items():
            found = name in {"t-out", "t-esc", "t-att-title", "t-att-aria-label"}
            match = found and literal.match(value)
            if match and WORDS.search(match[2]):
                yield element.tag, value


def bare_script(source):
    """Return lines of JavaScript that show a text without ``_t``."""
    shows = re.compile(
        r"""(?:notification\.add|textContent\s*=|innerText\s*=|\balert|\bconfirm)"""
        r"""\s*\(?\s*(["'`])(?P<text>[^"'`]*)\1""",
    )
    for match in shows.finditer(source):
        if WORDS.search(match["text"]):
            yield source.count("\n", 0, match.start()) + 1, match[0]


@pytest.mark.parametrize("addon", ADDONS)
def test_texts_in_python(addon):
    found = [
        f"{path.relative_to(dev.ROOT)}:{line}: {text}"
        for path in python_files(addon)
        for line, text in bare_texts(path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("addon", ADDONS)
def test_texts_in_templates(addon):
    found = [
        f"{path.relative_to(dev.ROOT)}: <{tag}> {text}"
        for path in sorted((dev.ADDONS / addon).rglob("*.xml"))
        for tag, text in bare_attributes(path)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("addon", ADDONS)
def test_texts_in_scripts(addon):
    found = [
        f"{path.relative_to(dev.ROOT)}:{line}: {text}"
        for path in sorted((dev.ADDONS / addon).rglob("static/src/**/*.js"))
        for line, text in bare_script(path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "raise UserError('It is too late')",
        "raise ValidationError(f'{name} is wrong there')",
        "record.message_post(body='We paid you')",
        "step = {'label': 'Read more', 'url': '/my'}",
    ],
)
def test_a_bare_text_is_found(code):
    assert list(bare_texts(code))


@pytest.mark.parametrize(
    "code",
    [
        "raise UserError(self.env._('It is too late'))",
        "record.message_post(body=_('We paid you'))",
        "step = {'label': env._('Read more'), 'url': '/my'}",
        "column = {'text': 'meter_id'}",
    ],
)
def test_a_translated_text_is_not(code):
    assert not list(bare_texts(code))


@pytest.mark.parametrize(
    "code",
    [
        "confirm('Really remove it?')",
        "this.notification.add(\n    `It was sent to ${name}`,\n    {type: 'info'})",
        "element.textContent =\n    'No data yet';",
    ],
)
def test_a_bare_text_in_a_script_is_found(code):
    assert list(bare_script(code))


def test_a_translated_text_in_a_script_is_not():
    code = "element.textContent = _t('No data yet');\nadd(_t(\n'It was sent'));"
    assert not list(bare_script(code))
