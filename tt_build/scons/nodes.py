"""What our nodes carry, and how SCons decides about them.

The decider stands on the nodes that steps read. It asks the ledger whether the step's target is what the step would
write; where it is not, the target has "changed". SCons' own record can only add to that.
"""

from __future__ import annotations

from typing import Any

import SCons.Node

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


def watch(node: Any) -> None:
    """Put the decider on a node."""
    node.Decider(changed)
