"""Says whether this Python has the vLLM that is asked for, in a moment: nothing of vLLM is imported.

    python model_prefetch_look.py VERSION

Standard output: one line like those of model_prefetch_shard.py, {"event": "error", ...}, or nothing where nothing is
known to be missing. What only an import can tell is told when the model is there.
"""

import importlib.metadata
import importlib.util
import json
import re
import sys


def main():
    asked = sys.argv[1]
    if importlib.util.find_spec("vllm") is None:
        return say("vllm-missing", "{} has no vllm".format(sys.executable))
    try:
        installed = importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        return None
    if minor_of(installed) != minor_of(asked):
        return say("version", "vLLM {} is asked for, and {} is installed".format(asked, installed))
    return None


def say(kind, message):
    print(json.dumps({"event": "error", "kind": kind, "message": message}))


def minor_of(version):
    match = re.match(r"(\d+)\.(\d+)", version)
    return match and (int(match.group(1)), int(match.group(2)))


if __name__ == "__main__":
    main()
