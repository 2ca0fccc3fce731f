"""docs/functions.md is current (``--update-goldens`` writes it), and no SFPU call of the SDK is missing from it."""

from __future__ import annotations

import re

from tests.support import ROOT
from tt_build.codegen.sfpu import OWN
from tt_build.lang.absent import ABSENT
from tt_build.lang.functions import FUNCTIONS
from tt_build.sdk import wheel
from tt_build.spec.functions_page import functions_page

# Headers of calls on DST tiles that are elementwise functions: those of this folder, and these beside it.
FOLDER = "eltwise_unary"
BESIDE = (
    "compute_kernel_api.h", "eltwise_binary_sfpu.h", "binary_*.h", "*_int_sfpu.h", "div_int32*.h", "atan2.h", "xlogy.h",
    "logaddexp*.h", "logsigmoid.h", "gcd.h", "lcm.h", "isclose.h", "nextafter.h", "mask.h", "quantization.h",
    "clamped_silu_glu.h", "situ_glu.h",
)  # fmt: skip


def test_the_page_is_current(update_goldens: bool) -> None:
    page = ROOT / "docs" / "functions.md"
    if update_goldens:
        page.write_text(functions_page())
    assert page.read_text() == functions_page()


def offered() -> set[str]:
    """The SFPU calls that the SDK's headers define."""
    root = wheel.ensure() / "ttnn" / "tt_metal" / "hw" / "inc" / "api" / "compute"
    files = [*(root / FOLDER).glob("*.h"), *(path for pattern in BESIDE for path in root.glob(pattern))]
    text = "\n".join(path.read_text() for path in files)
    names = set(re.findall(r"ALWI void (\w+_tile\w*)\(", text))
    return {name for name in names if "_tile_init" not in name and not name.endswith("_init")}


def used() -> set[str]:
    """The SFPU calls that generated kernels make."""
    rows = {call.call for row in FUNCTIONS.values() for call in row.calls()}
    own = {OWN[name](form).call for name, form in (("fill", "float"), ("fill", "Int32"), ("typecast", "Float32_Int32"))}
    return {re.split(r"[<(]", call)[0] for call in rows | own}


def test_every_call_of_the_sdk_is_a_function_or_has_a_reason_why_not() -> None:
    assert sorted(offered() - used() - ABSENT.keys()) == []


def test_no_reason_is_for_a_call_that_is_used_or_not_there() -> None:
    assert sorted(ABSENT.keys() & used()) == []
    assert sorted(ABSENT.keys() - offered()) == []
