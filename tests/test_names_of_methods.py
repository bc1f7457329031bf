"""Two addons that do not know each other extend the same class, and Odoo merges them.

Where both define a method of the same name without calling the other's, one of them
silently gets the other's: a page that works in each addon's own tests breaks when both
are installed.
"""

import ast
from collections import defaultdict
from pathlib import Path

ADDONS = Path(__file__).resolve().parents[1] / "addons"


def classes():
    """Yield (what Odoo merges into, addon, class) of models and controllers."""
    for path in sorted(ADDONS.glob("*/*/*.py")):
        addon, folder = path.relative_to(ADDONS).parts[:2]
        if folder not in ("controllers", "models", "wizards"):
            continue
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.ClassDef):
                continue
            if folder == "controllers":
                # All of them extend Odoo's portal in the end.
                yield "controllers", addon, node
            else:
                for name in model_names(node):
                    yield name, addon, node


def model_names(node):
    """The name of the model itself: what it mixes in is a class of its own."""
    values = {
        target.id: ast.literal_eval(statement.value)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id in ("_name", "_inherit")
    }
    name = values.get("_name") or values.get("_inherit") or []
    return [name] if isinstance(name, str) else name


def calls_others(method):
    return f"super().{method.name}(" in ast.unparse(method)


def dependencies():
    return {
        path.parent.name: set(ast.literal_eval(path.read_text()).get("depends", []))
        for path in ADDONS.glob("*/__manifest__.py")
    }


def test_no_addon_takes_the_method_of_another():
    depends, alone = dependencies(), defaultdict(set)
    for merged, addon, node in classes():
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and not calls_others(method):
                alone[merged, method.name].add(addon)
    clashes = {
        name: sorted(addons)
        for name, addons in alone.items()
        if any(
            one not in depends[other] and other not in depends[one]
            for one in addons
            for other in addons - {one}
        )
    }
    assert not clashes
