"""Graphs without what their makers note of this machine: which line of which file made a node."""

from __future__ import annotations

import re
from typing import Any

from torch.export import ExportedProgram
from torch.fx import GraphModule

# Of a node of torch.export; each tells where in somebody's files it came from.
_ORIGINS = ("stack_trace", "source_fn_stack", "from_node")
# Some folders with the slash after each; not what follows a letter, as in `m/s` or an address.
_FOLDERS = re.compile(r"(?<![\w.:/~])~?/(?:[^\s/'\",:;()]+/)+")


def strip_program(program: ExportedProgram) -> None:
    """Forget where the nodes of a program came from, in those within its nodes too."""
    for module in program.graph_module.modules():
        if isinstance(module, GraphModule):
            for node in module.graph.nodes:
                for name in _ORIGINS:
                    node.meta.pop(name, None)


def strip_onnx(model: Any) -> None:
    """Forget the notes and properties of an ONNX graph, in the exporter's own representation."""
    _forget(model)
    for graph in (model.graph, *model.functions.values()):
        _forget(graph)
        for node in graph.all_nodes():
            _forget(node)
            for value in (*node.inputs, *node.outputs):
                _forget(value)
        for value in (*graph.inputs, *graph.outputs):
            _forget(value)
    for value in model.graph.initializers.values():
        _forget(value)


def without_folders(text: str) -> str:
    """A sentence in which each path of this machine is reduced to its last part."""
    return _FOLDERS.sub("", text)


def _forget(part: Any) -> None:
    if part is None:
        return
    part.metadata_props.clear()
    if getattr(part, "doc_string", None):
        part.doc_string = None
