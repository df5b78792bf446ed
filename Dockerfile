# A worker that serves every role but "gpu". The Temporal SDK's native part needs glibc, so no Alpine.
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY schemas schemas
COPY src src
RUN npm run build
# Without the development dependencies the Temporal SDK stays, as a peer, in the version that the lock pins.
RUN npm pkg delete devDependencies && npm prune

FROM node:22-slim
# The Temporal SDK trusts the system's certificates; the slim image has none.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY tools tools
COPY --from=build /app/schemas schemas
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
RUN ln -s /app/dist/cli/main.js /usr/local/bin/model-prefetch \
  && ln -s /app/dist/worker-main.js /usr/local/bin/model-prefetch-worker
USER node
CMD ["model-prefetch-worker"]
