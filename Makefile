# Margay's commands. CMake builds; this only names what people and CI call.
PRESET ?= release
BUILD := $(CURDIR)/build/$(PRESET)
JOBS ?= $(shell nproc)
DATAPLANE ?= iptables
DIFFERENTIAL := $(if $(filter vector,$(DATAPLANE)),margay_differential_vector,margay_differential)
CASES ?= 200
PACKETS ?= 1000
SEED ?= 1
DURATION ?= 3600
FUZZ ?= json yaml selector cni protobuf http packets graph
COUNT ?= 50

# One cache for every clone and preset: paths count from the clone's top.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

.PHONY: help deps build demo test unit differential conformance fault fuzz soak vm bench asan tsan format lint clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 16

deps: ## install everything the project needs (Debian 12)
	@scripts/deps

build: deps ## build all programs
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS)

demo: deps ## the main job, on a lab cluster, with kubectl (DATAPLANE=nftables for that one)
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS) --target margay
	@tests/demo/demo --margay $(BUILD)/bin/margay --dataplane $(DATAPLANE)

test: build ## everything that must hold on each change
	@tests/run --build $(BUILD)

unit: build ## only the unit tests
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

differential: deps ## a data plane's real verdicts against the reference evaluator
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS) --target $(DIFFERENTIAL)
	@$(BUILD)/bin/$(DIFFERENTIAL) --dataplane $(DATAPLANE) --cases $(CASES) --packets $(PACKETS) --seed $(SEED)

conformance: build ## Kubernetes' NetworkPolicy scenarios, the recipes and Calico's pages, on both kernel data planes
	@MARGAY=$(BUILD)/bin/margay /usr/bin/python3 -m pytest -q tests/conformance

fault: build ## kill everything, many times, and look at what is left
	@MARGAY=$(BUILD)/bin/margay FAULT_COUNT=$(COUNT) /usr/bin/python3 -m pytest -q tests/fault

fuzz: deps ## every fuzz target, for DURATION seconds each
	@tests/fuzz/run $(DURATION) $(FUZZ)

soak: deps ## mixed traffic through the packet graph for DURATION seconds: everything must come back
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS) --target margay_soak_test
	@SOAK_SECONDS=$(DURATION) $(BUILD)/bin/margay_soak_test

vm: build ## what this kernel may lack, under Debian's own, emulated (tests/vm/run); not part of `make test`
	@scripts/deps --vm
	@MARGAY=$(BUILD)/bin/margay /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/vm/vm_checks.py
	@tests/vm/run --time $(DURATION) $(BUILD)/bin/margay_dataplane_test

bench: build ## all benchmarks, as ratios to a baseline timed in the same run
	@bench/run --build $(BUILD)

asan: ## unit tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory unit PRESET=asan

tsan: ## unit tests under ThreadSanitizer
	@$(MAKE) --no-print-directory unit PRESET=tsan

format: ## format every source file
	@git ls-files '*.h' '*.cpp' | xargs clang-format-19 -i

lint: ## formatting, clang-tidy, floors
	@cmake --preset $(PRESET) >/dev/null
	@tests/lint/lint --build $(BUILD) --tidy

clean: ## remove everything built
	@rm -rf build
