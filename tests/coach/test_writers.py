"""Every kind of event, series and fact that a rule reads is written by something.

Both are read off the sources: what rules ask an `Evidence` for, and what stands as a key where
numbers are measured and facts gathered. A `*` is whatever an expression puts there.
"""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

import carousel
from carousel.run.events import Epoch, Facts, kinds

SOURCES = Path(carousel.__file__).parent
READERS = [*sorted((SOURCES / "coach" / "rules").glob("*.py")), SOURCES / "coach" / "evidence.py"]
OF_SERIES = ("coach/weights", "coach/probe", "coach/observer", "training/coaching", "training/loop")
OF_FACTS = ("coach/facts", "training/coaching")
KINDS = kinds()


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


READ = [node for path in READERS for node in ast.walk(tree_of(path))]
CALLS = [node for node in READ if isinstance(node, ast.Call)]


def pattern(node, known=()):
    """The text that an expression makes, with * for what is not known; None if it makes none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return dict(known).get(node.id)
    if isinstance(node, ast.JoinedStr):
        parts = [
            part.value
            if isinstance(part, ast.Constant)
            else (pattern(part.value, known) if isinstance(part.value, ast.Name) else None) or "*"
            for part in node.values
        ]
        return "".join(parts)
    return None


def method(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def is_facts(node):
    return isinstance(node, ast.Attribute) and node.attr == "facts"


# ---- what rules read


def kinds_read():
    return {pattern(call.args[0]) for call in CALLS if method(call) == "of_kind"}


def facts_read(nodes):
    got = {
        pattern(node.args[0])
        for node in nodes
        if isinstance(node, ast.Call) and method(node) == "get" and is_facts(node.func.value)
    }
    taken = {
        pattern(node.slice)
        for node in nodes
        if isinstance(node, ast.Subscript) and is_facts(node.value)
    }
    asked = {
        pattern(node.left)
        for node in nodes
        if isinstance(node, ast.Compare) and any(map(is_facts, node.comparators))
    }
    return (got | taken | asked) - {None}


def series_read():
    """The names in full, and those that `named` asks for, by what they begin and end with.

    Where these are variables of a loop over tuples, they are what stands first in the tuples, and
    second if that can be an end.
    """
    asks = [c for c in CALLS if method(c) in ("values", "points", "last") and c.args]
    found = {pattern(call.args[0]) for call in asks}
    for function in (node for node in READ if isinstance(node, ast.FunctionDef)):
        nodes = list(ast.walk(function))
        pairs = [
            (pattern(node.elts[0]), pattern(node.elts[1]))
            for node in nodes
            if isinstance(node, ast.Tuple) and len(node.elts) >= 2
        ]
        begins = [(a, b) for a, b in pairs if a and re.fullmatch(r"\w+/", a)]
        for call in (node for node in nodes if isinstance(node, ast.Call)):
            helper = isinstance(call.func, ast.Name) and call.func.id == "_worst"
            if not helper and method(call) != "named":
                continue
            begin, end = (pattern(arg) for arg in call.args[-2:])
            some = [(begin, end)] if begin else begins
            found |= {f"{a}*{b if end is None else end}" for a, b in some}
    return found - {None}


def fields_read():
    """(kind, field) of what is taken out of the events of a kind, in loops over them."""
    found = set()
    for function in (node for node in READ if isinstance(node, ast.FunctionDef)):
        names = {}
        for node in ast.walk(function):
            if not isinstance(node, ast.For | ast.comprehension):
                continue
            for call in ast.walk(node.iter):
                if isinstance(call, ast.Call) and method(call) == "of_kind":
                    names[node.target.id] = pattern(call.args[0])
                if isinstance(call, ast.Attribute) and call.attr == "epochs":
                    names[getattr(node.target, "id", "")] = Epoch.kind
        for node in ast.walk(function):
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                found.add((names.get(node.value.id), pattern(node.slice)))
            elif isinstance(node, ast.Call) and method(node) == "get":
                owner = node.func.value
                if isinstance(owner, ast.Name):
                    found.add((names.get(owner.id), pattern(node.args[0])))
    return {(kind, name) for kind, name in found if kind and name}


# ---- what is written


def keys_of(tree):
    """Texts that stand as keys, names of a function's own that are texts put in."""
    found = set()
    for scope in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        known = {
            node.targets[0].id: pattern(node.value)
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.JoinedStr)
        }
        for node in ast.walk(scope):
            if isinstance(node, ast.Dict):
                found |= {pattern(key, known) for key in node.keys if key is not None}
            elif isinstance(node, ast.DictComp):
                found.add(pattern(node.key, known))
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                found.add(pattern(node.slice, known))
    return found - {None}


def written(names):
    return {key for name in names for key in keys_of(tree_of(SOURCES / f"{name}.py"))}


def series_written():
    looks = {f"output/{key}" for key in written(["tasks/shared/outputs"])}
    return (written(OF_SERIES) | looks) - {"output/*"}


def kinds_written():
    """Those of which one is made somewhere else than where they are described."""
    made = set()
    for path in SOURCES.rglob("*.py"):
        if path != SOURCES / "run" / "events.py":
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.Call):
                    made.add(method(node) or getattr(node.func, "id", ""))
    return {kind for kind, event in KINDS.items() if event.__name__ in made}


def covered(read, writers):
    """Whether a series of that name may be written; a * is one name or a path of two."""
    return any(
        re.fullmatch(re.escape(writer).replace(r"\*", ".+"), read.replace("*", one))
        for writer in writers
        for one in ("x", "x/y")
    )


def test_every_kind_of_event_is_written_by_something():
    assert set(KINDS) - kinds_written() == set()


def test_every_kind_of_event_that_a_rule_reads_is_one():
    assert {"diverged", "test_used"} <= kinds_read() <= set(KINDS)


def test_what_a_rule_reads_of_an_event_is_a_field_of_it():
    read = fields_read()
    assert ("test_used", "by") in read
    known = {kind: {f.name for f in fields(event)} | {"step"} for kind, event in KINDS.items()}
    assert {(kind, name) for kind, name in read if name not in known[kind]} == set()


def test_every_fact_that_a_rule_reads_is_gathered():
    read, gathered = facts_read(READ), written(OF_FACTS)
    assert {"total_steps", "class_counts", "target_std"} <= read
    assert read <= {field.name for field in fields(Facts)}
    assert read - gathered == set()


def test_every_fact_that_is_recorded_is_gathered():
    assert {field.name for field in fields(Facts)} - written(OF_FACTS) == set()


def test_every_series_that_a_rule_reads_is_measured():
    read, writers = series_read(), series_written()
    assert {"train/loss", "gate/*/low", "state/*/saturated", "weight_largest/*"} <= read
    assert {name for name in read if not covered(name, writers)} == set()


@pytest.mark.parametrize("name", ["train/los", "gate/*/lower", "output/share", "search/*", "lag/*"])
def test_a_series_that_nobody_measures_is_found_out(name):
    assert not covered(name, series_written())


def test_a_fact_that_nobody_gathers_is_found_out():
    nodes = list(ast.walk(ast.parse("a.facts.get('b'); 'c' in a.facts; a.facts['d']")))
    assert facts_read(nodes) == {"b", "c", "d"}
