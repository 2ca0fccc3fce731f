"""What passes share: extending a stage, refusing a declaration."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

import msgspec

from tt_build.ir.stages import Kernel
from tt_build.spec.diagnostics import Diagnostic, Rejected, Related, Where

Stage = TypeVar("Stage", bound=Kernel)


def extend(stage: type[Stage], kernel: Kernel, **found: Any) -> Stage:
    """The next stage: every field of ``kernel``, and what the pass found."""
    return stage(**{**msgspec.structs.asdict(kernel), **found})


def where(kernel: Kernel, *path: str | int, value: int | None = None) -> Where:
    """A place inside that kernel's declaration."""
    return Where(path=("kernels", kernel.name, *(("compute",) if value is not None else path)), value=value)


def refuse(
    kernel: Kernel,
    code: str,
    message: str,
    *,
    path: tuple[str | int, ...] = (),
    value: int | None = None,
    help: str = "",
    related: tuple[Related, ...] = (),
) -> NoReturn:
    """Raise ``Rejected`` with one error at that place of the declaration."""
    raise Rejected(
        Diagnostic(code=code, message=message, where=where(kernel, *path, value=value), help=help, related=related)
    )
