# Two images. `docker build .` makes the worker, which serves every role but "gpu"; `docker build --target gpu .` makes
# the one for hosts with GPUs. The Temporal SDK's native part needs glibc, so no Alpine. Node is the newest line with
# long-term support.
FROM node:26-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without scripts: the one that builds this package is not there yet, and none of the others is needed.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY schemas schemas
COPY src src
RUN npm run build
# Without the development dependencies the Temporal SDK stays, as a peer, in the version that the lock pins.
RUN npm pkg delete devDependencies && npm prune

# The vLLM that writes shards must be one that they were verified with, so its version is pinned here.
FROM vllm/vllm-openai:v0.32.0 AS gpu
# The binary of Node's own builds asks for an older glibc than this image has, and since Node 26 for libatomic.
USER root
RUN apt-get update \
  && apt-get install -y --no-install-recommends libatomic1 \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/node /usr/local/bin/node
ENV NODE_ENV=production \
    MODEL_PREFETCH_PYTHON=/usr/bin/python3 \
    MODEL_PREFETCH_SCRATCH=/scratch
WORKDIR /app
COPY package.json LICENSE ./
COPY tools tools
COPY python python
COPY --from=build /app/schemas schemas
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# 2000:0 is the user "vllm" that the base image has. A new volume takes its owner and its mode from the folder it is
# mounted on.
RUN ln -s /app/dist/cli/main.js /usr/local/bin/model-prefetch \
  && install --directory --owner=2000 --group=0 --mode=0770 /scratch
VOLUME /scratch
USER 2000:0
# The base image would start vLLM's server.
ENTRYPOINT []
# Serves the queue of inputs that name no GPU; append --gpu A100:4 to serve those that ask for four A100.
CMD ["model-prefetch", "worker", "--roles", "gpu"]

FROM node:26-slim AS worker
# The Temporal SDK trusts the system's certificates; the slim image has none.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY tools tools
COPY python python
COPY --from=build /app/schemas schemas
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
RUN ln -s /app/dist/cli/main.js /usr/local/bin/model-prefetch \
  && ln -s /app/dist/worker-main.js /usr/local/bin/model-prefetch-worker
# The user "node", as a number: Kubernetes cannot tell of a name that it is not root.
USER 1000:1000
CMD ["model-prefetch-worker"]
