"""A driver that does on a CPU what the real one does on GPUs: it has an engine save its state.

The engine reports success. What it wrote lacks nearly all weights, which is why the real driver does not do this.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import model_prefetch_gpu  # noqa: E402
import model_prefetch_shard  # noqa: E402
import model_prefetch_vllm  # noqa: E402

SMALL_MACHINE = {
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


def main() -> None:
    protocol = model_prefetch_shard.keep_protocol()
    request = model_prefetch_vllm.parse_request(sys.stdin.readline())
    report = model_prefetch_vllm.Report(protocol, request)
    report.say({"event": "started"})
    os.environ.update(model_prefetch_vllm.QUIET | SMALL_MACHINE)
    version = model_prefetch_vllm.check_version(request.vllm_version)
    facts = model_prefetch_gpu.shard_on_gpus(request, report)
    report.end({"event": "done", "vllm": version, "device": "cpu", **facts})


if __name__ == "__main__":
    main()
