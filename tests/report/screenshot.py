"""``python -m tests.report.screenshot REPORT.html KERNEL PNG``: a picture of a report for docs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.report.browser import Browser


def main() -> None:
    """Open the page at the kernel, at the size of a large window, and keep what is seen."""
    report, kernel, picture = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, Browser(Path(folder), (1280, 1750)) as browser:
        browser.open(Path(report).resolve(), f"#kernel={kernel}")
        browser.run("document.getElementById('overview').style.maxHeight = '18rem'")
        Path(picture).write_bytes(browser.screenshot())


if __name__ == "__main__":
    main()
