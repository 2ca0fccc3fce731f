"""The report as one HTML page that needs nothing else: style, script and data are in it.

Names, texts and expressions of kernels.yaml may hold anything: the table is escaped here, everything else is data that
the script puts into the page as text. The page's own policy forbids every other script and every address.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from tt_build.report.figures import BOUNDS, amount, duration, percent
from tt_build.report.gather import KernelReport

SIGNATURE_DATA = ("page.css", "page.js")

COLUMNS = (
    ("kernel", False),
    ("cycles", True),
    ("time", True),
    ("bound", False),
    ("busy", True),
    ("matrix", True),
    ("DRAM read", True),
    ("written", True),
    ("/ compulsory", True),
    ("NoC", True),
    ("L1 peak", True),
)


def page(reports: Sequence[KernelReport], title: str) -> str:
    """The whole file. ``title`` names the specification."""
    style = _own("page.css")
    script = _own("page.js")
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_digest(script)}'"
    archs = ", ".join(sorted({report.arch for report in reports}))
    rows = "\n".join(map(_row, reports))
    heads = "\n".join(_head(name, numeric) for name, numeric in COLUMNS)
    count = f"{len(reports)} kernel{'s' * (len(reports) != 1)}"
    name = html.escape(title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{name}: what its kernels cost</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#kernel">to the kernel</a>
<header>
<h1>What the kernels of {name} cost</h1>
<p>{html.escape(archs)}; bytes are counted, times are estimated</p>
<div class="tools">
<span id="count" role="status">{count}</span>
<label>find <input id="filter" type="search" autocomplete="off" spellcheck="false" placeholder="name or bound"></label>
<label>theme <select id="theme">
<option value="">the system's</option><option>light</option><option>dark</option>
</select></label>
</div>
</header>
<main>
<div class="sheet" id="overview" tabindex="0" role="region" aria-label="all kernels">
<table>
<caption>Every kernel. Headings sort; a name shows the kernel below.</caption>
<thead><tr>
{heads}
</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<section id="kernel" aria-live="polite"><p>This part needs JavaScript; report.txt says the same.</p></section>
</main>
<footer>
<p><kbd>/</kbd> finds, <kbd>j</kbd> and <kbd>k</kbd> go to the next and previous kernel, arrow keys move over the cores.
Estimates are those of tt-build's cost model; nothing here was measured on a card.</p>
</footer>
<script type="application/json" id="words">{_json(BOUNDS)}</script>
<script type="application/json" id="data">{_json(msgspec.to_builtins(tuple(reports)))}</script>
<script>{script}</script>
</body>
</html>
"""


def _own(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _json(data: object) -> str:
    """JSON that no HTML parser takes for anything else, and no reader of JavaScript for a line's end."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _head(name: str, numeric: bool) -> str:
    mark = ' class="n"' if numeric else ""
    return f'<th scope="col"{mark}><button type="button">{html.escape(name)}</button></th>'


def _row(report: KernelReport) -> str:
    name, found = html.escape(report.kernel), report.estimate
    link = f'<th scope="row"><a href="#kernel={quote(report.kernel, safe="")}">{name}</a></th>'
    start = f'<tr data-kernel="{name}">{link}'
    if found is None:
        return f'{start}<td colspan="10">written by hand: no estimate</td></tr>'
    noc = found.noc_unicast_bytes + found.noc_multicast_delivered_bytes
    bound = f'<td><span class="bound" data-bound="{found.bound}">{found.bound}</span></td>'
    ratio = f"{found.dram_ratio:.2f}" if found.compulsory_bytes else "-"
    matrix = percent(found.matrix_utilization) if found.matrix_utilization else "-"
    cells = [
        _number(found.cycles, f"{found.cycles:,}"),
        _number(found.time_ns, duration(found.time_ns)),
        bound,
        _number(found.utilization, percent(found.utilization)),
        _number(found.matrix_utilization, matrix),
        _number(found.dram_read_bytes, amount(found.dram_read_bytes)),
        _number(found.dram_write_bytes, amount(found.dram_write_bytes)),
        _number(found.dram_ratio, ratio),
        _number(noc, amount(noc)),
        _number(found.l1_peak_bytes, amount(found.l1_peak_bytes)),
    ]
    return f"{start}{''.join(cells)}</tr>"


def _number(value: float, text: str) -> str:
    return f'<td class="n" data-value="{value}">{text}</td>'
