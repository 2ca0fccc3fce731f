"""The page in headless Chromium: what a person sees and does, by mouse and by keyboard, light and dark."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.report.browser import PACKAGES, Browser, is_there
from tests.report.test_page import EVIL, GEMM, reports
from tests.support import elementwise
from tt_build.report.gather import KernelReport
from tt_build.report.page import page

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
NAMES = (Path(__file__).parent / "names.js").read_text()
DARK = "return getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert is_there(), f"install {' and '.join(PACKAGES)}, as ./dev test does"
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[KernelReport]:
    target = {"arch": "wormhole_b0", "grid": [4, 3]}
    kernels = {
        "gemm": GEMM,
        "row": elementwise("C = A + row", [320, 320]),
        "small": elementwise("C = gelu(A)", [64, 64]),
        "long": elementwise("C = A + B", [2048, 2048]),
    }
    return reports(tmp_path_factory.mktemp("report"), kernels, target=target)


@pytest.fixture
def shown(browser: Browser, found: list[KernelReport], tmp_path: Path) -> Browser:
    """The page, freshly loaded."""
    path = tmp_path / "report.html"
    path.write_text(page(found, "kernels.yaml"))
    browser.open(path)
    return browser


def test_the_first_kernel_is_shown_whole(shown: Browser, found: list[KernelReport]) -> None:
    assert shown.texts("#kernel h2") == ["gemm"]
    assert len(shown.texts("#overview tbody tr")) == 4
    titles = shown.texts("#kernel h3")
    assert [title.split(":")[0].split(" of core")[0] for title in titles] == [
        "Where the time goes", "Cores", "Stage timeline", "L1 of a core", "Schedules compared", "Tensors",
    ]  # fmt: skip
    assert len(shown.texts(".core")) == 12
    assert len(shown.texts(".core:not([disabled])")) == len(found[0].cores)
    assert len(shown.texts(".map div")) == len(found[0].buffers)
    assert shown.run("return document.querySelectorAll('#kernel svg rect title').length") > 20
    assert shown.messages() == []


def test_a_name_shows_its_kernel_and_can_be_linked(shown: Browser) -> None:
    shown.click("tr[data-kernel=small] a")
    assert shown.texts("#kernel h2") == ["small"]
    assert shown.run("return location.hash") == "#kernel=small"
    assert shown.run("return document.querySelector('tr[aria-current=true]').dataset.kernel") == "small"
    assert shown.run("return document.activeElement.id") == "kernel-title"
    assert len(shown.texts(".core[disabled]")) == 12 - 4


def test_headings_sort(shown: Browser) -> None:
    names = "return [...document.querySelectorAll('#overview tbody tr')].map((row) => row.dataset.kernel)"
    values = (
        "return [...document.querySelectorAll('#overview tbody tr')].map((row) => Number(row.cells[1].dataset.value))"
    )
    shown.click("#overview thead th:nth-child(2) button")
    assert shown.run(values) == sorted(shown.run(values), reverse=True)
    assert shown.run("return document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "descending"
    shown.click("#overview thead th:nth-child(2) button")
    assert shown.run(values) == sorted(shown.run(values))
    shown.click("#overview thead th:nth-child(1) button")
    assert shown.run(names) == ["small", "row", "long", "gemm"]


def test_keys_find_and_step(shown: Browser) -> None:
    shown.press("j")
    assert shown.texts("#kernel h2") == ["row"]
    shown.press("k")
    assert shown.texts("#kernel h2") == ["gemm"]
    shown.press("/")
    assert shown.run("return document.activeElement.id") == "filter"
    shown.press("lo")
    assert shown.texts("#count") == ["1 of 4 kernels"]
    assert shown.texts("#overview tbody tr:not([hidden]) th") == ["long"]


def test_arrows_walk_over_the_cores(shown: Browser) -> None:
    shown.run('document.querySelector(\'.core[data-x="0"][data-y="0"]\').focus()')
    shown.press("\ue014\ue015")  # right, down
    assert shown.run("return document.activeElement.dataset.x + document.activeElement.dataset.y") == "11"
    assert shown.texts("[role=status].legend")[0].startswith("core (1, 1): ")


def test_the_cores_show_what_is_asked(shown: Browser, found: list[KernelReport]) -> None:
    shown.run(
        "const s = document.querySelector('#kernel select'); s.value = 'units'; s.dispatchEvent(new Event('change'))"
    )
    assert shown.texts(".core:not([disabled])")[0] == str(found[0].cores[0].units)
    assert shown.run("return document.activeElement.tagName") == "SELECT"


def test_light_and_dark(shown: Browser) -> None:
    grounds = []
    for theme in ("light", "dark"):
        shown.run(
            "const t = document.getElementById('theme'); t.value = arguments[0]; t.dispatchEvent(new Event('change'))",
            theme,
        )
        grounds.append(shown.run(DARK))
        assert shown.run(CONTRAST) == [], theme
    assert grounds[0] != grounds[1]


def test_everything_has_a_name_for_those_who_do_not_see_it(shown: Browser) -> None:
    assert shown.run(NAMES) == []
    assert (
        shown.run("return [...document.querySelectorAll('h1, h2, h3')].map((n) => n.tagName).join('')")
        == "H1H2" + "H3" * 6
    )


def test_hostile_texts_do_nothing(browser: Browser, found: list[KernelReport], tmp_path: Path) -> None:
    first = found[0]
    tensors = tuple(msgspec.structs.replace(tensor, name=EVIL, layout=EVIL) for tensor in first.tensors)
    buffers = tuple(msgspec.structs.replace(cb, name=EVIL) for cb in first.buffers)
    others = tuple(msgspec.structs.replace(other, label=EVIL) for other in first.alternatives)
    evil = msgspec.structs.replace(
        first,
        kernel=EVIL,
        description=EVIL,
        compute=EVIL,
        file=EVIL,
        tensors=tensors,
        buffers=buffers,
        alternatives=others,
    )
    path = tmp_path / "report.html"
    path.write_text(page([evil, found[1]], EVIL))
    browser.open(path)
    assert browser.texts("#kernel h2") == [EVIL]
    assert browser.texts("#kernel pre code") == [EVIL]
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert browser.run("return document.title") == f"{EVIL}: what its kernels cost"
    browser.click("tr:nth-child(2) a")
    browser.click("tr:nth-child(1) a")
    assert browser.texts("#kernel h2") == [EVIL]
    assert browser.messages() == []


def test_a_script_that_is_smuggled_in_does_not_run(browser: Browser, found: list[KernelReport], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(found, "k").replace("<main>", "<main><script>document.title = 'run'</script>"))
    browser.open(path)
    assert browser.run("return document.title") != "run"
    assert any("Content Security Policy" in message for message in browser.messages())


def test_nothing_is_cut_off_on_a_narrow_screen(browser: Browser, found: list[KernelReport], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(found, "kernels.yaml"))
    browser.open(path)
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
    width, height = struct.unpack(">II", browser.screenshot()[16:24])
    assert width >= 1200
    assert height >= 1000
