"""Names of kernels and programs: they become folders, targets and parts of file names, so they are strict."""

from __future__ import annotations

import re

from tt_build.spec.document import Scalar
from tt_build.spec.fields import Fields, trap

KERNEL_NAME = re.compile(r"\A[a-z][a-z0-9_]{0,62}\Z")


def check_kernel_name(fields: Fields, name: str, key: Scalar, taken: set[str], what: str = "kernel") -> bool:
    """Whether a kernel (or a ``program``) may be called that; reported where not.

    What is proposed instead is none of the ``taken`` names, and is taken from then on.
    """
    path = (f"{what}s", name)
    meant = trap(name) if key.plain else ""
    if meant:
        help_ = f'quote it: "{name}"' if KERNEL_NAME.match(name) else "begin the name with a letter"
        fields.error("TTB004", f"unquoted, {name[:60] or 'an empty key'} is {meant} to YAML", path, help_, key=True)
        return False
    if KERNEL_NAME.match(name):
        return True
    help_ = f"a {what}'s name has lower-case letters, digits and underscores, begins with a letter, "
    help_ += "at most 63 characters"
    made = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:63]
    fix = made if KERNEL_NAME.match(made) and made not in taken else None
    if fix is not None:
        help_ = f"write {fix}: {help_}"
        taken.add(fix)
    elif made in taken:
        help_ += f"; '{made}' is taken"
    shown = name if len(name) <= 60 else name[:57] + "..."
    fields.error("TTB009", f"'{shown}' cannot be the name of a {what}", path, help_, key=True, fix=fix)
    return False
