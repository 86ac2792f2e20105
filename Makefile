# One command for each job. `make help` first.
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
SLUICE = node sluice.ts
VERSION = $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' package.json)
OUT ?= artifacts
CONFIG ?= configs/default.json
options = --config $(CONFIG) --out $(OUT) $(if $(DATA),--data $(DATA)) $(if $(DEVICE),--device $(DEVICE)) $(if $(PRECISION),--precision $(PRECISION))

HPO_CONFIG ?= configs/hpo.json
WORKERS ?= 2

.PHONY: help setup native native-cuda retrain hpo test check serve gate bench gpu-check gpu-pack docker-build verify-reproducible demo-clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile
	@echo '  variables: CONFIG=FILE DATA=DIR OUT=DIR DEVICE=cpu|cuda|auto PRECISION=tf32|fp32 ARTIFACT=DIR PORT=N'
	@echo '  of hpo: HPO_CONFIG=FILE DATA=DIR OUT=DIR WORKERS=N TRIALS=N STORAGE=FILE|postgres://...'

setup: node_modules/.setup native ## install what the project needs (npm ci, native libraries)

node_modules/.setup: package.json package-lock.json
	@command -v npm >/dev/null || { echo 'npm is missing; on Debian: apt-get install npm' >&2; exit 1; }
	npm ci --no-fund --no-audit --loglevel=error
	@ln -sf ../../sluice.ts node_modules/.bin/sluice
	@touch $@

native: node_modules/.setup ## build the native libraries into build/native (cached)
	@node training/native/build.ts $(if $(LIGHTGBM_LIBRARY),--lightgbm $(LIGHTGBM_LIBRARY))

native-cuda: node_modules/.setup ## also the libraries for GPUs: the engine's and LightGBM's (needs nvcc 12 or later)
	@node training/native/build.ts --cuda $(if $(LIGHTGBM_LIBRARY),--lightgbm $(LIGHTGBM_LIBRARY))

retrain: setup ## the main job: data in, a judged, signed model and a report out
	@$(SLUICE) retrain $(options)

test: setup ## all checks and tests
	@node node_modules/mocha/bin/mocha.js 'test/**/*.test.ts'

check: setup ## types, lint, import arrows, docs equal to registries
	@node node_modules/mocha/bin/mocha.js 'test/check/*.test.ts'

serve: setup ## serve the newest artifact of OUT (or ARTIFACT=DIR) on loopback
	@$(SLUICE) serve --out $(OUT) $(if $(ARTIFACT),--artifact $(ARTIFACT)) $(if $(PORT),--port $(PORT))

hpo: setup ## search for parameters in three stages, then its report; run again, it goes on
	@$(SLUICE) hpo run --deterministic --config $(HPO_CONFIG) --out $(OUT) --workers $(WORKERS) $(if $(DATA),--data $(DATA)) $(if $(STORAGE),--storage $(STORAGE)) $(if $(TRIALS),--trials $(TRIALS))
	@$(SLUICE) hpo report --out $(OUT) $(if $(STORAGE),--storage $(STORAGE))

gate: setup ## the verdict over recorded runs
	@$(SLUICE) gate --out $(OUT)

bench: setup ## all measurements, into bench/results (an hour)
	@for program in import features lightgbm tsmixer pbo backtest serving promotion; do node bench/$$program.ts || exit 1; done
	@node bench/distillation.ts $(if $(DATA),--data $(DATA))
	@node bench/hpo.ts $(if $(DATA),--data $(DATA))

gpu-check: node_modules/.setup ## on a GPU machine: build, parity, determinism, speed beside PyTorch (docs/gpu.md)
	@node bench/gpu.ts $(ARGS)

gpu-pack: node_modules/.setup ## what gpu-check needs, Node included, in one archive for a machine without a network
	@node bench/gpuPack.ts $(ARGS)

docker-build: ## the image for training on a GPU (docker/README.md)
	docker build --file docker/gpu.Dockerfile --tag sluice-gpu:$(VERSION) .

verify-reproducible: setup ## runs with 1, 2 and 3 threads: the same artifact digest, or exit 1
	@$(SLUICE) verify-reproducible $(options)

demo-clean: ## remove everything that runs have produced (OUT)
	rm -rf $(OUT)
