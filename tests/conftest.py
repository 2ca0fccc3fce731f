"""Options of the whole test suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-goldens`` writes expected texts anew, for review in the diff; ``--long`` runs everything."""
    parser.addoption("--update-goldens", action="store_true", help="write golden files instead of comparing with them")
    parser.addoption("--long", action="store_true", help="also run the slow campaigns (marker long)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the slow campaigns out unless ``--long`` asks for them."""
    if config.getoption("--long"):
        return
    slow = [item for item in items if item.get_closest_marker("long")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written."""
    return bool(request.config.getoption("--update-goldens"))
