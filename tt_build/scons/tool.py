"""The tool: ``env.TTKernels(spec)`` declares one node for each pass of each kernel, and one for code generation.

    env = Environment(tools=["tenstorrent"])
    env.TTKernels("kernels.yaml")                       # everything under build/tenstorrent
    env.TTKernels("more.yaml", out="build/more", arch="blackhole")

A kernel's chain begins at a Value node with the digest of its declaration, not at the file: a comment in kernels.yaml
changes no digest. SCons compares contents, so a step whose output is what it was stops the wave.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import SCons.Builder
import SCons.Errors
import SCons.Script
from SCons.Variables import Variables

from tt_build.codegen.compile import stage_file
from tt_build.codegen.files import OUTPUTS
from tt_build.passes.pipeline import PASSES, encode_declaration
from tt_build.scons.actions import StepAction, codegen_action, digest, pass_action
from tt_build.scons.check import check
from tt_build.scons.clean import remove_empty_folders
from tt_build.scons.run import ALIAS as RUN
from tt_build.scons.run import RESULT as RUN_RESULT
from tt_build.scons.run import RunAction
from tt_build.scons.sdk import ALIAS as CHECK_SDK
from tt_build.scons.sdk import RESULT as SDK_RESULT
from tt_build.scons.sdk import check_action
from tt_build.scons.state import State
from tt_build.scons.variables import add_options, parse_grid, unknown_variables
from tt_build.scons.verify import ALIAS as VERIFY
from tt_build.scons.verify import RESULT as VERIFY_RESULT
from tt_build.scons.verify import VerifyAction, request_of
from tt_build.spec.loader import load_file
from tt_build.spec.model import Declaration
from tt_build.spec.render import report

_NAMES = ("target", "spec", "out", "arch", "grid", "sdk", "on")


def options(variables: Variables) -> None:
    """Add the build's variables to the caller's."""
    add_options(variables)


def exists(env: Any) -> bool:
    """The tool needs nothing beside this package."""
    return True


def generate(env: Any) -> None:
    """Set up ``env.TTKernels``. The command line's variables are read here, once an environment."""
    if "TT_READY" in env:
        return
    declared = Variables([], SCons.Script.ARGUMENTS)
    add_options(declared)
    declared.Update(env)
    env["TT_READY"] = True
    SCons.Script.Help(declared.GenerateHelpText(env), append=True)
    env.AddMethod(tt_kernels, "TTKernels")
    refuse_unknown(strict=False)


def refuse_unknown(*, strict: bool) -> None:
    """Exit with status 2 when the command line sets a variable that does not exist."""
    messages = unknown_variables(SCons.Script.ARGUMENTS, list(_NAMES), strict=strict)
    if messages:
        print("\n".join(f"scons: {message}" for message in messages), file=sys.stderr)
        SCons.Script.Exit(2)


def tt_kernels(
    env: Any,
    spec: str | None = None,
    out: str | None = None,
    arch: str | None = None,
    grid: tuple[int, int] | None = None,
) -> list[Any]:
    """Declare every kernel of ``spec``; returns the nodes of the generated files.

    Paths are relative to the calling SConscript. ``out``, ``arch`` and ``grid`` default to the command line's.
    Errors of the specification are printed, all of them, before any step runs; then the build stops with status 1.
    Under ``-k`` the valid kernels are built all the same, and the status is 2.
    """
    source = Path(env.File(spec or env["spec"]).srcnode().get_abspath())
    folder = env.Dir(out or env["out"]).Dir(env["target"])
    try:
        grid = grid or parse_grid(env["grid"])
    except ValueError as error:
        raise SCons.Errors.UserError(str(error)) from None
    loaded = load_file(source, arch=arch or env["arch"] or None, grid=grid)
    state = State(lambda rejected: report(rejected.diagnostics, loaded.source))
    result = check(loaded, state, Path(folder.get_abspath()).parent / ".tt-build")
    if result.text:
        print(result.text, file=sys.stderr)
    if result.failed and not _goes_on():
        SCons.Script.Exit(1)
    chains = _Chains(env, state)
    nodes: list[Any] = []
    for declaration in result.valid:
        name = declaration.kernel.name
        _claim(env, name, folder, source)
        generated = chains.declare(name, encode_declaration(declaration), folder.Dir(name), f"{source.name}#{name}")
        env.Alias(f"kernel-{name}", generated)
        nodes += generated
        env.Alias(CHECK_SDK, chains.check_sdk(name, generated, folder.Dir(name)))
        request = chains.request(declaration, source.name)
        env.Alias(VERIFY, chains.verify(name, generated, folder.Dir(name), request))
        env.Alias(RUN, chains.run_on_device(name, generated, folder.Dir(name), request))
    for name in result.failed:
        nodes += chains.failed(name, folder.Dir(name))
    env.Default(nodes)
    if env.GetOption("clean"):
        remove_empty_folders(Path(folder.get_abspath()), [d.kernel.name for d in result.valid])
    return nodes


def _goes_on() -> bool:
    """Whether a rejected kernel leaves the others to be built or cleaned."""
    return bool(SCons.Script.GetOption("keep_going") or SCons.Script.GetOption("clean"))


def _claim(env: Any, name: str, folder: Any, source: Path) -> None:
    """Refuse the same kernel folder twice in one build."""
    path = folder.Dir(name).get_abspath()
    if _TAKEN.setdefault(path, source) != source:
        raise SCons.Errors.UserError(
            f"kernel '{name}' of {source} and of {_TAKEN[path]} would both be built in {folder}; give one another out="
        )


_TAKEN: dict[str, Path] = {}


class _Chains:
    """Declares the nodes of kernels: the actions are shared, one for each step."""

    def __init__(self, env: Any, state: State) -> None:
        self.env = env
        self.passes = [self._builder(pass_action(step, state)) for step in PASSES]
        self.codegen = self._builder(codegen_action(state))
        self.sdk = self._builder(check_action(env["sdk"]))
        self.run = self._builder(VerifyAction())
        self.device = self._builder(RunAction())

    @staticmethod
    def _builder(action: StepAction) -> Any:
        return SCons.Builder.Builder(action=action)

    def declare(self, name: str, declaration: bytes, folder: Any, label: str) -> list[Any]:
        """One node for each pass, one step for the files; returns the generated files."""
        node = self._value(label, declaration)
        for number, builder in enumerate(self.passes, 1):
            (node,) = builder(self.env, folder.File(stage_file(number)), node)
            node.attributes.tt_kernel = name
        generated = self.codegen(self.env, [folder.File(file) for file in OUTPUTS], node)
        for file in generated:
            file.attributes.tt_kernel = name
        return list(generated)

    def request(self, declaration: Declaration, spec: str) -> Any:
        """What running a kernel needs of its declaration beside its files, as a node."""
        return self._value(f"{spec}#{declaration.kernel.name}:verify", request_of(declaration))

    def verify(self, name: str, generated: list[Any], folder: Any, request: Any) -> Any:
        """The run on the emulator and its comparison, built only when it is asked for."""
        (node,) = self.run(self.env, folder.File(VERIFY_RESULT), [*generated, folder.File(stage_file(1)), request])
        node.attributes.tt_kernel = name
        self.env.Clean(generated, [node, folder.File("verify.failed.json")])
        return node

    def run_on_device(self, name: str, generated: list[Any], folder: Any, request: Any) -> Any:
        """The run on a device and its comparison, anew each time it is asked for."""
        (node,) = self.device(self.env, folder.File(RUN_RESULT), [*generated, folder.File(stage_file(1)), request])
        node.attributes.tt_kernel = name
        self.env.AlwaysBuild(node)
        self.env.Clean(generated, node)
        return node

    def _value(self, label: str, data: bytes) -> Any:
        """A source node for bytes of a declaration.

        A stable name and a short signature: --debug=explain then names the kernel, and no text is stored twice.
        """
        node = self.env.Value(label)
        node.get_ninfo().csig = digest(data)
        node.attributes.tt_declaration = data
        return node

    def check_sdk(self, name: str, generated: list[Any], folder: Any) -> Any:
        """The type check of a kernel, built only when it is asked for."""
        (node,) = self.sdk(self.env, folder.File(SDK_RESULT), generated)
        node.attributes.tt_kernel = name
        self.env.Clean(generated, node)  # -c removes it, too, though no plain build makes it
        return node

    def failed(self, name: str, folder: Any) -> list[Any]:
        """A node that fails, so that a build with ``-k`` ends with a failure for a rejected kernel."""

        def fail(target: Any, source: Any, env: Any) -> int:
            return 1

        action = SCons.Action.Action(fail, lambda target, source, env: f"[ rejected           ] {name}")
        return list(self.env.AlwaysBuild(self.env.Command(folder.File(".rejected"), [], action)))
