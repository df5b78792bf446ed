"""Does vLLM compute the same from these shards as from the original checkpoint?

    load_oracle.py --original FOLDER --sharded FOLDER --tp N [--dtype auto]

Two engines with N ranks, one after the other and each in a process of its own: the default loader on the original, then
load_format "sharded_state" on the shards. Both are given the same token ids, every token of the vocabulary among them
where it is small, and decode greedily. Chosen tokens, logprobs of the best at each step and logprobs of every prompt
token must be equal, to the last bit.

Exit status: 0 the same; 1 different, or the shards do not load; 2 nothing was learnt (no vLLM, the original does not
run, or the model answers everything alike).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAME, DIFFERENT, UNKNOWN = 0, 1, 2
SHOWN = 20
GRACE_SECONDS = 30.0
MAX_MODEL_LEN = 256
NEW_TOKENS = 16
SMALL_VOCABULARY = 4096

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "INFO",
    # The engine runs in the process that asks, so that there is one less to end.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # Ranks share the cores of a small machine; one thread each adds up in one order.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


class EngineFailed(Exception):
    pass


def main() -> int:
    options = parse_options()
    if options.engine:
        # What vLLM prints goes to the log.
        answer = os.dup(1)
        os.dup2(2, 1)
        os.write(answer, json.dumps(ask_engine(json.loads(options.engine))).encode())
        return SAME
    job = {"tp": options.tp, "dtype": options.dtype, "prompts": make_prompts(options.original)}
    try:
        wanted = run_engine({**job, "model": str(options.original.resolve()), "load_format": "auto"}, options.timeout)
    except EngineFailed as error:
        print(f"UNKNOWN: vLLM does not run the original: {error}")
        return UNKNOWN
    if reason := says_nothing(wanted):
        print(f"UNKNOWN: {reason}")
        return UNKNOWN
    try:
        found = run_engine({**job, "model": str(options.sharded.resolve()), "load_format": "sharded_state"}, options.timeout)
    except EngineFailed as error:
        print(f"DIFFERENT: vLLM does not run the shards: {error}")
        return DIFFERENT
    differences = compare(wanted["answers"], found["answers"])
    tokens = sum(len(prompt) for prompt in job["prompts"]) + NEW_TOKENS * len(job["prompts"])
    if not differences:
        print(f"SAME: vLLM {found['vllm']} with {options.tp} ranks computes the same for {tokens} tokens")
        return SAME
    print(f"DIFFERENT: {len(differences)} of {len(job['prompts'])} prompts with {options.tp} ranks")
    for line in differences[:SHOWN]:
        print(f"  {line}")
    return DIFFERENT


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original", type=Path, help="folder of the checkpoint")
    parser.add_argument("--sharded", type=Path, help="folder of the shards, with a config.json")
    parser.add_argument("--tp", type=int, help="number of ranks")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for each engine")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine is None:
        for name in ("original", "sharded"):
            folder = getattr(options, name)
            if folder is None or not (folder / "config.json").is_file():
                parser.error(f"--{name} must be a folder with a config.json")
        if not options.tp or options.tp < 1:
            parser.error("--tp must be a number from 1")
    return options


def make_prompts(model: Path) -> list[list[int]]:
    """Short ones at random, and as many more as it takes to name every token once."""
    config = json.loads((model / "config.json").read_text())
    vocabulary = (config.get("text_config") or config)["vocab_size"]
    chance = random.Random(7)
    prompts = [[chance.randrange(vocabulary) for _ in range(length)] for length in (3, 5, 8, 12)]
    if vocabulary <= SMALL_VOCABULARY:
        tokens = chance.sample(range(vocabulary), vocabulary)
        longest = MAX_MODEL_LEN - NEW_TOKENS - 1
        prompts += [tokens[start : start + longest] for start in range(0, vocabulary, longest)]
    return prompts


def ask_engine(job: dict) -> dict:
    import vllm

    llm = vllm.LLM(
        model=job["model"],
        load_format=job["load_format"],
        tensor_parallel_size=job["tp"],
        dtype=job["dtype"],
        enforce_eager=True,
        skip_tokenizer_init=True,
        max_model_len=MAX_MODEL_LEN,
        max_num_seqs=4,
        kv_cache_memory_bytes=64 << 20,
        enable_prefix_caching=False,
        disable_log_stats=True,
        seed=0,
    )
    sampling = vllm.SamplingParams(
        temperature=0, max_tokens=NEW_TOKENS, ignore_eos=True, logprobs=5, prompt_logprobs=0, detokenize=False
    )
    prompts = [{"prompt_token_ids": prompt} for prompt in job["prompts"]]
    outputs = llm.generate(prompts, sampling, use_tqdm=False)
    answers = [answer_of(output) for output in outputs]
    llm.llm_engine.engine_core.shutdown()
    return {"vllm": vllm.__version__, "answers": answers}


def answer_of(output) -> dict:
    said = output.outputs[0]
    given = zip(output.prompt_token_ids, output.prompt_logprobs, strict=True)
    return {
        "tokens": list(said.token_ids),
        "steps": [sorted((token, best.logprob) for token, best in step.items()) for step in said.logprobs],
        # Nothing comes before the first token.
        "prompt": [step[token].logprob for token, step in given if step],
    }


def run_engine(job: dict, timeout: float) -> dict:
    # Sockets and meeting points of the ranks go with this folder.
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        engine = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--engine", json.dumps(job)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **ENVIRONMENT, "TMPDIR": folder},
            start_new_session=True,
        )
        try:
            answer, _ = engine.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as expired:
            raise EngineFailed(f"it took over {timeout:.0f} s") from expired
        finally:
            end_session(engine)
            log.seek(0)
            text = log.read().decode(errors="replace")
            free_shared_memory(text)
        if engine.returncode == 0:
            return json.loads(answer)
        raise EngineFailed(first_failure(text))


def end_session(engine: subprocess.Popen) -> None:
    """Ranks are asked before they are killed: the last of them frees hundreds of megabytes of shared memory."""
    if engine.poll() is None:
        os.killpg(engine.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    try:
        while time.monotonic() < deadline:
            engine.poll()
            os.killpg(engine.pid, 0)
            time.sleep(0.1)
        os.killpg(engine.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    engine.wait()


def free_shared_memory(log: str) -> None:
    """Ranks on a CPU leave the buffers that they passed numbers through, named after their meeting point."""
    for name in set(re.findall(r"\bvllm_dist_[0-9a-f]{32}\b", log)):
        for buffer in Path("/dev/shm").glob(f"{name}*"):
            buffer.unlink(missing_ok=True)


def first_failure(log: str) -> str:
    """What a rank said first; the engine's own failure only repeats that there was one."""
    lines = [line.strip() for line in log.splitlines()]
    failures = [line for line in lines if "Error:" in line and "skip_tokenizer_init" not in line]
    return failures[0] if failures else "\n".join(lines[-5:])


def says_nothing(result: dict) -> str | None:
    values = [value for answer in result["answers"] for value in answer["prompt"]]
    if any(math.isnan(value) for value in values):
        return "the original computes NaN"
    if len(set(values)) < len(values) / 4:
        return "the original answers nearly everything alike, as any shards would"
    return None


def compare(wanted: list[dict], found: list[dict]) -> list[str]:
    """One line for each prompt that was answered otherwise. NaN is never equal."""
    lines = []
    for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
        different = [what for what in ("tokens", "steps", "prompt") if one[what] != other[what]]
        if different:
            first = next(i for i, pair in enumerate(zip(one[different[0]], other[different[0]])) if pair[0] != pair[1])
            values = f"{one[different[0]][first]} became {other[different[0]][first]}"
            lines.append(f"prompt {number}: {' and '.join(different)} differ, first at {first}: {values}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
