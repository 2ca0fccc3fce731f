"""The front end under a coverage-guided fuzzer, a minute for each target (``--long``)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tt_build.lang.signatures import SIGNATURES
from tt_build.spec.schema import build

SECONDS = 60


def words() -> list[str]:
    """Keys and values of the language, and its functions."""
    quoted = set(re.findall(r"'([A-Za-z_][\w ]*)'", repr(build())))
    return sorted({word for word in quoted if len(word) < 24} | set(SIGNATURES) | {"@", "**", ".T", "axis=-1", "|\n  "})


def escaped(word: str) -> str:
    return "".join(char if char.isalnum() or char in "_ @*.=-" else f"\\x{ord(char):02x}" for char in word)


@pytest.mark.long
@pytest.mark.parametrize("target", ["loader", "compute", "ops"])
def test_nothing_raises_or_hangs(target: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    specs = [ROOT / "kernels.yaml", *(ROOT / "tests" / "diagnostics").glob("*.yaml")]
    for path in [*ROOT.rglob("**/ops/ops.yaml")] if target == "ops" else specs:
        text = path.read_text(errors="replace")
        found = re.findall(r"compute: (.*)", text)
        for at, seed in enumerate(found if target == "compute" else [text]):
            (corpus / f"{path.stem}_{at}").write_text(seed)
    (tmp_path / "words").write_text("".join(f'"{escaped(word)}"\n' for word in words()))
    options = [
        f"-max_total_time={SECONDS}",
        "-timeout=5",
        "-rss_limit_mb=1500",
        "-max_len=4096",
        f"-dict={tmp_path}/words",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.spec.fuzz", target, *options, f"-artifact_prefix={tmp_path}/", str(corpus)],
        cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=SECONDS + 120, check=False,
    )  # fmt: skip
    ran = re.search(r"Done (\d+) runs", done.stderr)
    assert done.returncode == 0, done.stderr[-4000:]
    assert ran is not None, done.stderr[-4000:]
    assert int(ran[1]) > 1000
