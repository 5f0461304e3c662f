"""The action's text obeys what Odoo's evaluator allows, before any Odoo has seen it."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator
from types import CodeType

import pytest

from cloud_relay.odoo.source import ACTION_FILES, action_source, read_file

#: Built-ins and names that Odoo hands to a server action.
GIVEN = set(
    """
    env model UserError datetime dateutil time timezone float_compare b64encode b64decode Command
    log True False None bytes str bool int float enumerate dict list tuple map abs min max sum
    reduce filter sorted round len repr set all any ord chr divmod isinstance range zip Exception
    """.split()  # noqa: SIM905 - a list of forty quoted words is no easier to read
)
#: Bytecode that no Odoo allows, by its names in Python 3.11 to 3.13.
FORBIDDEN_BYTECODE = {
    "IMPORT_NAME",
    "IMPORT_FROM",
    "STORE_ATTR",
    "DELETE_ATTR",
    "STORE_GLOBAL",
    "LIST_TO_TUPLE",
    "LOAD_DEREF",
    "STORE_DEREF",
    "LOAD_CLOSURE",
    "MAKE_CELL",
    "UNPACK_EX",
    "BEFORE_WITH",
    "LOAD_BUILD_CLASS",
    "SETUP_ANNOTATIONS",
    "GET_LEN",
    "MATCH_SEQUENCE",
    "DELETE_SUBSCR",
    "LOAD_ASSERTION_ERROR",
}


def code_objects(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_objects(constant)


def problems(text: str) -> list[str]:
    """What Odoo's evaluator would refuse, on any Python it runs on."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(
            node,
            ast.Import
            | ast.ImportFrom
            | ast.ClassDef
            | ast.With
            | ast.Global
            | ast.Nonlocal
            | ast.Delete
            | ast.Assert
            | ast.AsyncFunctionDef
            | ast.Match
            | ast.YieldFrom,
        ):
            found.append(f"line {node.lineno}: {type(node).__name__}")
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.append(f"line {node.lineno}: attribute assignment")
        if isinstance(node, ast.Starred) and isinstance(node.ctx, ast.Store):
            found.append(f"line {node.lineno}: starred assignment")
        if (
            isinstance(node, ast.Call)
            and sum(isinstance(a, ast.Starred) for a in node.args)
            and (len(node.args) > 1)
        ):
            found.append(f"line {node.lineno}: star argument beside others")
    for code in code_objects(compile(text, "action", "exec")):
        if code.co_freevars:
            found.append(f"line {code.co_firstlineno}: closure over {', '.join(code.co_freevars)}")
        used = {instruction.opname for instruction in dis.get_instructions(code)}
        found += [f"{code.co_name}: {opname}" for opname in sorted(used & FORBIDDEN_BYTECODE)]
        found += [f"{code.co_name}: dunder {name}" for name in code.co_names if "__" in name]
    return found


def unknown_names(text: str) -> set[str]:
    code = compile(text, "action", "exec")
    stored = set(GIVEN)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            stored.add(node.name)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            stored.add(node.id)
    used = set()
    for each in code_objects(code):
        local = set(each.co_varnames)
        for node_name in each.co_names:
            used.add(node_name)
        used -= local
    loaded = {
        node.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return (loaded & used) - stored


@pytest.mark.parametrize("name", ACTION_FILES)
def test_each_file_obeys_the_evaluator(name: str) -> None:
    assert problems(read_file(name)) == []


def test_the_whole_uses_no_name_it_does_not_define() -> None:
    assert unknown_names(action_source()) == set()


@pytest.mark.parametrize(
    "text",
    [
        "def f(a):\n    return [x for x in [1] if x == a]",
        "import os",
        "x.y = 1",
        "with x: pass",
        "x.__class__",
        "def f(a):\n    return lambda: a",
        "f(1, *[2])",
        "a, *b = [1, 2]",
        "del x[1]",
    ],
)
def test_what_the_evaluator_refuses_is_found(text: str) -> None:
    assert problems(text)
