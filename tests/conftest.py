"""Options: ``--long`` also runs the tests that are marked so (their number is shown), ``--update-goldens``."""

from __future__ import annotations

from pathlib import Path

import pytest

# Modules that take more than half a minute of processor time, longest first. ``./dev test`` hands modules to a process
# a core; what begins first is not what all others wait for at the end.
HEAVY = (
    "end_to_end/test_gates.py",
    "scons/test_trust.py",
    "programs/test_random_programs.py",
    "scons/test_remote.py",
    "end_to_end/test_builds.py",
    "emulator/test_host.py",
    "programs/test_dtypes.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", default=False, help="write the golden files anew")
    parser.addoption("--long", action="store_true", default=False, help="also run the slow campaigns")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.path))
    if config.getoption("--long"):
        return
    slow = [item for item in items if item.get_closest_marker("long")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are written instead of compared."""
    return bool(request.config.getoption("--update-goldens"))


def _rank(path: Path) -> int:
    """Its place among the heavy modules, or behind them."""
    below = path.relative_to(Path(__file__).parent).as_posix()
    return HEAVY.index(below) if below in HEAVY else len(HEAVY)
