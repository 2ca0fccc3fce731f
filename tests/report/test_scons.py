"""``scons report``: built when asked for, rebuilt where something changed, gone after ``-c``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import Tree, acceptance_text, elementwise

TEXT = json.dumps(
    {
        "version": 1,
        "kernels": {
            "one": {"description": "first", **elementwise("C = A + B", [64, 64])},
            "two": elementwise("C = gelu(A)", [64, 64]),
        },
    },
    indent=1,
)
PAGES = {"report.html", "report.txt"}


def changed(tree: Tree, before: dict[str, bytes]) -> set[str]:
    """Files of the report that are not what they were."""
    after = tree.files("build/tenstorrent")
    return {path for path in after if "report" in path and after[path] != before.get(path)}


def test_a_report_s_life(tmp_path: Path) -> None:
    """One tree through all of it, since each build takes a second."""
    tree = Tree(tmp_path / "project", TEXT)
    output = tree.scons("report")
    built = tree.files("build/tenstorrent")
    assert {*PAGES, "one/report.json", "two/report.json"} <= built.keys()
    assert "written: build/tenstorrent/report.html" in output
    assert json.loads(built["one/report.json"])["description"] == "first"
    assert tree.steps(tree.scons("report")) == []
    assert changed(tree, built) == set()

    tree.edit("gelu(A)", "exp(A)")
    steps = tree.steps(tree.scons("report"))
    assert "two:report" in steps
    assert "one:report" not in steps
    assert changed(tree, built) == {*PAGES, "two/report.json"}

    tree.edit("exp(A)", "gelu(A)")
    tree.edit("first", "another <b>word</b>")
    tree.scons("report")
    assert changed(tree, built) == {"report.html", "one/report.json"}  # the text has no descriptions
    page = tree.folder / "build/tenstorrent/report.html"
    whole = page.read_bytes()
    assert b"another \\u003cb\\u003eword" in whole

    page.write_bytes(whole + b"<!-- by hand -->")
    tree.scons("build/tenstorrent/report.html")
    assert page.read_bytes() == whole

    kernels = json.loads(TEXT)
    del kernels["kernels"]["one"]
    (tree.folder / "kernels.yaml").write_text(json.dumps(kernels, indent=1))
    tree.scons("report")
    assert b'data-kernel="one"' not in page.read_bytes()
    assert not [path for path in tree.files("build/tenstorrent") if path.startswith("one/")]

    tree.scons("-c")
    assert tree.files() == {}


def test_two_specifications_in_one_folder_have_a_page_each(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", TEXT, Tree.SCONSTRUCT + 'env.TTKernels("more.yaml")\n')
    (tree.folder / "more.yaml").write_text(json.dumps({"version": 1, "kernels": {"three": elementwise("C = -A")}}))
    tree.scons()
    assert not [path for path in tree.files() if "report" in path]
    tree.scons("report")
    files = tree.files("build/tenstorrent")
    assert {*PAGES, "more.report.html", "more.report.txt"} <= files.keys()
    assert b'data-kernel="three"' in files["more.report.html"]


@pytest.mark.long
def test_every_kernel_of_the_acceptance_set_has_its_part(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", acceptance_text())
    tree.scons("report")
    text = tree.files("build/tenstorrent")["report.txt"].decode()
    assert "no estimate" not in text
