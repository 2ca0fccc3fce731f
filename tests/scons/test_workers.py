"""Processes that serve a build: reused, never more than are asked at once, and gone when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tt_build import children
from tt_build.children import Interrupted
from tt_build.scons import verify_worker
from tt_build.scons import workers as processes
from tt_build.scons.outcomes import Answer
from tt_build.scons.tasks import KernelTask, Question, Request
from tt_build.scons.workers import WorkerFault, WorkerLost, Workers
from tt_build.spec.model import VerifySpec


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers("tests.scons.worker", 3)
    yield made
    made.close()


def ask(workers: Workers, do: str) -> tuple[int, int, str]:
    jobs, process, said = json.loads(workers.ask(lambda _: json.dumps({"do": do}).encode()))
    return jobs, process, said


def test_a_process_answers_one_question_after_the_other(workers: Workers) -> None:
    jobs, process, said = ask(workers, "echo")
    assert (jobs, said) == (3, "echo")
    assert process != os.getpid()
    assert ask(workers, "again") == (3, process, "again")


def test_what_the_work_prints_is_no_answer(workers: Workers) -> None:
    assert ask(workers, "print")[2] == "print"


def test_the_work_reads_no_questions(workers: Workers) -> None:
    assert ask(workers, "input")[2] == "input"
    assert ask(workers, "echo")[2] == "echo"


def test_modules_come_from_where_this_process_has_them(workers: Workers) -> None:
    assert json.loads(ask(workers, "modules")[2]) == sorted(sys.path)


def test_questions_at_once_go_to_processes_of_their_own(workers: Workers) -> None:
    workers.start(2)
    barrier, found = threading.Barrier(3), set[int]()

    def one() -> None:
        barrier.wait()
        found.add(ask(workers, "pause")[1])

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert all(is_alive(process) for process in found)
    workers.close()
    assert not any(is_alive(process) for process in found)


def test_no_more_are_started_than_the_build_has_jobs(workers: Workers) -> None:
    """Of two specifications each starts those that it expects."""
    workers.start(2)
    workers.start(2)
    assert len(workers._idle) == 2
    workers.start(30)
    assert len(workers._idle) == 3


def test_a_question_says_how_many_work(workers: Workers) -> None:
    seen: list[int] = []
    thread = threading.Thread(target=ask, args=(workers, "pause"))
    thread.start()
    time.sleep(0.2)

    def question(working: int) -> bytes:
        seen.append(working)
        return b'{"do": "echo"}'

    workers.ask(question)
    thread.join()
    workers.ask(question)
    assert seen == [2, 1]


@pytest.mark.parametrize(("jobs", "working", "compilers"), [(1, 1, 1), (8, 1, 8), (8, 3, 2), (2, 2, 1), (2, 3, 1)])
def test_processes_share_the_compilers_of_a_build(
    jobs: int, working: int, compilers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each had as many as the build has jobs."""
    limits: list[int] = []
    monkeypatch.setattr(verify_worker, "limit_compilers", limits.append)
    monkeypatch.setattr(verify_worker, "answer", lambda task: Answer(error=task.plan))
    task = KernelTask(stage="", plan="p", request=Request(verify=VerifySpec(), sizes={}, scalars={}))
    assert b'"p"' in verify_worker.respond(Question(task, working), jobs)
    assert limits == [compilers]


def test_a_fault_has_its_traceback_and_the_process_goes_on(workers: Workers) -> None:
    first = ask(workers, "echo")
    with pytest.raises(WorkerFault, match="ValueError: of no use"):
        ask(workers, "raise")
    assert ask(workers, "echo") == first


def test_an_interrupt_of_the_work_is_one_here(workers: Workers) -> None:
    with pytest.raises(Interrupted):
        ask(workers, "interrupted")


def test_a_process_that_ends_is_a_fault_and_another_takes_its_place(workers: Workers) -> None:
    ended = ask(workers, "echo")[1]
    with pytest.raises(WorkerFault, match="exit code 3"):
        ask(workers, "end")
    assert ask(workers, "echo")[1] != ended


def test_a_process_that_ended_with_nothing_to_do_is_no_loss(workers: Workers) -> None:
    ended = ask(workers, "echo")[1]
    os.kill(ended, signal.SIGKILL)
    os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)
    assert ask(workers, "echo")[1] != ended


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (signal.SIGTERM, Interrupted),
        (signal.SIGHUP, Interrupted),
        (signal.SIGINT, Interrupted),
        (signal.SIGKILL, WorkerLost),
    ],
)
def test_a_process_that_a_signal_ends(workers: Workers, number: signal.Signals, error: type[BaseException]) -> None:
    """``timeout`` sends SIGTERM to the whole group: that was called a fault of ours."""
    process = ask(workers, "echo")[1]
    threading.Timer(0.2, os.kill, (process, number)).start()
    with pytest.raises(error) as raised:
        ask(workers, "sleep")
    assert ("SIGKILL" in str(raised.value)) == (error is WorkerLost)


@pytest.mark.parametrize(
    ("number", "group"),
    [(signal.SIGKILL, False), (signal.SIGTERM, True), (signal.SIGHUP, True), (signal.SIGINT, True)],
)
def test_however_a_build_ends_its_work_ends_and_leaves_nothing(tmp_path: Path, number: int, group: bool) -> None:
    """The error output is open as long as the process, or what it waits for, is there."""
    asks = (
        "from tt_build.scons.workers import Workers\n"
        "Workers('tests.scons.worker', 1).ask(lambda _: b'{\"do\": \"wait\"}')"
    )
    build = subprocess.Popen(
        [sys.executable, "-c", asks],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    while not list(tmp_path.iterdir()):
        time.sleep(0.01)
    time.sleep(0.1)
    (os.killpg if group else os.kill)(build.pid, number)
    _, said = build.communicate(timeout=10)
    assert not list(tmp_path.iterdir())
    assert number == signal.SIGINT or said.decode() == ""
    assert b"Error" not in said


def test_an_interrupt_while_a_process_starts_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    slow = "import os, time; os.write(2, b'starts'); time.sleep(0.5); "
    monkeypatch.setattr(processes, "BOOT", slow + processes.BOOT)
    workers = Workers("tests.scons.worker", 1)
    workers.start(1)
    while capfd.readouterr().err != "starts":
        time.sleep(0.01)
    os.kill(workers._idle[0].pid, signal.SIGINT)
    time.sleep(0.1)
    workers.close()
    assert capfd.readouterr().err == ""


def test_stopping_the_build_ends_work_that_goes_on(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            ask(workers, "sleep")
        except Interrupted as error:
            raised.append(error)

    process = ask(workers, "echo")[1]
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    monkeypatch.setattr(children, "_STOPPED", stopped := threading.Event())
    children.stop()
    thread.join(10)
    assert stopped.is_set()
    assert len(raised) == 1
    assert not is_alive(process)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_module_that_is_not_there_is_a_fault() -> None:
    missing = Workers("tests.scons.no_such_worker", 1)
    with pytest.raises(WorkerFault, match="exit code 1"):
        missing.ask(lambda _: b"{}")
