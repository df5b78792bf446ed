"""Makes small checkpoints with random weights and a tokenizer, as people publish them.

    checkpoints.py FOLDER NAME...        each into FOLDER/NAME; without a name, says which there are

Weights are wide apart (a standard deviation of 0.15) and norms and biases random too, so that no two tensors are alike.
Heads have 32 dimensions, the least that attention on a CPU takes.
"""

import os
import sys
from pathlib import Path

os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})

VOCABULARY = 1000
WORDS = "every good model needs a small vocabulary of its own before anybody asks it to say hello world".split()

BASE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.15,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "tie_word_embeddings": False,
}
TIED = {"tie_word_embeddings": True}
HEADS = {"head_dim": 32}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 128, "decoder_sparse_step": 1}
# 400 MB: enough to be in the middle of.
LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 12, "num_attention_heads": 32}

# Class of the model, changes to the base, data type of the weights.
CHECKPOINTS = {
    "llama": ("Llama", {}, "bfloat16"),
    "llama-tied": ("Llama", TIED, "bfloat16"),
    "llama-fp32": ("Llama", {}, "float32"),
    "llama-large": ("Llama", LARGE, "bfloat16"),
    "qwen2": ("Qwen2", {}, "bfloat16"),
    "qwen3": ("Qwen3", HEADS | TIED, "bfloat16"),
    "mixtral": ("Mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2}, "bfloat16"),
    "qwen2-moe": ("Qwen2Moe", EXPERTS | {"shared_expert_intermediate_size": 192}, "bfloat16"),
    "qwen3-moe": ("Qwen3Moe", EXPERTS | HEADS, "bfloat16"),
    "gemma": ("Gemma", HEADS | TIED, "bfloat16"),
    "gemma2": ("Gemma2", HEADS | TIED | {"query_pre_attn_scalar": 32, "sliding_window": 256}, "bfloat16"),
    "gemma3": ("Gemma3", HEADS | TIED | {"query_pre_attn_scalar": 32, "sliding_window": 256}, "bfloat16"),
    "phi3": ("Phi3", {"original_max_position_embeddings": 512}, "bfloat16"),
}


def main(folder: str, names: list[str]) -> int:
    if not names:
        print("\n".join(CHECKPOINTS))
        return 0
    tokenizer = make_tokenizer()
    for name in names:
        kind, changes, dtype = CHECKPOINTS[name]
        target = Path(folder, name)
        make_model(kind, BASE | changes, dtype).save_pretrained(target)
        tokenizer.save_pretrained(target)
        print(name)
    return 0


def make_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"{a} {b}{c}" for a in WORDS for b in WORDS for c in WORDS], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def make_model(kind: str, settings: dict, dtype: str):
    import torch
    import transformers

    config_class, model_class = classes_of(kind, transformers)
    torch.manual_seed(len(kind))
    model = model_class(config_class(**settings)).to(getattr(torch, dtype))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def classes_of(kind: str, transformers):
    # The text model of Gemma 3 has a config of its own.
    config = "Gemma3TextConfig" if kind == "Gemma3" else f"{kind}Config"
    return getattr(transformers, config), getattr(transformers, f"{kind}ForCausalLM")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ".", sys.argv[2:]))
