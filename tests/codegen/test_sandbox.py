"""A repository's own templates: the package's give the same bytes in the sandbox; hostile ones end, with a place."""

from __future__ import annotations

import time

import pytest

from tests.support import ROOT
from tt_build.codegen.compile import compile_files
from tt_build.codegen.templates import render
from tt_build.spec.diagnostics import Rejected
from tt_build.spec.loader import load_file
from tt_build.spec.templates import own_templates, packaged

SECONDS = 10.0  # on a machine that does much else; alone each takes less than two


def test_the_packages_templates_give_the_same_bytes_in_the_sandbox() -> None:
    kernels = [*load_file(ROOT / "kernels.yaml").declarations[:8]]
    kernels += load_file(ROOT / "examples/handwritten-entries/kernels.yaml").declarations
    for declaration in kernels:
        assert compile_files(declaration, packaged()) == compile_files(declaration)


def test_a_kernel_depends_on_the_templates_that_it_includes() -> None:
    def names(kind: str, *own: str) -> list[str]:
        return list(own_templates(kind, {name: packaged()[name] for name in own}))

    assert names("expression", "macros/noc.j2", "CMakeLists.txt.j2") == ["CMakeLists.txt.j2", "macros/noc.j2"]
    assert names("handwritten", "macros/noc.j2", "CMakeLists.txt.j2") == ["CMakeLists.txt.j2"]
    assert list(own_templates("handwritten", {"CMakeLists.txt.j2": '{% include "a.j2" %}', "a.j2": "x"})) == [
        "CMakeLists.txt.j2",
        "a.j2",
    ]


def refused(text: str) -> str:
    """The message about a template that takes the place of CMakeLists.txt.j2."""
    started = time.monotonic()
    with pytest.raises(Rejected) as caught:
        render("CMakeLists.txt.j2", "host", {}, {"CMakeLists.txt.j2": text}, p={"kernel": "k", "deep": [[1]]})
    assert time.monotonic() - started < SECONDS
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.where.path) == ("TTB042", ("extensions",))
    assert diagnostic.help
    return diagnostic.message


WORK = "the templates do more than"
HOSTILE = {
    "loops in loops": ("{% for i in range(1000) %}{% for j in range(1000) %}{% for k in range(1000) %}{% endfor %}"
                       "{% endfor %}{% endfor %}", WORK),
    "a long range": ("{% for i in range(10 ** 9) %}{% endfor %}", WORK),
    "a macro that doubles": ("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
                             "{{ m(40) }}", WORK),
    "a text that doubles": ("{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}"
                            "{% endfor %}", WORK),
    "a block that doubles": ("{% set a %}xxxxxxxxxx{% endset %}"
                             + "{% set a %}{{ a }}{{ a }}{{ a }}{{ a }}{% endset %}" * 30, WORK),
    "an inclusion of itself": ('{% include "CMakeLists.txt.j2" %}{% include "CMakeLists.txt.j2" %}', ""),
    "a text times a number": ("{{ 'x' * 10 ** 9 }}", "is for numbers only"),
    "a list times a number": ("{% set l = [1] * 10 ** 9 %}", "is for numbers only"),
    "a huge power": ("{{ 9 ** (9 ** 9) }}", "a number is too large"),
    "a wide field": ("{{ '%1000000000d' % 1 }}", "a field is too wide"),
    "a wide field of an argument": ("{{ '%*d' | format(1000000000, 1) }}", "a field is too wide"),
    "a wide indent": ("{{ 'x' | indent(1000000000) }}", "an indent of"),
    "a text in a loop": ("{% for i in range(100000) %}" + "x" * 1000 + "{% endfor %}", WORK),
    "nested lists": ("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}"
                     "{{ ns.l }}", "only text and numbers are printed"),
    "nested lists compared": ("{{ [p.deep] == [p.deep] }}", "only text and numbers are printed and compared"),
    "a filter that is not there": ("{{ 'x' | center(1000000000) }}", "No filter named 'center'"),
    "a method": ("{{ 'x'.center(1000000000) }}", "is not safely callable"),
    "format": ("{{ '{0:1000000000}'.format(1) }}", "is not safely callable"),
    "Python's insides": ("{{ p.__class__.__mro__ }}", "unsafe"),
    "a key that is computed": ("{% set d = {(1, 2): 3} %}", "a key is written out"),
    "what is not there": ("{{ p.nothing }}", "has no attribute 'nothing'"),
    "another file": ('{% include "/etc/passwd" %}', "/etc/passwd"),
    "a file above": ('{% include "../pyproject.toml" %}', "../pyproject.toml"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_ends(name: str) -> None:
    text, expected = HOSTILE[name]
    message = refused(text)
    assert message.startswith("templates/CMakeLists.txt.j2")
    assert expected in message


def test_the_line_is_that_of_the_template() -> None:
    assert refused("{# one #}\n{# two #}\n{{ p.nothing }}\n").startswith("templates/CMakeLists.txt.j2:3: ")
