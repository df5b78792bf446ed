"""Are these shards what vLLM would load and save? Asks vLLM's own classes, without an engine.

    state_oracle.py --original FOLDER --sharded FOLDER --tp N [--dtype auto] [--max-size BYTES] [--pattern NAME]

For each rank of N, in this one process, a model is built and filled from the original checkpoint by the default loader.
  bytes  Saved again, it must give exactly the files of that rank that are in the sharded folder.
  state  A second model, filled from the shards by the loader of sharded_state, must hold the same bits.
All of it before any post-processing, which on a CPU packs the weights and drops what it packed.

Exit status: 0 the same; 1 different; 2 nothing was learnt (no vLLM, or it does not load the original).
"""

from __future__ import annotations

import argparse
import copy
import filecmp
import fnmatch
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(
    {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_TARGET_DEVICE": "cpu"}
)

SAME, DIFFERENT, UNKNOWN = 0, 1, 2
DEFAULT_PATTERN = "model-rank-{rank}-part-{part}.safetensors"
SHOWN = 20


def main() -> int:
    options = parse_options()
    # vLLM logs to standard output, where only the verdict belongs.
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        ranks = Ranks(options)
    except Exception as error:  # whatever it is, it says nothing about the shards
        print(f"UNKNOWN: vLLM cannot be used here, or not with the original: {type(error).__name__}: {error}")
        return UNKNOWN
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for rank in range(options.tp):
            try:
                original = ranks.build(rank, options.original, "auto")
            except Exception as error:
                print(f"UNKNOWN: vLLM does not load the original: {type(error).__name__}: {error}")
                return UNKNOWN
            problems += [f"rank {rank}: {problem}" for problem in compare_states(ranks, rank, original, options)]
            ranks.loader.save_model(original, folder, pattern=options.pattern, max_size=options.max_size)
        problems += compare_files(Path(folder), options.sharded, options.pattern)
    if not problems:
        print(f"SAME: vLLM {ranks.version} loads and saves the {options.tp} ranks of {options.sharded} like this")
        return SAME
    print(f"DIFFERENT: {len(problems)} differences from what vLLM {ranks.version} makes of {options.original}")
    for problem in problems[:SHOWN]:
        print(f"  {problem}")
    return DIFFERENT


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--sharded", type=Path, required=True, help="folder of the shards, with a config.json")
    parser.add_argument("--tp", type=int, required=True, help="number of ranks")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--max-size", type=int, help="bytes in a part; default: all in one")
    parser.add_argument("--pattern", default=DEFAULT_PATTERN, help=f"names of the files, default {DEFAULT_PATTERN}")
    return parser.parse_args()


class Ranks:
    """Builds the model of any rank in this process: the group has one member, and says whatever it is told."""

    def __init__(self, options: argparse.Namespace):
        import vllm
        from vllm.distributed import parallel_state
        from vllm.model_executor.model_loader.sharded_state_loader import ShardedStateLoader

        self.version = vllm.__version__
        self.loader = ShardedStateLoader
        self._options = options
        self._configs = {
            "auto": self._plan(options.original, "auto"),
            "sharded_state": self._plan(options.sharded, "sharded_state"),
        }
        with vllm.config.set_current_vllm_config(self._configs["auto"]), tempfile.TemporaryDirectory() as folder:
            parallel_state.init_distributed_environment(1, 0, f"file://{folder}/meeting", 0, "gloo")
            parallel_state.ensure_model_parallel_initialized(1, 1)
        self._group = parallel_state.get_tp_group()

    def _plan(self, model: Path, load_format: str):
        from vllm.engine.arg_utils import EngineArgs

        extra = {"pattern": self._options.pattern} if load_format == "sharded_state" else {}
        return EngineArgs(
            model=str(model),
            load_format=load_format,
            model_loader_extra_config=extra,
            dtype=self._options.dtype,
            tensor_parallel_size=self._options.tp,
            enforce_eager=True,
            skip_tokenizer_init=True,
            kv_cache_memory_bytes=1 << 24,
        ).create_engine_config()

    def build(self, rank: int, model: Path, load_format: str):
        import torch
        from vllm.config import set_current_vllm_config
        from vllm.model_executor.model_loader import get_model_loader
        from vllm.model_executor.model_loader.utils import initialize_model
        from vllm.model_executor.model_loader.weight_tying import maybe_retie_word_embeddings
        from vllm.utils.torch_utils import set_default_torch_dtype

        self._group.world_size, self._group.rank_in_group = self._options.tp, rank
        # Layers enter their names into it.
        config = copy.deepcopy(self._configs[load_format])
        with set_current_vllm_config(config), set_default_torch_dtype(config.model_config.dtype), torch.no_grad():
            built = initialize_model(vllm_config=config, model_config=config.model_config)
            for parameter in built.parameters():
                # What no loader fills must not be right by chance.
                parameter.view(torch.uint8).fill_(0xA5) if parameter.dim() else parameter.fill_(3)
            get_model_loader(config.load_config).load_weights(built, config.model_config)
            maybe_retie_word_embeddings(built, config.model_config)
        return built


def compare_states(ranks: Ranks, rank: int, original, options: argparse.Namespace) -> list[str]:
    try:
        sharded = ranks.build(rank, options.sharded, "sharded_state")
    except Exception as error:
        return [f"vLLM does not load the shards: {type(error).__name__}: {error}"]
    wanted = ranks.loader._filter_subtensors(original.state_dict())
    found = ranks.loader._filter_subtensors(sharded.state_dict())
    return [
        *(f"{name} is not there" for name in wanted.keys() - found.keys()),
        *(f"{name} is too much" for name in found.keys() - wanted.keys()),
        *(f"{name} is different" for name in wanted.keys() & found.keys() if not same_bits(wanted[name], found[name])),
    ]


def same_bits(one, other) -> bool:
    """Bit for bit, so that a NaN is like itself."""
    import torch

    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(one.contiguous().flatten().view(torch.uint8), other.contiguous().flatten().view(torch.uint8))


def compare_files(saved: Path, given: Path, pattern: str) -> list[str]:
    glob = pattern.format(rank="*", part="*")
    names = {path.name for folder in (saved, given) for path in folder.iterdir() if fnmatch.fnmatch(path.name, glob)}
    problems = []
    for name in sorted(names):
        if not (given / name).exists():
            problems.append(f"{name} is not there")
        elif not (saved / name).exists():
            problems.append(f"{name} is too much")
        elif not filecmp.cmp(saved / name, given / name, shallow=False):
            problems.append(f"{name} has other bytes")
    return problems


if __name__ == "__main__":
    sys.exit(main())
