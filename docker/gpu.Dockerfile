# syntax=docker/dockerfile:1
# Training on a GPU: `sluice retrain --device cuda`. Built from a checkout: docker/README.md.

# The compiler of docs/gpu.md is that of this release; the driver of the host must run CUDA 13 (580 or newer).
ARG CUDA=13.0.1-devel-ubuntu24.04
ARG CUDA_BASE=13.0.1-base-ubuntu24.04
# The version of package.json.
ARG NODE=24.21.0

FROM node:${NODE}-bookworm-slim AS node

FROM nvidia/cuda:${CUDA} AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates cmake g++ git make \
 && rm -rf /var/lib/apt/lists/*
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /sluice
COPY package.json package-lock.json .npmrc Makefile ./
RUN make node_modules/.setup
# The native libraries need minutes and these two rooms: a change elsewhere does not build them anew.
COPY core core
COPY training/native training/native
RUN make native-cuda
COPY . .
RUN npm prune --omit=dev --no-audit --no-fund \
 && rm -rf build/native/cmake build/native/lightgbm-* build/native/*.log

FROM nvidia/cuda:${CUDA_BASE}
# git tells which commit runs: it is part of a run's lineage, and production runs are refused without it.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && git config --system --add safe.directory /sluice \
 && useradd --uid 10001 --user-group --create-home sluice \
 && install --directory --owner=10001 --group=10001 /data /out
COPY --from=build /sluice /sluice
ENV PATH=/sluice/node_modules/.bin:$PATH
ENV NODE_ENV=production
WORKDIR /sluice
USER 10001:10001
ENTRYPOINT ["node", "sluice.ts", "retrain", "--device", "cuda", "--out", "/out"]
CMD ["--data", "/data"]
