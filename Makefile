# The commands people type; each is a script that can be run by itself.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
SHELL   := /bin/bash

export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin
export GOFLAGS ?= -buildvcs=false

.PHONY: help
help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

.PHONY: demo
demo: ## install what is missing, then show two servers replicate
	scripts/install-deps
	$(GO) build -o bin/ldapsync ./cmd/ldapsync
	bin/ldapsync demo

.PHONY: test
test: ## install what is missing, then check and test everything
	scripts/install-deps --test
	scripts/lint
	scripts/test

.PHONY: scenarios
scenarios: ## play every scenario in all orders, and on real servers
	scripts/install-deps
	$(GO) build -o bin/ldapsync ./cmd/ldapsync
	bin/ldapsync simulate scenario/testdata/{scenarios,references,journal}.yaml
	bin/ldapsync simulate --real scenario/testdata/{scenarios,references,journal}.yaml

.PHONY: lint
lint: ## gofmt, go vet and staticcheck
	scripts/lint

.PHONY: vuln
vuln: ## look for known vulnerabilities (asks vuln.go.dev)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

.PHONY: bench
bench: ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZTIME (10s) each
	scripts/fuzz

.PHONY: soak
soak: ## run HISTORIES (a million) random histories of STEPS (200) steps from SEED (1) on, whole states looked at after EVERY steps (0, once); goes on where it was stopped
	$(GO) run ./simulate/soak $(if $(HISTORIES),-histories $(HISTORIES)) $(if $(STEPS),-steps $(STEPS)) $(if $(SEED),-seed $(SEED)) $(if $(EVERY),-every $(EVERY)) $(if $(SOAK_DIR),-dir $(SOAK_DIR))

.PHONY: mutants
mutants: ## break every decision of the merge and the view, and list what nobody notices
	$(GO) run ./scripts/mutants

.PHONY: build
build: ## build bin/ldapsync
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X ldapsync/daemon.Version=$(VERSION)' -o bin/ldapsync ./cmd/ldapsync

.PHONY: clean
clean: ## remove what build made
	rm -rf bin
