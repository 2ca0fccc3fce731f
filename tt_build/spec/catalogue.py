"""The catalogue of diagnostics as Markdown, one page a code: what ``tt-build explain CODE`` prints and docs hold."""

from __future__ import annotations

from tt_build.spec.codes import CODES

_RANGES = {
    "0": "The file, the schema, the language",
    "1": "Warnings",
    "2": "Cannot be lowered (yet)",
    "3": "Resources of the chip",
    "4": "Internal consistency",
}


def page(code: str) -> str:
    """The page of a code; KeyError where there is none (``CODES`` lists them)."""
    info = CODES[code]
    kind = "A warning: it is repeated at every build until mended or accepted." if info.warning else "An error."
    parts = [
        f"# {code}: {info.title}",
        f"{kind} {info.what}",
        f"**Why:** {info.why}",
        "**Example:**",
        f"```yaml\n{info.example}\n```",
        f"**Mend:** {info.mend}",
    ]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The list of all pages."""
    parts = ["# Diagnostics", "Generated from `tt_build/spec/codes.py`. `tt-build explain CODE` prints a page."]
    for digit, title in _RANGES.items():
        rows = [f"- [{code}]({code}.md): {info.title}" for code, info in sorted(CODES.items()) if code[3] == digit]
        if rows:
            parts += [f"## {title}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def pages() -> dict[str, str]:
    """Every file of the catalogue by name."""
    return {"index.md": index(), **{f"{code}.md": page(code) for code in sorted(CODES)}}
