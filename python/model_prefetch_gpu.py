"""vLLM's own way: an engine on all GPUs, which saves its state."""

from __future__ import annotations

import json
import os

from model_prefetch_vllm import Report, Request

# Enough to start with; nothing is ever generated.
KV_CACHE_BYTES = 2 << 30


def shard_on_gpus(request: Request, report: Report) -> dict:
    from vllm import LLM

    report.enter("load")
    llm = LLM(**engine_arguments(request))
    engine = llm.llm_engine
    try:
        report.enter("save")
        engine.engine_core.save_sharded_state(
            path=request.output, pattern=request.file_pattern, max_size=request.max_file_size
        )
        return {
            "dtype": str(engine.model_config.dtype).removeprefix("torch."),
            "untied_by_checkpoint": bool(getattr(engine.model_config, "word_embeddings_untied_by_checkpoint", False)),
        }
    finally:
        # Otherwise its workers leave their shared memory behind.
        engine.engine_core.shutdown()


def engine_arguments(request: Request) -> dict:
    arguments = {
        "model": request.model,
        "tensor_parallel_size": request.tensor_parallel_size,
        "dtype": request.dtype,
        "trust_remote_code": request.trust_remote_code,
        # No graphs, no compiler: the weights are the same, and it starts in a fraction of the time.
        "enforce_eager": True,
        "max_num_seqs": 1,
        "disable_log_stats": True,
    }
    if request.max_model_len is None:
        # As long as fits into the small cache.
        arguments |= {"max_model_len": -1, "kv_cache_memory_bytes": KV_CACHE_BYTES}
    else:
        arguments["max_model_len"] = request.max_model_len
    if is_plain_moe(request.model):
        # The engine saves what its kernels made of the weights, and other kernels than these swap or tile the experts:
        # that would be done again on loading, without a word.
        arguments["moe_backend"] = "triton"
    return arguments


def is_plain_moe(model: str) -> bool:
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    text = config.get("text_config") or {}
    experts = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
    quantized = "quantization_config" in config or "quantization_config" in text
    return not quantized and any(config.get(name) or text.get(name) for name in experts)
