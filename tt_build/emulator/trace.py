"""Chrome trace of a run: a process a core, a row a thread; time is the emulator's count of API calls, not seconds."""

from __future__ import annotations

from typing import Any

from tt_build.emulator.memory import Layout

_THREADS = ("riscv_0 (writer)", "riscv_1 (reader)", "unpack", "math", "pack")


def chrome_trace(answer: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """The trace as the JSON object that chrome://tracing and Perfetto read."""
    events: list[dict[str, Any]] = []
    for index, (x, y) in enumerate(layout.cores):
        events.append({"ph": "M", "pid": index, "name": "process_name", "args": {"name": f"core ({x}, {y})"}})
        events += [
            {"ph": "M", "pid": index, "tid": t, "name": "thread_name", "args": {"name": n}}
            for t, n in enumerate(_THREADS)
        ]
    for core, thread, name, begin, end in answer["trace"]:
        events.append({"ph": "X", "pid": core, "tid": thread, "name": name, "ts": begin, "dur": max(1, end - begin)})
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"time": "API calls", "ticks": answer["ticks"]},
    }
