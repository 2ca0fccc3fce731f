"""Every fault is caught under every seed; its message, place and help are those of fault_messages.txt.

``python -m tests.emulator.test_faults`` writes that file anew; read the difference before committing it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.emulator.examples import EXAMPLES, FOLDER, inputs
from tests.emulator.faults import FAULTS, Fault
from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import run

MESSAGES = Path(__file__).parent / "fault_messages.txt"


def messages(fault: Fault, folder: Path, seeds: range) -> list[EmulationError]:
    """What the emulator says about the fault under each seed."""
    for source in (FOLDER / fault.example).glob("*.cpp"):
        shutil.copy(source, folder)
    text = (folder / fault.file).read_text()
    assert text.count(fault.old) >= 1, f"{fault.name} edits nothing"
    (folder / fault.file).write_text(text.replace(fault.old, fault.new, 1))
    example = EXAMPLES[fault.example]()
    found = []
    for seed in seeds:
        with pytest.raises(EmulationError) as caught:
            run(example.plan, folder, inputs(example), seed=seed, timeout=30)
        found.append(caught.value)
    return found


def recorded() -> dict[str, str]:
    blocks = MESSAGES.read_text().split("\n\n")
    return {head[2:]: body for head, _, body in (block.strip().partition("\n") for block in blocks)}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_fault_is_caught_with_its_message(fault: Fault, tmp_path: Path) -> None:
    found = messages(fault, tmp_path, range(3))
    assert [error.report.code for error in found] == [fault.code] * 3
    assert str(found[0]) == recorded()[fault.name]


def test_messages_and_faults_agree() -> None:
    assert list(recorded()) == [fault.name for fault in FAULTS]


if __name__ == "__main__":
    import tempfile

    out = []
    for one in FAULTS:
        with tempfile.TemporaryDirectory() as name:
            out.append(f"# {one.name}\n{messages(one, Path(name), range(1))[0]}\n")
    MESSAGES.write_text("\n".join(out))
