"""What our nodes carry, how SCons decides about them, and what it need not find out about them.

The decider stands on the nodes that steps read. It asks the ledger whether the step's target is what the step would
write; where it is not, the target has "changed". SCons' own record can only add to that.
"""

from __future__ import annotations

from typing import Any

import SCons.Node
import SCons.Node.FS

from tt_build.scons.ledger import KernelLedger, step_key


class StepTarget:
    """On each target of a step, as ``attributes.tt_step``: the kernel, its ledger, the step's signature and sources."""

    def __init__(self, kernel: str, ledger: KernelLedger, signature: str, sources: list[Any]) -> None:
        self.kernel, self.ledger, self._signature, self._sources = kernel, ledger, signature, sources
        self._key = ""

    @property
    def settled(self) -> bool:
        """Whether the sources are what this build leaves them. SCons asks about a target before that, too: a scanner
        looks whether a source of somebody else's builder is current while what that is made of still waits.
        """
        return all(
            getattr(source.attributes, "tt_step", None) is None or source.get_state() >= SCons.Node.up_to_date
            for source in self._sources
        )

    def key(self) -> str:
        """The step's key; asked only when it is ``settled``."""
        if not self._key:
            self._key = step_key(self._signature, [digest_of(source) for source in self._sources])
        return self._key


def digest_of(node: Any) -> str:
    """Content digest of a source of a step: of the declaration that it stands for, or of the file's bytes."""
    mark = getattr(node.attributes, "tt_digest", None)
    if mark is not None:
        return str(mark)
    return node.attributes.tt_step.ledger.digest(node.attributes.tt_file) or "missing"


def changed(dependency: Any, target: Any, previous: Any, repository: Any = None) -> bool:
    """The decider: whether ``target`` must be rebuilt."""
    step: StepTarget | None = getattr(target.attributes, "tt_step", None)
    if step is None:  # somebody else's target: SCons' way
        return bool(SCons.Node.decide_target(dependency, target, previous, repository))
    return not (step.settled and step.ledger.vouched(target.attributes.tt_file, step.key()))


class StepFile(SCons.Node.FS.File):  # type: ignore[misc]
    """A target of a step that its own action entered in the ledger.

    SCons would look for a builder of its source code, scan its sources, read back what was just written, and keep its
    record twice; half of what it adds to a step. Where somebody added an action to ours, it does all of that.
    """

    __slots__ = ()

    def make_ready(self) -> None:
        """What it is made of is known; a builder it has."""
        self.get_binfo()

    def scan(self) -> None:
        """Sources are JSON, and our environment has no scanners."""
        node: Any = self
        if node.implicit is None and _made_by_us_alone(node):
            node.implicit, node.implicit_set = [], set()
            node.clear_memoized_values()
        else:
            super().scan()

    def get_csig(self) -> str:
        """The digest in the ledger."""
        ninfo = self.get_ninfo()
        if not hasattr(ninfo, "csig"):
            digest = digest_of(self) if _made_by_us_alone(self) else "missing"
            if digest == "missing":
                return str(super().get_csig())
            ninfo.csig = digest
        return str(ninfo.csig)

    def built(self) -> None:
        """What it was made of stays as it was when the step began; ``visited`` stores it, once."""
        if SCons.Node.interactive:
            super().built()
            return
        node: Any = self
        binfo, storing = node.get_binfo(), node.store_info
        node.store_info = 0
        super().built()
        node.store_info, node.binfo = storing, binfo

    def changed(self, node: Any = None, allowcache: bool = False) -> bool:
        """When SCons lets go of a target that was built, the answer that it keeps is the ledger's alone."""
        if allowcache and node is None and self.get_state() == SCons.Node.executed:
            self._memo["changed"] = changed(None, self, None)
        return bool(super().changed(node, allowcache))

    def get_contents_sig(self) -> str:
        """For SCons' CacheDir, which never looks at what is ours."""
        return ""


def _made_by_us_alone(node: Any) -> bool:
    executor = getattr(node, "executor", None)
    return executor is not None and not executor.pre_actions and not executor.post_actions


def watch(node: Any) -> None:
    """Put the decider on a node."""
    node.Decider(changed)
