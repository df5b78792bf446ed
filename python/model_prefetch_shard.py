"""Shards a model with vLLM, for a program that speaks JSON with it.

    python model_prefetch_shard.py

Standard input: one line with the request, a JSON object (see `Request` in model_prefetch_vllm.py).
It stays open: when it ends, whoever asked is gone, and this process and all that it started end too.
Standard output: one JSON object a line, and nothing else. Logs go to standard error.

This process only watches. vLLM runs in a child of it, which may be busy for minutes without
answering anybody, or be killed because memory runs out. Both live in one process group.

Exit status: 0 after {"event": "done"}; 1 after {"event": "error"}; 128 + n when signal n ended the child.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

# vLLM's own processes free their shared memory when they are asked to end, so they are given time.
GRACE_SECONDS = 15.0
OLDEST_PYTHON = (3, 10)


class EndAsked(BaseException):
    """SIGTERM came, or standard input ended."""


def main():
    protocol = keep_protocol()
    say(protocol, {"event": "started"})
    problem = find_problem()
    if problem is not None:
        say(protocol, {"event": "error", "kind": "vllm-missing", "message": problem})
        return 1
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    child = None
    try:
        signal.signal(signal.SIGTERM, on_term)
        request = sys.stdin.readline()
        threading.Thread(target=end_with_stdin, daemon=True).start()
        child = start_worker(protocol)
        hand_over(child, request)
        code = child.wait()
        return code if code >= 0 else 128 - code
    except EndAsked:
        end_group(child)
        return 128 + signal.SIGTERM


def find_problem():
    """What keeps this Python from starting vLLM, or None."""
    if sys.version_info < OLDEST_PYTHON:
        return "Python {}.{} or newer is needed, this is {}".format(*OLDEST_PYTHON, sys.version.split()[0])
    if not sys.executable:
        return "Python was started by its name alone and cannot tell where it lies, for PATH is not set"
    return None


def keep_protocol():
    """Whatever writes to fd 1 from now on writes to standard error: a stray print must not garble the protocol."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    return protocol


def say(protocol, event):
    os.write(protocol, (json.dumps(event) + "\n").encode())


def start_worker(protocol):
    worker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model_prefetch_vllm.py")
    return subprocess.Popen(
        # Unbuffered, so that its log has everything in order, whatever ends it.
        [sys.executable, "-u", worker, str(protocol)],
        stdin=subprocess.PIPE,
        pass_fds=[protocol],
    )


def hand_over(child, request):
    try:
        child.stdin.write(request.encode())
        child.stdin.close()
    except BrokenPipeError:
        pass  # It ended at once; its exit status says how.


def on_term(_signal, _frame):
    # The group is told below, this process with it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise EndAsked


def end_with_stdin():
    while sys.stdin.readline():
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def end_group(child):
    """Ends the process group: asks, waits, kills. Killing comes last, for it hits this process too."""
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        if (child is None or child.poll() is not None) and not others_in_group():
            return
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


def others_in_group():
    """Whether any other live process is in this group. Where that cannot be seen: yes."""
    try:
        pids = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    except OSError:
        return True
    group = str(os.getpgrp())
    return any(fields[0] not in "ZX" and fields[2] == group for fields in map(stat_fields, pids) if fields)


def stat_fields(pid):
    """State, parent, group and so on of a process, or nothing when it has gone."""
    try:
        with open("/proc/" + pid + "/stat") as file:
            # The name before these stands in parentheses and may hold anything.
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
