"""The nodes of kernels: one for each pass, one step for the generated files, and what is made only when asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

import SCons.Action
import SCons.Builder

from tt_build.codegen.compile import stage_file
from tt_build.passes.pipeline import CHAINS, encode_declaration
from tt_build.scons.actions import SignedAction, StepAction, steps
from tt_build.scons.compiler import Compiler
from tt_build.scons.folders import SMALLER
from tt_build.scons.ledger import KernelLedger
from tt_build.scons.nodes import StepFile, StepTarget, watch
from tt_build.scons.reading import Reading
from tt_build.scons.state import State
from tt_build.spec.model import Declaration


class Chains:
    """Declares the nodes of kernels below ``folder``: the actions are shared, one for each step."""

    def __init__(self, env: Any, folder: Any, reading: Reading, state: State, compiler: Compiler) -> None:
        self.env, self.folder, self.reading, self.state, self.compiler = env, folder, reading, state, compiler
        # SCons would look for #include in generated files, and for that decide about them before what they are made of
        # is built; that decision would stand.
        self._building = env.Clone(SCANNERS=[])
        # SCons asks the environment of each node for its CacheDir, and where none was named it makes its default
        # environment, which looks for every compiler that it knows. Ours has none: see ``set_nocache`` below.
        self._building._CacheDir_path = None
        self._steps = {kind: self._builders(kind) for kind in compiler.layouts}
        while not os.path.isdir(folder.get_abspath()):
            self._own(folder)
            folder = folder.up()

    def _own(self, folder: Any) -> Any:
        """The folder's node; SCons would make its default environment to create it, which runs every compiler there is
        to ask for its version.
        """
        folder.get_executor().env = self._building
        return folder

    def _builders(self, kind: str) -> list[tuple[str, Any]]:
        actions = [
            StepAction(label, signature, step, self.state)
            for label, signature, step in steps(self.compiler, kind, self.reading.templates)
        ]
        return [(action.signature, SCons.Builder.Builder(action=action)) for action in actions]

    def declare(self, name: str, ledger: KernelLedger) -> list[Any]:
        """One node for each pass, one step for the files; returns all of them, the generated files last."""
        node = self._node(self._label(name), self.reading.digests[name], lambda: self.reading.data(name))
        return self._chain(name, name, ledger, node, "")

    def declare_smaller(self, name: str, ledger: KernelLedger, smaller: Declaration) -> list[Any]:
        """The same for the kernel at its ``verify.sizes``, in a folder of its own: the emulator runs these files."""
        data = encode_declaration(smaller)
        label = f"{name} at verify.sizes"
        node = self._node(self._label(label), hashlib.sha256(data).hexdigest(), lambda: data)
        return self._chain(name, label, ledger, node, SMALLER)

    def _chain(self, name: str, label: str, ledger: KernelLedger, node: Any, below: str) -> list[Any]:
        folder = self._own(self.folder.Dir(name))
        kind = self.reading.kind(name)
        for inner in sorted({os.path.dirname(below + file) for file in self.compiler.layouts[kind].files} - {""}):
            self._own(folder.Dir(inner))
        nodes: list[Any] = []
        passes = len(CHAINS.get(kind, ()))
        for number, (signature, builder) in enumerate(self._steps[kind], 1):
            made_last = self.compiler.layouts[kind].files[passes:]
            files = [below + file for file in ([stage_file(number, kind)] if number <= passes else made_last)]
            made = builder(self._building, [folder.File(file) for file in files], node)
            for target in made:
                target.__class__ = StepFile
            _mark(made, files, StepTarget(label, ledger, signature, [node]))
            nodes += made
            node = made[0]
        return nodes

    def extra(
        self, name: str, file: str, action: SignedAction, sources: list[Any], also: tuple[str, ...] = ()
    ) -> list[Any]:
        """A node made of generated files only when it is asked for; ``-c`` removes it, and ``also``, all the same."""
        builder = SCons.Builder.Builder(action=action)
        folder = self.folder.Dir(name)
        made = builder(self._building, folder.File(file), sources)
        ledger = sources[0].attributes.tt_step.ledger
        _mark(made, [file], StepTarget(name, ledger, action.signature, sources))
        kind = self.reading.kind(name)
        first = self.compiler.layouts[kind].files[len(CHAINS.get(kind, ()))]
        self.env.Clean(folder.File(first), [*made, *(folder.File(other) for other in also)])
        return list(made)

    def summary(
        self, files: tuple[str, ...], action: SignedAction, sources: list[Any], ledger: KernelLedger
    ) -> list[Any]:
        """Nodes made of all kernels when they are asked for; in the folder of the kernels' folders."""
        builder = SCons.Builder.Builder(action=action)
        made = builder(self._building, [self.folder.File(file) for file in files], sources)
        _mark(made, list(files), StepTarget("all kernels", ledger, action.signature, sources))
        return list(made)

    def alias(self, name: str, nodes: list[Any]) -> Any:
        """An alias of nodes; what stands in them is not looked through for #include once more."""
        return self._building.Alias(name, nodes)

    def request(self, name: str, kind: str, digest: str, data: Callable[[], bytes]) -> Any:
        """A source node for bytes of a declaration that only an extra node reads."""
        return self._node(f"{self._label(name)} for {kind}", digest, data)

    def _label(self, name: str) -> str:
        """Unique in a build with several specifications and folders, and readable under --debug=explain."""
        return f"{self.reading.source.name}#{name} -> {self.folder}"

    def _node(self, label: str, digest: str, data: Callable[[], bytes]) -> Any:
        """A source node. A stable name and a short signature: --debug=explain then names the kernel."""
        node = self.env.Value(label)
        node.get_ninfo().csig = digest
        node.attributes.tt_digest, node.attributes.tt_declaration = digest, data
        watch(node)
        return node

    def failing(self, name: str) -> list[Any]:
        """A node that fails, so that a build with ``-k`` ends with a failure for a rejected kernel."""

        def fail(target: Any, source: Any, env: Any) -> int:
            return 1

        action = SCons.Action.Action(fail, lambda target, source, env: f"[ rejected           ] {name}")
        return list(self.env.AlwaysBuild(self.env.Command(self.folder.Dir(name).File(".rejected"), [], action)))


def _mark(nodes: list[Any], files: list[str], step: StepTarget) -> None:
    for node, file in zip(nodes, files, strict=True):
        node.attributes.tt_step, node.attributes.tt_file = step, file
        node.set_nocache()  # SCons' CacheDir never looks at what it holds
        watch(node)
