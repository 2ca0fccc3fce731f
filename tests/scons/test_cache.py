"""The cache of steps: what is fetched is what was stored, whatever happens to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.end_to_end.test_scons import SPEC, chain
from tests.support import Tree
from tt_build.scons.cache import FolderCache, pack, unpack

KEY = "ab" * 32


@pytest.fixture
def warm(tmp_path: Path) -> tuple[Tree, str]:
    """A built tree and the argument that names its cache."""
    tree = Tree(tmp_path / "first", SPEC)
    argument = f"cache={tmp_path / 'cache'}"
    assert tree.steps(tree.scons(argument)) == chain("gemm") + chain("add")
    return tree, argument


def entries(argument: str) -> list[Path]:
    return sorted(path for path in Path(argument.partition("=")[2]).glob("steps/*/*") if path.is_file())


def test_a_clean_tree_elsewhere_runs_no_step(warm: tuple[Tree, str], tmp_path: Path) -> None:
    first, argument = warm
    second = Tree(tmp_path / "second", SPEC)
    output = second.scons(argument, "cache_mode=ro")
    assert second.steps(output) == []
    assert "0 steps for 2 kernels (gemm, add), 22 steps from the cache" in output
    assert "22 hits, 0 misses, 0 stored" in output
    assert second.files() == first.files()


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_bad_entries_are_misses_and_are_reported(warm: tuple[Tree, str], tmp_path: Path, mode: str) -> None:
    first, argument = warm
    paths = entries(argument)
    assert len(paths) == 22
    paths[0].write_bytes(paths[0].read_bytes()[:-1] + b"!")
    paths[1].write_bytes(paths[2].read_bytes())  # intact, and of another step
    paths[3].write_bytes(b"")
    paths[4].unlink()
    paths[4].symlink_to("/etc/hostname")
    second = Tree(tmp_path / "second", SPEC)
    output = second.scons(argument, f"cache_mode={mode}")
    assert len(second.steps(output)) == 4
    assert output.count("bad cache entry") >= 4
    assert second.files() == first.files()
    quarantined = list(Path(argument.partition("=")[2]).glob("quarantine/*"))
    assert len(quarantined) == (4 if mode == "rw" else 0)
    third = Tree(tmp_path / "third", SPEC)
    assert len(third.steps(third.scons(argument))) == (0 if mode == "rw" else 4)


def test_read_only_stores_nothing(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "tree", SPEC)
    tree.scons(f"cache={tmp_path / 'cache'}", "cache_mode=ro")
    assert not (tmp_path / "cache").exists()


def test_an_unusable_folder_fails_no_build(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    tree = Tree(tmp_path / "tree", SPEC)
    output = tree.scons(f"cache={tmp_path / 'cache'}")
    assert len(tree.steps(output)) == 22
    assert output.count(f"the cache {tmp_path / 'cache'} cannot be ") == 1


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "tree", SPEC)
    assert tree.scons("cache=/proc/foo").count("the cache /proc/foo cannot be written (") == 1


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path, writes=True, limit=10_000)
    keys = [f"{number:064x}" for number in range(20)]
    for number, key in enumerate(keys):
        cache.put(key, [bytes(900)], 0.1)
        path = next(tmp_path.glob(f"steps/*/{key}"))
        os.utime(path, (number, number))
    assert cache.get(keys[0]) is not None  # used now
    assert "evicted" in cache.finish()
    kept = {path.name for path in tmp_path.glob("steps/*/*")}
    assert keys[0] in kept
    assert keys[1] not in kept
    assert keys[-1] in kept
    assert sum(path.stat().st_size for path in tmp_path.glob("steps/*/*")) <= 10_000


def test_every_truncation_and_flip_of_an_entry_is_refused() -> None:
    data = pack(KEY, [b"reader", b"", b"writer"], 0.5)
    assert unpack(KEY, data) == ([b"reader", b"", b"writer"], 0.5)
    for at in range(len(data)):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]):
            with pytest.raises(ValueError, match="its content"):
                unpack(KEY, damaged)
