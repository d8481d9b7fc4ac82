"""What a chat template may consist of, and how its parsed form is made to pay for its loops, macros and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.visitor import NodeTransformer

from protocol.engine.template_budget import CHARS_A_STEP
from protocol.engine.template_filters import Inserted

HARMLESS = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.With, nodes.Assign, nodes.AssignBlock,
    nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.Name, nodes.NSRef, nodes.Const, nodes.Tuple, nodes.List,
    nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call, nodes.Getitem,
    nodes.Getattr, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand, nodes.Mul, nodes.Div, nodes.FloorDiv,
    nodes.Add, nodes.Sub, nodes.Mod, nodes.Not, nodes.Neg, nodes.Pos, nodes.And, nodes.Or,
)  # fmt: skip


class TemplateGuard(NodeTransformer):
    """Refuses what is not HARMLESS, and makes the rest pay. Errors: `SecurityError` naming the part."""

    def __init__(self, filters: Mapping[str, Any], tests: Mapping[str, Any]) -> None:
        self._filters, self._tests = filters, tests

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(node, HARMLESS):
            raise SecurityError(f"it uses {type(node).__name__}, which is not for chat templates")
        return super().visit(node, *args, **kwargs)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        return self._refuse_underscore(node, node.attr)

    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        return self._refuse_underscore(node, node.value)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        return self._refuse_unknown(node, "filter", self._filters)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        return self._refuse_unknown(node, "test", self._tests)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise SecurityError("it has a recursive loop")
        cost = _cost(node)
        self.generic_visit(node)
        node.iter = _filter(node.iter, Inserted.EACH, nodes.Const(cost))
        return node

    def visit_Macro(self, node: nodes.Macro | nodes.CallBlock) -> nodes.Node:
        cost = _cost(node)
        self.generic_visit(node)
        node.body.insert(0, nodes.Output([_filter(nodes.Const(cost), Inserted.STARTED)], lineno=node.lineno))
        return node

    visit_CallBlock = visit_Macro

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _filter(node.expr, Inserted.COMPARED)
        for operand in node.ops:
            operand.expr = _filter(operand.expr, Inserted.COMPARED)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        self.generic_visit(node)
        node.key = _filter(node.key, Inserted.COMPARED)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _filter(node.node, Inserted.WEIGHED)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes), Inserted.JOINED)

    def _refuse_underscore(self, node: nodes.Node, name: Any) -> nodes.Node:
        if isinstance(name, str) and name.startswith("__"):
            raise SecurityError(f"it asks for {name[:40]!r}, a part of the interpreter")
        return self.generic_visit(node)

    def _refuse_unknown(self, node: nodes.Filter | nodes.Test, kind: str, known: Mapping[str, Any]) -> nodes.Node:
        if node.name not in known:
            raise SecurityError(f"it uses the {kind} {node.name[:40]!r}, which is not offered")
        return self.generic_visit(node)


def _filter(node: Any, name: Inserted, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name.value, list(arguments), [], None, None)


def _cost(node: nodes.Node) -> int:
    texts = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
    return sum(1 for _ in node.find_all(nodes.Node)) + texts // CHARS_A_STEP
