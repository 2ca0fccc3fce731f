"""Sources with their headers put in place: nothing outside the folder, no cycle, no text without end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tt_build.spec.texts import MOST_BYTES, Texts, Unusable


def expanded(folder: Path, **files: str) -> str:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_h", ".h").replace("_cpp", ".cpp")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Texts(folder).source("main.cpp")


def preprocessed(text: str) -> list[str]:
    done = subprocess.run(["g++", "-E", "-P", "-x", "c++", "-"], input=text, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_headers_take_the_place_of_their_includes(tmp_path: Path) -> None:
    text = expanded(
        tmp_path, main_cpp='#include "a__b.h"\nmain\n'.replace("__", "/"), a__b_h='#include "c.h"\nb\n', a__c_h="c\n"
    )
    assert preprocessed(text) == ["c", "b", "main"]


def test_pragma_once_counts_where_the_preprocessor_meets_it(tmp_path: Path) -> None:
    main = '#if 0\n#include "x.h"\n#endif\n#include "x.h"\n#include "x.h"\nmain\n'
    assert preprocessed(expanded(tmp_path, main_cpp=main, x_h="#pragma once\nx\n")) == ["x", "main"]


def test_headers_of_the_sdk_and_includes_in_comments_stay(tmp_path: Path) -> None:
    main = '#include "api/compute/common.h"\n#include <cstdint>\n// #include "no.h"\n/*\n#include "no.h"\n*/\n'
    assert expanded(tmp_path, main_cpp=main) == main


@pytest.mark.parametrize("name", ["../x.h", "/etc/passwd", "a/../../x.h", "..", "~/x.h", "a\\x.h", "", "no.h"])
def test_includes_that_lead_out_or_nowhere_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.h").write_text("secret")
    folder = tmp_path / "inner"
    folder.mkdir()
    with pytest.raises(Unusable):
        expanded(folder, main_cpp=f'#include "{name}"\n')


@pytest.mark.parametrize("name", ["../x.cpp", "/etc/passwd", "~/x", "a\\b", "\0", "", " ", "main.cpp/x", "."])
def test_paths_that_lead_out_or_nowhere_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "main.cpp").write_text("")
    with pytest.raises(Unusable):
        Texts(tmp_path).source(name)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "inner"
    folder.mkdir()
    os.symlink(tmp_path / "secret", folder / "main.cpp")
    with pytest.raises(Unusable, match="leads out"):
        Texts(folder).source("main.cpp")
    os.symlink(tmp_path, folder / "up")
    with pytest.raises(Unusable, match="leads out"):
        Texts(folder).source("up/secret")


def test_a_cycle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="includes itself"):
        expanded(tmp_path, main_cpp='#include "a.h"\n', a_h='#include "b.h"\n', b_h='#include "a.h"\n')


def test_headers_that_double_are_bounded(tmp_path: Path) -> None:
    for level in range(31):
        (tmp_path / f"h{level}.h").write_text(f'#include "h{level + 1}.h"\n' * 2)
    (tmp_path / "h31.h").write_text("x\n")
    (tmp_path / "main.cpp").write_text('#include "h1.h"\n')
    with pytest.raises(Unusable, match="more than"):
        Texts(tmp_path).source("main.cpp")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_bytes(b"\xff\xfe")
    with pytest.raises(Unusable, match="UTF-8"):
        Texts(tmp_path).source("main.cpp")
    (tmp_path / "main.cpp").write_bytes(b"x" * (MOST_BYTES + 1))
    with pytest.raises(Unusable, match="more than"):
        Texts(tmp_path).source("main.cpp")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unusable, match="no file"):
        Texts(tmp_path).source("pipe")
