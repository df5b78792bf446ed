import type { Invocation } from './invocation.js';

/** The commands by the name that people type. */
export type CommandName = Invocation['command'];

const BY_WHAT = `The run is that of REPO with the same flags, or the one with this workflow ID, whichever there is. With an @
the ID comes first; --workflow-id takes nothing but an ID.`;

/** What each command does; the first line stands in the list of commands. */
export const SUMMARIES: Readonly<Record<CommandName, string>> = {
  'hf-model': `Bring a model from the Hugging Face Hub into the store
Prints the path of the published Dir on stdout. Without Temporal configuration it works by itself: a Temporal server,
a worker and a store on this machine. With TEMPORAL_ADDRESS, TEMPORAL_PROFILE or a temporal.toml it starts the run on
that cluster, whose workers do the work, and prints the workflow ID, or the Dir with --wait. Several REPOs are brought
side by side with the same flags; stdout has one line for each. With --tensor-parallel-size, or a --shard-config, it
makes shards for vLLM of the models as well.`,
  id: `Print the workflow ID of a model
Equal flags give equal IDs, so that the Temporal CLI and other SDKs join the same run. The ID is the cache key: flags
of the token, the resources and the manifest do not change it.`,
  status: `Show how far a run is
Prints its state, phase, bytes and files. ${BY_WHAT}`,
  result: `Wait for a run and print its Dir
${BY_WHAT}`,
  cancel: `Cancel a run
Everyone who waits for it gets the failure Cancelled. ${BY_WHAT}`,
  plan: `Show what hf-model would do, and write nothing
Resolves the revision, checks the access, and compares the Dir in the store with the repo. With --tensor-parallel-size
it tells which engine would shard, why, and whether the sharded Dir is there already.`,
  shard: `Split a model for tensor-parallel vLLM
Shards a published Dir, or a plain folder with a checkpoint, into the new Dir --to, in this process: without Temporal,
without the Hub, and with engine native without a GPU. Prints the new Dir as JSON. "model-prefetch shard plan DIR" prints
the layout and writes nothing.`,
  'shard plan': `Print the files that shard would write
Reads only the headers of the weights, and writes nothing.`,
  verify: `Check a Dir against its manifest
Sizes and headers, or every byte with --deep. Of shards it tells what vLLM itself would not: missing ranks, another
number of ranks or another data type than vLLM is started with, truncated parts, files that do not belong there.`,
  worker: `Run a worker on the Temporal cluster of the environment
It checks Temporal, store, tokens, Hub and disk before it takes work. SIGINT or SIGTERM lets running parts finish, then it
stops. With --exit-when-idle it ends by itself, for a scaler that starts one per waiting task.`,
  completion: `Print the script that completes commands in a shell
Completes commands, flags, and values that are one of a few or a path. Load it where your shell starts:

bash: echo 'source <(model-prefetch completion bash)' >> ~/.bashrc

zsh: echo 'source <(model-prefetch completion zsh)' >> ~/.zshrc, behind compinit

fish: model-prefetch completion fish > ~/.config/fish/completions/model-prefetch.fish`,
  version: `Print the version`,
  'dev-hub': `Serve a folder of models as a Hugging Face Hub
For air-gapped machines and for tests: official clients and workers use it through HF_ENDPOINT.`,
};

const TARGET_EXAMPLES = (name: string) => `Examples:
  1. By what was asked for:
    model-prefetch ${name} meta-llama/Llama-3.1-8B \\
        --revision main

  2. By workflow ID:
    model-prefetch ${name} \\
        --workflow-id YourWorkflowId`;

/** Full examples per command, in the manner of the Temporal CLI: long flags, one on a line. */
export const EXAMPLES: Readonly<Record<CommandName | 'program', string>> = {
  program: `Examples:
  1. Bring a model into the store of this machine:
    model-prefetch hf-model meta-llama/Llama-3.1-8B

  2. See what is missing first:
    model-prefetch plan meta-llama/Llama-3.1-8B

  3. All flags of a command, with examples:
    model-prefetch help hf-model

Settings: MODEL_PREFETCH_HOME, MODEL_PREFETCH_STORE, HF_ENDPOINT, HF_TOKEN,
TEMPORAL_ADDRESS, TEMPORAL_PROFILE, HTTPS_PROXY, NO_PROXY, NO_COLOR.
Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.`,
  'hf-model': `Examples:
  1. Bring a model into the store of this machine:
    model-prefetch hf-model meta-llama/Llama-3.1-8B

  2. A pinned commit, without the original checkpoints, to S3, for a script:
    model-prefetch hf-model meta-llama/Llama-3.1-8B \\
        --revision 0123456789abcdef0123456789abcdef01234567 \\
        --exclude "original/*" \\
        --raw-data-path s3://your-bucket/models \\
        --output json

  3. On the cluster of a Temporal profile, and wait:
    export TEMPORAL_PROFILE=prod
    model-prefetch hf-model meta-llama/Llama-3.1-8B \\
        --selection vllm \\
        --hf-token-key HF_TOKEN_TEAM \\
        --wait

  4. For serving with vLLM, here in the layout of Mistral:
    model-prefetch hf-model mistralai/Mistral-7B-Instruct-v0.3 \\
        --selection vllm \\
        --weights mistral

  5. Ready for four GPUs, and no longer than two hours:
    model-prefetch hf-model meta-llama/Llama-3.1-8B \\
        --tensor-parallel-size 4 \\
        --timeout 2h`,
  id: `Examples:
  1. Start a run with the Temporal CLI:
    temporal workflow start \\
        --type prefetchModel \\
        --task-queue model-prefetch \\
        --workflow-id "$(model-prefetch id meta-llama/Llama-3.1-8B)" \\
        --input '{"repo": "meta-llama/Llama-3.1-8B"}'`,
  status: TARGET_EXAMPLES('status'),
  result: TARGET_EXAMPLES('result'),
  cancel: TARGET_EXAMPLES('cancel'),
  plan: `Examples:
  1. Commit, files, bytes and what is in the store already:
    model-prefetch plan meta-llama/Llama-3.1-8B

  2. What is for vLLM and what is left out, for a script:
    model-prefetch plan meta-llama/Llama-3.1-8B \\
        --selection vllm \\
        --output json`,
  shard: `Examples:
  1. A published Dir, for four ranks:
    model-prefetch shard s3://your-bucket/models/Llama-3-1-8B/0123456789abcdef \\
        --to s3://your-bucket/shards/llama-tp4 \\
        --tensor-parallel-size 4

  2. A checkpoint on this machine, for the vLLM release that will load it:
    model-prefetch shard ./my-model \\
        --to ./my-model-tp2 \\
        --tensor-parallel-size 2 \\
        --engine native \\
        --vllm-version 0.26.0

  3. The layout only:
    model-prefetch shard plan ./my-model \\
        --tensor-parallel-size 2`,
  'shard plan': `Examples:
  1. Every file with its size:
    model-prefetch shard plan ./my-model \\
        --tensor-parallel-size 2

  2. Every tensor with its place, for a script:
    model-prefetch shard plan ./my-model \\
        --tensor-parallel-size 2 \\
        --output json`,
  verify: `Examples:
  1. Is everything there?
    model-prefetch verify s3://your-bucket/shards/llama-tp4

  2. Before vLLM is started on it, every byte:
    model-prefetch verify s3://your-bucket/shards/llama-tp4 \\
        --deep \\
        --tensor-parallel-size 4`,
  worker: `Examples:
  1. Everything but GPU work:
    export MODEL_PREFETCH_STORE=s3://your-bucket/models
    model-prefetch worker

  2. Only transfers, to add bandwidth:
    model-prefetch worker \\
        --roles transfer

  3. vLLM on a host with four GPUs, for runs with --gpu A100:4:
    export MODEL_PREFETCH_PYTHON=/opt/vllm/bin/python
    model-prefetch worker \\
        --roles gpu \\
        --gpu A100:4`,
  'dev-hub': `Examples:
  1. Serve ./models/<owner>/<name>/... and use it:
    model-prefetch dev-hub ./models \\
        --port 8080
    export HF_ENDPOINT=http://127.0.0.1:8080
    model-prefetch hf-model owner/name`,
  completion: `Examples:
  1. Complete in this shell:
    source <(model-prefetch completion bash)`,
  version: `Examples:
  1. For a script:
    model-prefetch version \\
        --json`,
};
