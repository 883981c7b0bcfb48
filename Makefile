# Every target sets up what it needs. `make demo` and `make test` are the two to start with.
PYTHON := .venv/bin/python
VERSIONS ?= 1.30 1.31 1.35 1.36 1.37
MINOR ?= 1.30
COMPILE = uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --extra program
space := $(subst ,, )
SHELL_FILES = node/*.sh auditlog/observe/*.sh $$(grep -lE '^\#!/bin/(ba)?sh|^\#!/usr/bin/env bash' .ci/* ci/* lab/files/* 2>/dev/null)

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile)

help:  ## What there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: .venv/.complete  ## The Python environment, from the pinned requirements

.venv/.complete: requirements.txt requirements-dev.txt .ci/python-environment
	sh .ci/python-environment
	touch $@

requirements: setup  ## Pin what pyproject.toml requires, with hashes; requires uv
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) --group dev pyproject.toml -o requirements-dev.txt

build: setup  ## The lab's tools, built from pinned Go modules (about 15 minutes cold on two cores)
	$(PYTHON) -m lab build

build-tests: setup  ## The tools that only tests run, besides (15 minutes more: the Kubernetes provider, Alloy, Loki)
	$(PYTHON) -m lab build --tests

up: build  ## A real kubeadm control plane on this machine; NODES=3 for three behind a load balancer
	$(PYTHON) -m lab up $(if $(NODES),--nodes $(NODES))

demo: up  ## Set everything up, turn audit logging on, and ask who deleted a ConfigMap
	$(PYTHON) -m lab.demo

picture: up  ## README's pictures, from a new run of the demonstration; the lab must be as kubeadm left it
	$(PYTHON) -m lab.picture

demo-preview: up  ## What `pulumi up` would change on the lab now
	$(PYTHON) -m lab.demo preview

demo-destroy: up  ## Take audit logging off the lab's control plane again
	$(PYTHON) -m lab.demo destroy

down: setup  ## Remove the lab; built tools stay
	$(PYTHON) -m lab down

static: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .
	.venv/bin/lint-imports --no-logo --no-cache
	.venv/bin/shellcheck $(SHELL_FILES)

check: static  ## Before a commit, within a minute: ruff, mypy, the layers, shellcheck, and the unit tests of what changed
	$(PYTHON) -m tests.changed

lint: static  ## Every static check
	$(PYTHON) -m lab.go_modules vet
	$(PYTHON) -m auditlog config check
	$(PYTHON) -m auditlog config schema | diff -u docs/settings.schema.json -
	$(PYTHON) -m auditlog config package | diff -u package/schema.json -
	$(PYTHON) -m auditlog config reference | diff -u docs/settings.md -
	$(PYTHON) -m auditlog config project | diff -u Pulumi.yaml -
	$(PYTHON) -m auditlog config arguments | diff -u components/arguments.py -
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.woodpecker-ci .woodpecker/*.yaml
	$(PYTHON) -m lab.workflows
	$(PYTHON) -m lab.prose
	$(PYTHON) -m pytest -q tests/unit/docs/test_links.py tests/unit/docs/test_commands.py -k 'not pulumi and not kube'

generated: setup  ## Remake what is made from declarations: schemas, reference, Pulumi.yaml, Python's arguments, manual page
	$(PYTHON) -m auditlog config schema >docs/settings.schema.json
	$(PYTHON) -m auditlog config package >package/schema.json
	$(PYTHON) -m auditlog config reference >docs/settings.md
	$(PYTHON) -m auditlog config project >Pulumi.yaml
	$(PYTHON) -m auditlog config arguments >components/arguments.py
	$(PYTHON) -m lab.manual_page >docs/auditlog.1

# Go's programs collect less often: https://pkg.go.dev/runtime#hdr-Environment_Variables
test test-engine test-lab test-faults test-exhaustive test-outsiders: export GOGC = 400

test: build-tests up  ## Set everything up and run every test
	.ci/test

slowest: setup  ## Where the time of the last `make test` went
	$(PYTHON) -m tests.durations

test-unit: build-tests
	$(PYTHON) -m pytest tests/unit

test-busybox: setup  ## The tests of the node's scripts with the shell and the tools of the machine's busybox
	mkdir -p .lab/busybox && busybox --install -s .lab/busybox
	NODE_TOOLS=$(CURDIR)/.lab/busybox $(PYTHON) -m pytest tests/unit/node

test-engine: build-tests
	$(PYTHON) -m pytest tests/engine

test-recorded: build-tests  ## Previews of recorded nodes by the first release and by today's: what each decides, and in which words
	$(PYTHON) -m pytest -s tests/engine/test_recorded_nodes.py

record-nodes: build-tests  ## Record these nodes anew, on labs of Kubernetes 1.36 and 1.37; STATES="fresh stray-copy" for some
	$(PYTHON) -m lab build --kubernetes 1.36
	$(PYTHON) -m tests.recorded_nodes $(STATES)

test-lab: up build-tests
	$(PYTHON) -m pytest tests/lab --ignore=tests/lab/test_kubeadm_upgrade.py -m 'not exhaustive'

test-faults: up  ## Every fault of docs/faults.md at every step of a change, which takes hours
	$(PYTHON) -m pytest tests/lab/faults

test-upgrade: build-tests  ## A real `kubeadm upgrade apply` from 1.36 to 1.37, which `make test` leaves out
	$(PYTHON) -m lab build --kubernetes 1.36
	$(PYTHON) -m pytest tests/lab/test_kubeadm_upgrade.py

test-versions: build  ## A stack's whole life on Kubernetes 1.30, 1.31, 1.35, 1.36 and 1.37, and a table of what differs; VERSIONS="1.30 1.31" for some
	for minor in $(VERSIONS); do $(PYTHON) -m lab build --kubernetes $$minor || exit 1; done
	$(PYTHON) -m pytest -s tests/lab/test_versions.py -k "$(subst $(space), or ,$(VERSIONS))"

test-lean: build-tests  ## Every detection under the preset `lean`, by its real action, on the oldest Kubernetes; MINOR=1.31 for another
	$(PYTHON) -m lab build --kubernetes $(MINOR) --observability
	LAB_ROOT=.lab/lean-$(MINOR) $(PYTHON) -m lab up --kubernetes $(MINOR)
	LAB_ROOT=.lab/lean-$(MINOR) $(PYTHON) -m pytest tests/observability/test_detections_lean.py; \
		status=$$?; LAB_ROOT=.lab/lean-$(MINOR) $(PYTHON) -m lab down; exit $$status

observability: up  ## Loki and Prometheus beside the lab; builds Loki and Alloy first
	$(PYTHON) -m lab observability up

test-observability: observability  ## From the log to the answer: Alloy, Loki, every dashboard query, every detection
	$(PYTHON) -m pytest tests/observability

test-grafana: setup  ## The dashboards against the types of Grafana 11, 12 and 13; requires npm
	$(PYTHON) -m lab.grafana_schema

test-report: setup  ## The page of `auditlog report` in a real browser; installs Chromium from Debian's packages
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }
	$(PYTHON) -m pytest tests/report

incident: build build-tests  ## docs/examples/incident.md and its picture, from a new incident on three nodes; installs Chromium
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }
	INCIDENT_FOLDER=docs/examples $(PYTHON) -m pytest tests/lab/test_incident.py

test-crash: setup  ## A power cut at every moment of a change, on ext4 and XFS, that takes what was not synced
	$(PYTHON) -m pytest tests/crash

test-exhaustive: up build-tests  ## All source documents, every drift twice, three nodes in all modes and illnesses, the package from a YAML program
	$(PYTHON) -m pytest tests/lab/test_seed_stacks.py tests/lab/test_drift.py tests/lab/test_three_nodes_under_load.py \
		tests/lab/test_cluster_gates.py tests/lab/test_environments.py tests/lab/test_package.py \
		tests/lab/test_ci_scripts.py tests/lab/test_rendered.py tests/lab/test_tune.py tests/lab/test_annotation_files.py \
		tests/lab/test_presets.py tests/lab/test_three_nodes_lab.py tests/lab/test_lab_recovery.py \
		tests/lab/test_three_nodes_annotations.py tests/lab/test_policies_only_change.py

test-outsiders: up build-tests  ## Firewalls and load balancers: three nodes behind haproxy, clients, strangers and a prober all the time
	$(PYTHON) -m pytest tests/lab/test_firewall.py
	$(PYTHON) -m pytest tests/lab/test_three_nodes_under_load.py -k outsider

test-promotion: build-tests  ## One policy change through ci/check, ci/preview and ci/deploy: dev, staging, prod of three nodes
	$(PYTHON) -m pytest tests/lab/test_promotion.py

test-load: observability  ## Everything on the way to Loki fails, for over an hour: nothing lost, nothing shown twice
	SHIPPING_REQUESTS=100000 $(PYTHON) -m pytest -s tests/observability/test_shipping_load.py
	PIPELINE_SECONDS=1200 PIPELINE_RATE=1000 $(PYTHON) -m pytest -s tests/observability/test_pipeline_faults.py

test-differential: build-tests  ## 200,000 random policies and requests per version against the API server's own code
	$(PYTHON) -m tests.differential --cases 200000 --version all

sdks: setup  ## The package's SDKs for Go, TypeScript, Python and .NET below .lab/sdks, and its README's examples checked against them
	$(PYTHON) -m lab.package_sdks

bench: up build-tests  ## Speed and outage, each beside a peer in the same run
	$(PYTHON) -m bench.evaluate
	$(PYTHON) -m bench.replay
	$(PYTHON) -m bench.outage

bench-preview: setup  ## A preview without changes on three nodes 20 ms away, beside Ansible and pyinfra; makes the lab anew
	$(PYTHON) -m lab down
	$(PYTHON) -m lab up --nodes 3
	$(PYTHON) -m bench.preview

bench-clusters: build  ## A preview of three clusters in one program, beside one cluster; nodes are fakes that answer slowly
	$(PYTHON) -m bench.clusters

bench-fleet: setup  ## Forty recorded clusters in `auditlog fleet status`: seconds and memory, beside one after the other
	$(PYTHON) -m bench.fleet

bench-cost: up  ## What each preset costs an API server on the same requests, beside audit logging off
	$(PYTHON) -m bench.cost

bench-delay: observability  ## How long an event takes from the API server through Alloy to Loki
	$(PYTHON) -m bench.delay

bench-loki: build-tests  ## What Loki reads in a day for rules and dashboards, now and in the first release
	$(PYTHON) -m bench.loki_reading

bench-ledger: build  ## The ledger over a million events, beside reading them from Loki
	$(PYTHON) -m bench.ledger

outdated: setup  ## Which pinned Python packages and Go modules are behind what can be had here
	$(PYTHON) -m lab.outdated

clean: down  ## Remove the lab and everything that was built or installed here
	rm -rf .lab .venv
