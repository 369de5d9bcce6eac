# Targets for people and for CI. Everything a target needs, it says or installs.
SHELL   := bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'
LINT_VERSION := v2.15.0
# Of the Alertmanager that `make bench-peers` measures beside.
AM_VERSION ?= v0.34.2

.PHONY: scenarios chaos help build ui run test bench bench-peers bench-agent lint fmt clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ui ## bin/watchbill and bin/watchbill-agent, static, no cgo
	$(GOBUILD) -o bin/watchbill ./cmd/watchbill
	$(GOBUILD) -o bin/watchbill-agent ./cmd/watchbill-agent

ui:
	@scripts/build-ui

run: build ## build, then a server on 127.0.0.1:7470 with data in ./data, and an agent for this host
	@exec scripts/run

# -count=1: tests that start programs of ours build them themselves, which Go's cache of results does not see.
test: ## install what the tests need (as root or with CI=true, else say what), then run every test
	scripts/test-deps
	go test -count=1 -timeout 20m ./...
	scripts/test-ui
	scripts/test-tutorial

scenarios: ## real faults in a small real estate of network namespaces; wants root, takes minutes
	scripts/test-deps scenarios
	WATCHBILL_SCENARIOS=1 go test -count=1 -v -timeout 60m ./test/scenarios ./test/estate

# Each part has its own bound of time, so that all of it ends within two hours.
chaos: ## faults in their long form: kills, damage, power cuts, full disks, clocks, backups of any size; as root for the disks
	WATCHBILL_CHAOS=1 go test -count=1 -v -timeout 60m ./internal/store/... ./internal/journal
	WATCHBILL_CHAOS=1 go test -count=1 -v -timeout 20m -run 'Clock|Backup|Restore|Repair|Marks|Append|Kill' ./internal/app ./internal/engine
	WATCHBILL_CHAOS=1 go test -count=1 -v -timeout 20m -run 'Kill|Disk|Sync' ./test/e2e

bench: ## every benchmark: read the ratios, not the absolute figures
	go test -run '^$$' -bench . -benchmem ./...

bench-peers: build ## ingest beside a real Alertmanager, in one run
	go run ./test/load/peers -watchbill bin/watchbill -alertmanager "$$(scripts/build-alertmanager $(AM_VERSION) .cache)"

bench-agent: ## the agent beside the exporters and inventory agents that Debian packages
	test/bench/agent.sh

lint: ## gofmt, go vet, golangci-lint
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted, run 'make fmt':" $$unformatted; exit 1; }
	go vet ./...
	linter=$$(scripts/lint-deps $(LINT_VERSION)) && "$$linter" run

fmt: ## format all Go files
	gofmt -w $$(git ls-files '*.go')

clean: ## remove what was built; data stays
	rm -rf bin .cache api/ui/dist
