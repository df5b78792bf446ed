"""The child of model_prefetch_shard.py that imports vLLM: reads the request, chooses a device, shards."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import json
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

REPORT_SECONDS = 1.0
MAX_MESSAGE = 2000
PR_SET_PDEATHSIG = 1

# The model comes from a folder: nothing is to be asked of anybody, or told.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class Refused(Exception):
    """A failure that has a kind of its own in the protocol."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Request:
    """What is asked for; the names are those of the JSON."""

    model: str
    output: str
    tensor_parallel_size: int
    vllm_version: str
    dtype: str = "auto"
    max_model_len: int | None = None
    trust_remote_code: bool = False
    file_pattern: str = "model-rank-{rank}-part-{part}.safetensors"
    max_file_size: int | None = None
    device: str | None = None


class Report:
    """Says how far it is, once a second, so that whoever waits knows that it lives."""

    def __init__(self, protocol: int, request: Request):
        self._protocol = protocol
        self._request = request
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._phase: str | None = None
        self._rank = 0
        self.loaded_bytes = 0
        threading.Thread(target=self._tick, daemon=True).start()

    def say(self, event: dict) -> None:
        with self._lock:
            if not self._ended.is_set():
                self._write(event)

    def end(self, event: dict) -> None:
        """The last word."""
        with self._lock:
            self._ended.set()
            self._write(event)

    def enter(self, phase: str, rank: int = 0) -> None:
        self._phase, self._rank, self.loaded_bytes = phase, rank, 0
        self._progress()

    def _write(self, event: dict) -> None:
        line = (json.dumps(event) + "\n").encode()
        while line:
            line = line[os.write(self._protocol, line) :]

    def _tick(self) -> None:
        while not self._ended.wait(REPORT_SECONDS):
            if self._phase is not None:
                self._progress()

    def _progress(self) -> None:
        done = self.loaded_bytes if self._phase == "load" else written_bytes(self._request.output)
        ranks = self._request.tensor_parallel_size
        self.say({"event": "progress", "phase": self._phase, "rank": self._rank, "ranks": ranks, "bytes": done})


def main() -> int:
    die_with_parent()
    request = parse_request(sys.stdin.readline())
    report = Report(int(sys.argv[1]), request)
    try:
        with failures_named():
            shard(request, report)
        return 0
    except Refused as refused:
        report.end({"event": "error", "kind": refused.kind, "message": str(refused)[:MAX_MESSAGE]})
        return 1


def shard(request: Request, report: Report) -> None:
    os.environ.update(QUIET)
    refuse_adapters(request)
    device = choose_device(request)
    version = check_version(request.vllm_version)
    if device == "gpu" and not on_gpus():
        if request.device == "gpu":
            raise Refused("resources", f"the vLLM {version} of this host is built for CPUs, so it uses none of its GPUs")
        device = "cpu"
    import torch

    gpus = torch.cuda.device_count() if device == "gpu" else 0
    report.say({"event": "ready", "vllm": version, "torch": torch.__version__, "device": device, "gpus": gpus})
    if device == "gpu":
        from model_prefetch_gpu import shard_on_gpus as work
    else:
        from model_prefetch_cpu import shard_on_cpu as work
    facts = work(request, report)
    report.end({"event": "done", "vllm": version, "device": device, **facts})


def die_with_parent() -> None:
    """A killed watcher can end nobody, so the kernel does it (on Linux)."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):
        pass


def parse_request(line: str) -> Request:
    value = json.loads(line)
    known = {field.name for field in fields(Request)}
    if unknown := value.keys() - known:
        raise SystemExit(f"The request has fields that this driver does not know: {sorted(unknown)}")
    return Request(**value)


def refuse_adapters(request: Request) -> None:
    if os.path.exists(os.path.join(request.model, "adapter_config.json")):
        raise Refused("unsupported", "this is a LoRA adapter, and vLLM saves no sharded state with LoRA: merge it first")


def choose_device(request: Request) -> str:
    """Settled before vLLM is imported, for it looks at the environment then."""
    if request.device != "cpu":
        gpus = count_gpus()
        if gpus >= request.tensor_parallel_size:
            return "gpu"
        if request.device == "gpu":
            raise Refused("resources", f"{request.tensor_parallel_size} GPUs are needed, this host has {gpus}")
    os.environ["VLLM_TARGET_DEVICE"] = "cpu"
    return "cpu"


def count_gpus() -> int:
    try:
        import torch
    except ImportError as error:
        raise Refused("vllm-missing", f"torch cannot be imported: {error}") from error
    return torch.cuda.device_count()


def on_gpus() -> bool:
    from vllm.platforms import current_platform

    return current_platform.is_cuda_alike()


def check_version(asked: str) -> str:
    """The version that is installed. Layouts may differ between minor versions, not within one."""
    if importlib.util.find_spec("vllm") is None:
        raise Refused("vllm-missing", f"{sys.executable} has no vllm")
    try:
        from vllm import __version__ as installed
    except ImportError as error:
        raise Refused("vllm-missing", f"vllm cannot be imported: {error}") from error
    if minor_of(installed) != minor_of(asked):
        raise Refused("version", f"vLLM {asked} is asked for, and {installed} is installed")
    return installed


def minor_of(version: str) -> tuple[int, int] | None:
    match = re.match(r"(\d+)\.(\d+)", version)
    return match and (int(match[1]), int(match[2]))


@contextmanager
def failures_named() -> Iterator[None]:
    """Every failure becomes one of the protocol's kinds; its traceback is in the log."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        traceback.print_exc()
        text = f"{type(error).__name__}: {error}"
        raise Refused("out-of-memory" if is_out_of_memory(error) else "model", text) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Also where it is the cause of another one."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    text = f"{type(error).__name__}: {error}".lower()
    if "outofmemory" in text or "out of memory" in text or "allocate memory" in text:
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and is_out_of_memory(cause)


def written_bytes(folder: str) -> int:
    with os.scandir(folder) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file())


if __name__ == "__main__":
    # What the others import from here is this very module, not a second copy of it.
    sys.modules["model_prefetch_vllm"] = sys.modules[__name__]
    sys.exit(main())
