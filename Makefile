# What the tests need besides Go and make, as Debian names it. mariadb-server without "-core" would
# start a server of the machine's own; mariadb-client-core is what creates a private one. So would
# redis-server; redis-tools has the same program. npm may be here already without being Debian's.
PACKAGES = ca-certificates curl openssl gcc libc6-dev mariadb-server-core mariadb-client-core redis-tools \
	default-jre-headless libzookeeper-java chromium galera-4 rsync iproute2 $(if $(shell which npm),,npm)

# Everything is built without C; only the race detector needs it.
export CGO_ENABLED := 0

# Git tells nothing about a checkout that belongs to somebody else, such as in CI. Here it may.
export GIT_CONFIG_COUNT := 1
export GIT_CONFIG_KEY_0 := safe.directory
export GIT_CONFIG_VALUE_0 := $(CURDIR)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test cluster mutants build lint generate generated fmt packages

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

run: ## run orderd on demo data, ready in a browser
	go run ./cmd/orderd dev

# Last comes go test, whose closing lines say how it went; 2>&1 keeps its two streams in order. exec
# makes the rig a child of make, so that it ends when make is killed.
test: packages lint generated build .cache/rig .cache/mysql56 ## check and test everything, on private servers
	@exec .cache/rig -- env CGO_ENABLED=1 go test -race -shuffle=on -timeout=20m ./... 2>&1

# Tests on a cluster have Node in their names. Two packages at once would kill each other's nodes.
cluster: packages .cache/rig .cache/galera ## test on a cluster of three nodes
	@exec .cache/rig -only ORDERD_TEST_GALERA -- env CGO_ENABLED=1 \
		go test -race -shuffle=on -timeout=10m -p=1 -run=Node ./engine/internal/cluster ./cmd/orderd 2>&1

mutants: packages .cache/rig ## make small mistakes in the source and say which no test notices (takes an hour)
	@exec .cache/rig -only ORDERD_TEST_MYSQL -- go run ./internal/mutate 2>&1

build: ## build bin/orderd
	go build -trimpath -o bin/orderd ./cmd/orderd

lint: .cache/golangci-lint ## check style and the arrows between packages
	.cache/golangci-lint run

generate: ## write the generated files anew
	go generate ./...

fmt: .cache/golangci-lint ## format all Go files
	.cache/golangci-lint fmt

# Fails if a generated file was not up to date. What else is uncommitted does not matter.
tree = git status --porcelain && git diff
generated:
	@git rev-parse --git-dir >/dev/null || { echo "generated files are not checked"; exit 0; }; set -e; \
	before=$$($(tree)); $(MAKE) --no-print-directory generate; after=$$($(tree)); [ "$$before" = "$$after" ] || \
	{ git --no-pager diff --stat; echo "generated files are out of date: commit what make generate changes"; exit 1; }

packages:
	@.ci/packages $(PACKAGES)

.cache/rig: $(wildcard internal/rig/*.go)
	go build -o $@ ./internal/rig

# MySQL itself, in the one release that comes as a package, for one kind of machine; elsewhere the tests
# that need it are skipped and say so. No script of the package is run.
.cache/mysql56: tools/mysql56/package.json tools/mysql56/package-lock.json
	@rm -rf $@ && mkdir -p $@.part && cp tools/mysql56/*.json $@.part
	@[ "$$(uname -sm)" != "Linux x86_64" ] || npm ci --prefix $@.part --ignore-scripts --no-audit --no-fund
	@mv $@.part $@

# What copies one node's files to another is part of Debian's mariadb-server.
.cache/galera:
	@.ci/unpack mariadb-server $@ usr/bin/wsrep_sst_rsync usr/bin/wsrep_sst_common

# The linter takes minutes to build and seconds to run, so it is kept.
.cache/golangci-lint: tools/go.mod tools/go.sum
	go build -C tools -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
