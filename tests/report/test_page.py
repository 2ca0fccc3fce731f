"""The page without a browser: self-contained, escaped, the same bytes each time; and the text beside it."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support import elementwise, write_spec
from tt_build.ir.stages import DefaultedKernel, VerifiedKernel
from tt_build.passes.pipeline import run_chain
from tt_build.report.alternatives import compare
from tt_build.report.figures import amount, duration
from tt_build.report.gather import KernelReport, gather
from tt_build.report.page import page
from tt_build.report.text import text
from tt_build.spec.loader import load_file

EVIL = '</script><img src=x onerror="document.title=1">&amp;\u2028`${1}`\'"<!--'
GEMM = {
    "inputs": {"A": {"shape": [256, 256]}, "B": {"shape": [256, 256]}},
    "outputs": {"C": {"shape": [256, 256]}},
    "compute": "C = A @ B",
}


def reports(folder: Path, kernels: dict[str, Any], **top: Any) -> list[KernelReport]:
    """The parts of a specification's report, with alternatives."""
    found = []
    loaded = load_file(write_spec(folder, kernels, **top))
    assert not loaded.errors, loaded.errors
    for entry in loaded.declarations:
        kernel, trail = run_chain(entry)
        declared = trail[0][1]
        assert isinstance(kernel, VerifiedKernel)
        assert isinstance(declared, DefaultedKernel)
        found.append(gather(kernel, entry.kernel.description, compare(declared, kernel)))
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[KernelReport]:
    kernels = {
        "gemm": {**GEMM, "description": EVIL},
        "row": elementwise("C = A + row", [320, 320]),
        "long": {
            "inputs": {"A": {"shape": [64, 8192]}},
            "outputs": {"C": {"shape": [64, 8192]}},
            "compute": "C = softmax(A, axis=-1)",
        },
    }
    return reports(tmp_path_factory.mktemp("report"), kernels)


class _Elements(html.parser.HTMLParser):
    """Tags with their attributes, and the text inside scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data


def parsed(text: str) -> _Elements:
    elements = _Elements()
    elements.feed(text)
    return elements


def test_the_page_refers_to_nothing(found: list[KernelReport]) -> None:
    whole = page(found, "kernels.yaml")
    elements = parsed(whole)
    for tag, attributes in elements.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert not {"src", "action", "formaction", "onclick", "onerror", "onload"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    style = re.search(r"<style>(.*?)</style>", whole, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "innerHTML" not in elements.scripts[-1]


def test_only_the_page_s_own_script_may_run(found: list[KernelReport]) -> None:
    elements = parsed(page(found, "kernels.yaml"))
    policy = next(a["content"] for tag, a in elements.tags if tag == "meta" and a.get("http-equiv")) or ""
    digest = base64.b64encode(hashlib.sha256(elements.scripts[-1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_hostile_texts_stay_text(found: list[KernelReport]) -> None:
    """Names of kernels are words; descriptions, labels, expressions and the title may hold anything."""
    hostile = [msgspec.structs.replace(report, kernel=f"{report.kernel}.{EVIL}", compute=EVIL) for report in found]
    whole = page(hostile, EVIL)
    plain = parsed(page(found, "kernels.yaml"))
    elements = parsed(whole)
    assert [tag for tag, _ in elements.tags] == [tag for tag, _ in plain.tags]
    rows = [attributes["data-kernel"] for tag, attributes in elements.tags if tag == "tr" and attributes]
    assert rows == [report.kernel for report in hostile]
    words, data, script = elements.scripts
    assert [entry["kernel"] for entry in json.loads(data)] == rows
    assert json.loads(data)[0]["description"] == EVIL
    for block in (words, data):
        assert not {"<", ">", "&", "\u2028"} & set(block)
    assert script == plain.scripts[-1]


def test_the_same_reports_give_the_same_page(found: list[KernelReport], tmp_path: Path) -> None:
    again = reports(tmp_path, {"row": elementwise("C = A + row", [320, 320])})
    assert again[0] == found[1]
    assert page(found, "k") == page(list(found), "k")
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[KernelReport]) == found


def test_a_page_of_nothing_is_a_page() -> None:
    assert "0 kernels" in page([], "empty.yaml")


def test_what_is_gathered_fits_the_kernel(found: list[KernelReport]) -> None:
    gemm = found[0]
    assert gemm.estimate is not None
    assert sum(core.units for core in gemm.cores) == gemm.units == 64
    assert sum(core.dram_read for core in gemm.cores) == gemm.estimate.dram_read_bytes
    assert sum(tensor.read for tensor in gemm.tensors) == gemm.estimate.dram_read_bytes
    assert gemm.slowest in {(core.x, core.y) for core in gemm.cores}
    assert sum(cb.size for cb in gemm.buffers) == gemm.estimate.l1_peak_bytes
    lanes = {span[0] for window in gemm.timeline for span in window.spans}
    assert lanes == {"reader", "compute", "pack", "writer"}


def test_schedules_are_compared(found: list[KernelReport]) -> None:
    for report in found:
        labels = [other.label for other in report.alternatives]
        assert len({*labels}) == len(labels) > 1
        assert [other.chosen for other in report.alternatives] == [True] + [False] * (len(labels) - 1)
        assert report.alternatives[0].estimate == report.estimate


def test_a_long_run_is_shown_at_its_ends(found: list[KernelReport]) -> None:
    for report in found:
        for window in report.timeline:
            assert window.begin < window.end
            assert all(window.begin <= begin < end <= window.end for _, begin, end, _ in window.spans)
        assert sum(len(window.spans) for window in report.timeline) < 1000


def test_the_text_names_bound_l1_and_schedules(found: list[KernelReport]) -> None:
    told = text(found)
    assert "bound by the reader's processor" in told
    assert "(chosen)" in told
    assert "cb_a" in told
    assert told.index("gemm") < told.index("row")


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (9999, "9,999 B"), (10240, "10.0 KiB"), (3 << 20, "3.0 MiB"), (5 << 30, "5.0 GiB")]
)
def test_amounts(size: int, shown: str) -> None:
    assert amount(size) == shown


@pytest.mark.parametrize(
    ("time", "shown"),
    [(7, "7 ns"), (17_727, "17.7 us"), (796_163, "796 us"), (1_523_946, "1.52 ms"), (3_000_000_000, "3 s")],
)
def test_durations(time: int, shown: str) -> None:
    assert duration(time) == shown
