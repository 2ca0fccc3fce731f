"""``tt-build graph``: kernels and tensors, a kernel's or program's dataflow, or the passes, for Graphviz or Mermaid."""

from __future__ import annotations

import argparse

import msgspec

from tt_build.cli.arguments import Commands, add_spec


class Node(msgspec.Struct, frozen=True):
    """A node: ``kind`` is ``tensor``, ``buffer`` or ``step`` and decides its shape."""

    name: str
    label: str
    kind: str


class Graph(msgspec.Struct):
    """Nodes in order of appearance, and edges (from, to, label)."""

    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str, str]] = []

    def node(self, name: str, label: str, kind: str) -> str:
        """Add a node; its name."""
        self.nodes[name] = Node(name, label, kind)
        return name

    def edge(self, start: str, end: str, label: str = "") -> None:
        """Add an edge, once."""
        if (start, end, label) not in self.edges:
            self.edges.append((start, end, label))


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("graph", help="draw kernels and tensors, a kernel's dataflow, or the passes")
    parser.add_argument(
        "kernel", nargs="?", metavar="KERNEL", help="the dataflow inside of a kernel or program; default: all kernels"
    )
    add_spec(parser, option=True)
    parser.add_argument("--passes", action="store_true", help="the passes instead, with what each takes and gives")
    parser.add_argument("--format", choices=("dot", "mermaid"), default="dot", help="default: dot")
    parser.set_defaults(command=graph)


def graph(options: argparse.Namespace) -> int:
    """Print the graph."""
    from tt_build.cli.arguments import load
    from tt_build.cli.programs import flow, program_of
    from tt_build.cli.terminal import Usage

    if options.passes:
        if options.kernel is not None:
            raise Usage("--passes draws the passes of every kernel; leave KERNEL out")
        made = passes()
    else:
        loaded = load(options)
        program = program_of(loaded, options.kernel) if options.kernel is not None else None
        if program is not None:
            made = flow(program)
        else:
            made = dataflow(options, loaded) if options.kernel is not None else kernels(loaded)
    print({"dot": dot, "mermaid": mermaid}[options.format](made))
    return 0


def kernels(loaded: object) -> Graph:
    """Every kernel with its tensors."""
    from tt_build.spec.loader import SpecFile

    assert isinstance(loaded, SpecFile)
    made = Graph({}, [])
    for entry in loaded.declarations:
        name = entry.kernel.name
        step = made.node(name, f"{name}\n{entry.target.arch}", "step")
        for tensors, inward in ((entry.kernel.inputs, True), (entry.kernel.outputs, False)):
            for tensor, spec in tensors.items():
                dtype = spec.dtype or entry.defaults.dtype or "bfloat16"
                end = made.node(f"{name}/{tensor}", f"{tensor} {list(spec.shape)}\n{dtype}", "tensor")
                made.edge(*((end, step) if inward else (step, end)))
    return made


def dataflow(options: argparse.Namespace, loaded: object) -> Graph:
    """From tensors through circular buffers and compute sections to tensors."""
    from tt_build.cli.arguments import declaration
    from tt_build.cli.explain import compiled
    from tt_build.ir.handwritten import VerifiedSources
    from tt_build.spec.loader import SpecFile

    assert isinstance(loaded, SpecFile)
    kernel = compiled(loaded, declaration(loaded, options.kernel))
    made = Graph({}, [])
    for buffer in kernel.buffers:
        made.node(buffer.name, f"{buffer.name} {list(buffer.shape)}\n{buffer.dtype}", "tensor")
    for cb in kernel.circular_buffers:
        made.node(cb.name, f"{cb.name}\n{cb.num_pages} x {cb.page_size} B", "buffer")
    reader, writer = made.node("reader", "reader", "step"), made.node("writer", "writer", "step")
    compute = made.node("compute", "compute", "step")
    if isinstance(kernel, VerifiedSources):  # which circular buffers a source uses is known to nobody here
        for binding in kernel.bindings:
            for tensor in binding.accessors:
                made.edge(*((tensor, reader) if binding.role == "reader" else (writer, tensor)))
        return made
    moved = {"push": (0, 1), "pop": (1, 0)}
    from tt_build.ir.lowered import Pop, Push, ReadPage, WritePage, walk

    roles = {"reader": reader, "compute": compute, "writer": writer}
    for body in kernel.bodies:
        for stmt in walk(body.body):
            if isinstance(stmt, ReadPage):
                made.edge(stmt.tensor, roles[body.role])
            elif isinstance(stmt, WritePage):
                made.edge(roles[body.role], stmt.tensor)
            elif isinstance(stmt, Push | Pop):
                ends = (roles[body.role], stmt.cb)
                first, second = moved["push" if isinstance(stmt, Push) else "pop"]
                made.edge(ends[first], ends[second])
    return made


def passes() -> Graph:
    """The pipeline."""
    from tt_build.passes.pipeline import CHAINS

    made = Graph({}, [])
    for step in (step for chain in CHAINS.values() for step in chain):
        if step.takes.__name__ not in made.nodes:
            made.node(step.takes.__name__, step.takes.__name__, "tensor")
        made.node(step.name, step.name, "step")
        made.node(step.gives.__name__, step.gives.__name__, "tensor")
        made.edge(step.takes.__name__, step.name)
        made.edge(step.name, step.gives.__name__)
    return made


def dot(made: Graph) -> str:
    """Graphviz."""
    shapes = {"tensor": "ellipse", "buffer": "cylinder", "step": "box"}
    lines = ["digraph tt_build {", "  rankdir=LR;"]
    for node in made.nodes.values():
        lines.append(f'  "{node.name}" [label="{_escaped(node.label)}", shape={shapes[node.kind]}];')
    for start, end, label in made.edges:
        lines.append(f'  "{start}" -> "{end}"' + (f' [label="{_escaped(label)}"];' if label else ";"))
    return "\n".join([*lines, "}"])


def mermaid(made: Graph) -> str:
    """Mermaid, which GitHub draws."""
    brackets = {"tensor": ('(["', '"])'), "buffer": ('[("', '")]'), "step": ('["', '"]')}
    ids = {name: f"n{at}" for at, name in enumerate(made.nodes)}
    lines = ["flowchart LR"]
    for node in made.nodes.values():
        left, right = brackets[node.kind]
        label = node.label.replace('"', "#quot;").replace("\n", "<br>")
        lines.append(f"  {ids[node.name]}{left}{label}{right}")
    lines += [f"  {ids[start]} --> {ids[end]}" for start, end, _ in made.edges]
    return "\n".join(lines)


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
