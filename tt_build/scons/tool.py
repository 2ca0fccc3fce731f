"""The tool: ``env.TTKernels(spec)`` declares one node for each pass of each kernel, and one for code generation.

    env = Environment(tools=["tenstorrent"])
    env.TTKernels("kernels.yaml")                       # everything under build/tenstorrent
    env.TTKernels("more.yaml", out="build/more", arch="blackhole")

A kernel's chain begins at a Value node with the digest of its declaration, not at the file: a comment in kernels.yaml
changes no digest. Which kernels are declared, and what decides about their nodes: docs/adr/0003.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import SCons.Errors
import SCons.Node
import SCons.Node.Alias
import SCons.Script
from SCons.Variables import Variables

from tt_build.scons.clean import remove_state
from tt_build.scons.messages import say, tell
from tt_build.scons.refusals import Question, all_is_read, no_such_kernel, refuse, said_plainly, succeeded, suggest
from tt_build.scons.request import CACHES, EXTRAS, Request, kind_of, named
from tt_build.scons.session import Generated, Session
from tt_build.scons.variables import NAMES, add_options, help_text, unknown_variables
from tt_build.spec.nearest import kernels_and_programs

TARGETS_HELP = """
targets:
  verify, check-sdk, run, report      what no plain build makes, of every kernel
  kernel-NAME, program-NAME           one kernel, one program
  verify-NAME, check-sdk-NAME         the same of one kernel or program
"""


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
    if SCons.Script.GetOption("help"):
        SCons.Script.Help(help_text(declared, env) + TARGETS_HELP, append=True, local_only=True)
    if any(kind_of(str(target)) for target in SCons.Script.COMMAND_LINE_TARGETS):
        SCons.Script.SetOption("num_jobs", os.cpu_count() or 1)  # -j on the command line wins
    if SCons.Script.GetOption("stack_size") is None:
        SCons.Script.SetOption("stack_size", 8192)  # KiB; SCons' 256 end before Python's recursion limit
    env.AddMethod(tt_kernels, "TTKernels")
    refuse_unknown(strict=False)


def refuse_unknown(*, strict: bool) -> None:
    """Exit with status 2 when the command line sets a variable that does not exist."""
    messages = unknown_variables(SCons.Script.ARGUMENTS, list(NAMES), strict=strict)
    if messages:
        say("\n".join(f"scons: {message}" for message in messages))
        SCons.Script.Exit(2)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """What is made here, nodes above all, lives as long as the build: the collector need not go through it.

    Nor need it look every 700 objects through what steps leave, as Python has it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        young, *older = gc.get_threshold()
        gc.set_threshold(max(young, 10_000) if young else 0, *older)
        if enabled:
            gc.enable()


@_uncollected()
def tt_kernels(
    env: Any,
    spec: str | None = None,
    out: str | None = None,
    arch: str | None = None,
    grid: tuple[int, int] | None = None,
) -> Any:
    """Declare the kernels of ``spec``; returns the nodes of the generated files.

    Paths are relative to the calling SConscript. ``out``, ``arch`` and ``grid`` default to the command line's.
    Errors of the specification are printed, all of them, before any step runs; then the build stops with status 1.
    Under ``-k`` the valid kernels are built all the same, and the status is 2.
    """
    if SCons.Script.GetOption("help"):
        return []
    with said_plainly():
        return _kernels(env, spec, out, arch, grid)


def _kernels(env: Any, spec: str | None, out: str | None, arch: str | None, grid: tuple[int, int] | None) -> Any:
    source = Path(env.File(spec or env["spec"]).srcnode().get_abspath())
    if not (out or env["out"]):
        raise SCons.Errors.UserError("out= is empty; name the folder of everything that is built")
    folder = env.Dir(out or env["out"]).Dir(env["target"])
    try:
        request = Request(env, arch, grid)
    except ValueError as error:
        raise SCons.Errors.UserError(str(error)) from None
    session = Session(env, source, folder, request)
    try:
        session.read()
    except OSError as error:
        raise SCons.Errors.UserError(f"tt-build: cannot use {session.common}: {error.strerror}") from None
    for name in session.reading.digests:
        _claim(session, name)
    text = session.check(session.dirty())
    if text:
        say(text)
    if session.failed and not request.goes_on:
        SCons.Script.Exit(1)
    session.remove_orphans()
    _SESSIONS.append(session)
    if request.explain and request.explain not in session.reading.digests:
        env.Default(_question(request.explain))
    elif request.explain:
        from tt_build.scons.explain import explain

        print("\n".join(explain(session, request.explain)))
    if request.plan:
        from tt_build.scons.explain import plan

        for line in plan(session):
            print(line)
        SCons.Script.SetOption("no_exec", True)
        SCons.Script.SetOption("silent", True)
        env.Default(_nothing_to_do())
        return []
    _declare(session)
    session.open = True
    return Generated(session)


def _declare(session: Session) -> None:
    """Declare what is not clean, what the command line needs, and say what is built by default."""
    request, env = session.request, session.env
    buildable = session.buildable()
    wanted = request.wanted(session.root, session.reading.digests) if request.targets else set()
    full = request.full or wanted is None
    due = buildable if full else [name for name in buildable if name not in session.clean or name in (wanted or ())]
    if request.asks_for("verify") and not request.dry and not request.clean:
        from tt_build.scons.verify import start_processes

        start_processes(sum(1 for name in due if name not in session.clean), request.jobs)
    nodes = [node for name in due for node in session.declare(name)]
    extras = EXTRAS if request.clean else request.extras_of_files
    if extras:
        session.declare_extras(extras, buildable if full else [name for name in due if name in (wanted or ())])
    if session.failed:
        nodes += [node for name in session.failed for node in session.chains().failing(name)]
    _offer(session)
    if nodes:
        # SCons looks through the list of targets once for each step, so thousands are given as one; not where it
        # chooses among them (-u, -D) or shows them (--tree).
        env.Default(nodes if full else session.chains().alias("tt-build kernels", nodes))
    else:
        env.Default(_nothing_to_do())
        if not request.targets:
            SCons.Script.SetOption("no_progress", True)
    if request.clean:
        remove_state(session)


def _nothing_to_do() -> Any:
    """A target that is always up to date and says nothing: SCons wants one."""
    return _target("tt-build", _Nothing)


def _target(name: str, kind: Callable[[str], Any]) -> Any:
    """The target of that name, made at the first call."""
    node = SCons.Node.Alias.default_ans.get(name)
    if node is None:
        node = SCons.Node.Alias.default_ans[name] = kind(name)
        node.side_effect = True  # else SCons says that there is nothing to be done; our own line says more
    return node


class _Nothing(SCons.Node.Alias.Alias):  # type: ignore[misc]
    def is_up_to_date(self) -> bool:
        return True


def _question(explained: str) -> Any:
    """The target that refuses to explain what no specification has."""
    node = _target("tt-build question", Question)
    node.problem = lambda: _unexplained(explained)
    return node


def _unexplained(name: str) -> str:
    known = [kernel for session in _SESSIONS for kernel in (*session.reading.digests, *session.failed)]
    return "" if not name or name in known else no_such_kernel(name, known)


def _offer(session: Session) -> None:
    """Let names of targets find what is not declared yet: the aliases of kernels, programs and extras."""
    buildable = set(session.buildable())

    busy: list[str] = []

    def lookup(name: str, **_: Any) -> Any:
        if busy:  # what is declared here is looked up, too
            return None
        if all_is_read() and (text := _unexplained(session.request.explain)):
            refuse(text)
        busy.append(name)
        with said_plainly(), _uncollected():
            if name in EXTRAS:
                session.declare_extras([name], session.buildable())
            elif named(name) in buildable:
                session.name_one(name)
        busy.clear()
        return None  # the alias that is there now is found as any other

    SCons.Node.arg2nodes_lookups.insert(0, lookup)


def _claim(session: Session, name: str) -> None:
    """Refuse the same kernel folder twice in one build."""
    owner = _TAKEN.setdefault(f"{session.root}/{name}", session.source)
    if owner != session.source:
        raise SCons.Errors.UserError(
            f"kernel '{name}' of {session.source} and of {owner} would both be built in {session.folder}; "
            "give one another out"
        )


_TAKEN: dict[str, Path] = {}
_SESSIONS: list[Session] = []
_STARTED = time.monotonic()


@atexit.register
def _finish() -> None:
    """After SCons: record what was proven, write the trace, say in a line what was done."""
    idle, kernels, programs = True, 0, 0
    for session in _SESSIONS:
        started = time.perf_counter_ns()
        session.finish()
        session.trace.add("record", started)
        programs += len(session.reading.programs)
        kernels += len(session.reading.digests) - len(session.reading.programs)
        if session.open and session.request.explain in session.declared:
            from tt_build.scons.explain import outcome

            tell(outcome(session, session.request.explain))
        if session.state is not None and not session.state.idle:
            idle = False
            tell(session.state.summary(time.monotonic() - session.started, session.reading.programs))
        if not session.request.dry and not session.request.clean:
            session.trace.write(session.common / "trace.json")
    for cache in CACHES.values():
        tell(cache.finish())
    plain = _SESSIONS and not any(s.request.dry or s.request.clean or s.request.silent for s in _SESSIONS)
    if not succeeded():
        suggest(alias for session in _SESSIONS for alias in session.aliases())
    elif idle and plain and not any(session.failed for session in _SESSIONS):
        tell(f"tt-build: {kernels_and_programs(kernels, programs)} up to date")
    gc.freeze()  # the interpreter's last collection would go through all nodes
