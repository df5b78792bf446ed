"""Without a GPU: the model of each rank is built by vLLM's own classes, filled, saved and freed, one after the other.

An engine on a CPU would not do: after loading, the CPU backend packs the weights for its kernels and drops the
originals, so that what it saves lacks nearly all of them. Here the state is saved before that step. It equals what
engines on GPUs save wherever that can be loaded at all, for loading starts from before that step too.

This is no public interface of vLLM, so it is used with the versions that it was tried with only.
"""

from __future__ import annotations

import copy
import gc
import inspect
import os
import tempfile
from collections.abc import Callable, Iterator

from model_prefetch_vllm import Refused, Report, Request, minor_of

TRIED_WITH = [(0, 32)]
# None is ever used; vLLM wants to plan one.
KV_CACHE_BYTES = 1 << 24


def shard_on_cpu(request: Request, report: Report) -> dict:
    vllm = PrivateInterface()
    config = plan(vllm, request)
    group = join_group_of_one(vllm, config)
    group.world_size = request.tensor_parallel_size
    for rank in range(request.tensor_parallel_size):
        group.rank_in_group = rank
        report.enter("load", rank)
        model = build(vllm, config, report)
        report.enter("save", rank)
        vllm.loader.save_model(model, request.output, pattern=request.file_pattern, max_size=request.max_file_size)
        del model
        gc.collect()
    return {
        "dtype": str(config.model_config.dtype).removeprefix("torch."),
        "untied_by_checkpoint": bool(config.model_config.word_embeddings_untied_by_checkpoint),
    }


class PrivateInterface:
    """All that is used of vLLM, looked up and checked before anything is done."""

    def __init__(self) -> None:
        from vllm import __version__

        if minor_of(__version__) not in TRIED_WITH:
            tried = ", ".join(f"{major}.{minor}" for major, minor in TRIED_WITH)
            raise Refused(
                "private-api",
                f"sharding without a GPU was tried with vLLM {tried} only, and {__version__} is installed: "
                "use a GPU, or one of these versions",
            )
        try:
            self._look_up()
        except (ImportError, AttributeError) as error:
            raise Refused("private-api", f"vLLM {__version__} is not as it was when this was tried: {error}") from error

    def _look_up(self) -> None:
        from vllm.config import set_current_vllm_config
        from vllm.distributed import parallel_state
        from vllm.engine.arg_utils import EngineArgs
        from vllm.model_executor.model_loader import get_model_loader
        from vllm.model_executor.model_loader.sharded_state_loader import ShardedStateLoader
        from vllm.model_executor.model_loader.utils import initialize_model
        from vllm.model_executor.model_loader.weight_tying import maybe_retie_word_embeddings
        from vllm.utils.torch_utils import set_default_torch_dtype

        self.arguments = EngineArgs
        self.current_config = set_current_vllm_config
        self.default_dtype = set_default_torch_dtype
        self.loader = ShardedStateLoader
        self.get_loader = takes(get_model_loader, "load_config")
        self.initialize = takes(initialize_model, "vllm_config", "model_config")
        self.retie = takes(maybe_retie_word_embeddings, "model", "model_config")
        self.get_group = takes(parallel_state.get_tp_group)
        self.init_world = takes(parallel_state.init_distributed_environment, "world_size", "rank", "local_rank", "backend")
        self.init_groups = takes(parallel_state.ensure_model_parallel_initialized, "tensor_model_parallel_size")
        takes(ShardedStateLoader.save_model, "model", "path", "pattern", "max_size")


def takes(function: Callable, *names: str) -> Callable:
    """The function, when it has these parameters."""
    parameters = inspect.signature(function).parameters
    if missing := [name for name in names if name not in parameters]:
        raise AttributeError(f"{function.__name__} takes no {', '.join(missing)}")
    return function


def plan(vllm: PrivateInterface, request: Request):
    """The engine's configuration of the whole group. vLLM refuses here what it does not support at all."""
    try:
        config = vllm.arguments(
            model=request.model,
            tensor_parallel_size=request.tensor_parallel_size,
            dtype=request.dtype,
            max_model_len=request.max_model_len,
            trust_remote_code=request.trust_remote_code,
            enforce_eager=True,
            skip_tokenizer_init=True,
            kv_cache_memory_bytes=KV_CACHE_BYTES,
        ).create_engine_config()
    except (ValueError, NotImplementedError) as error:
        raise Refused("unsupported", f"vLLM refuses this model or these arguments: {error}") from error
    if config.quant_config is not None:
        method = config.model_config.quantization
        raise Refused(
            "unsupported",
            f"the weights are quantized ({method}), and nobody has checked what a CPU makes of them: use a GPU",
        )
    return config


def join_group_of_one(vllm: PrivateInterface, config):
    """A world of this process alone; its size and rank are set to what each model is to believe."""
    with vllm.current_config(config), tempfile.TemporaryDirectory() as folder:
        rendezvous = f"file://{os.path.join(folder, 'rendezvous')}"
        vllm.init_world(
            world_size=1, rank=0, distributed_init_method=rendezvous, local_rank=0, backend="gloo"
        )
        vllm.init_groups(1, 1)
    group = vllm.get_group()
    if group.world_size != 1 or group.rank_in_group != 0:
        raise Refused("private-api", "the tensor parallel group does not hold its size and rank as it did")
    return group


def build(vllm: PrivateInterface, config, report: Report):
    """One rank's model with its weights, as they are before any post-processing."""
    # A copy: every attention layer enters its name into the configuration that it is built under.
    config = copy.deepcopy(config)
    model_config = config.model_config
    with vllm.current_config(config), vllm.default_dtype(model_config.dtype):
        model = vllm.initialize(vllm_config=config, model_config=model_config)
        loader = vllm.get_loader(config.load_config)
        loader.get_all_weights = counted(loader.get_all_weights, report)
        loader.load_weights(model, model_config)
        # The one thing of the post-processing that concerns which tensors there are, not how they lie in memory.
        vllm.retie(model, model_config)
    return model


def counted(iterate: Callable, report: Report) -> Callable:
    """The same weights, and how many bytes of them have passed."""

    def weights(*arguments, **options) -> Iterator:
        for name, tensor in iterate(*arguments, **options):
            yield name, tensor
            report.loaded_bytes += tensor.nbytes

    return weights
