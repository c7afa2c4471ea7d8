# Everything that is done to this project, by name. `make` alone lists it.

export CARGO_TERM_COLOR ?= auto

.DEFAULT_GOAL := help
.PHONY: autobahn book clients packages help setup test test-rust test-browser test-django test-gateway test-documents test-clients test-guides test-readme test-large test-deploy test-llm bench-gateway soak chaos crowd fuzz pictures run fmt lint deny image clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install what the tests need, where it is missing (apt as root, a Python venv, an npm package)
	@scripts/setup.sh

test: setup ## run the tests: Rust, a case through the pages in a browser, the real Django Channels, the official SDKs (20 minutes)
	@scripts/test.sh

test-rust: ## run the Rust tests alone
	cargo test --workspace --locked

test-browser: setup ## run all tests of the pages in a browser (no part of `make test`)
	@scripts/test-python.sh tests/browser

test-django: setup ## run the tests with the real Django Channels alone
	@scripts/test-python.sh tests/django

test-gateway: setup ## run the official SDKs, LangChain and curl against the gateway alone
	@scripts/test-python.sh tests/gateway

test-documents: setup ## run the validators of OpenAPI and AsyncAPI against the documents that the program serves alone
	@scripts/test-python.sh tests/documents

test-clients: setup ## run our client libraries, and the published clients of other protocols against two nodes (no part of `make test`)
	@scripts/test-python.sh tests/clients

test-readme: setup ## run the blocks of README alone
	@scripts/test-python.sh tests/readme/test_readme.py tests/readme/test_links.py

test-guides: setup ## run the blocks of all other documents (no part of `make test`)
	@scripts/test-python.sh tests/readme/test_guides*.py

test-large: setup ## run the console with 10,000 sessions (SOPHIE_SESSIONS) in 1,000 groups, with the program that users run (no part of `make test`)
	@SOPHIE_PROFILE=release scripts/test-python.sh -s tests/large

test-deploy: setup ## check all of deploy/ with the real nginx, Caddy, Traefik, Prometheus, Helm and Docker Compose, the package, the image
	@scripts/test-deploy.sh

test-llm: setup ## run the tests with a real model (builds llama.cpp's server at first: ten minutes)
	@scripts/test-llm.sh

soak: ## churn for SOPHIE_SOAK_SECONDS (1200), by the plan of SOPHIE_SEED: nothing may grow
	@scripts/long.sh soak 1200

crowd: ## good clients beside SOPHIE_CROWD (1000) bad ones: their messages take no longer
	@SOPHIE_CROWD=$${SOPHIE_CROWD:-1000} cargo test --locked --release --test api hostile_crowd -- --nocapture

chaos: ## everything fails for SOPHIE_SOAK_SECONDS (120), by the plan of SOPHIE_SEED: nothing may be lost or doubled
	@scripts/long.sh chaos 120

fuzz: ## fuzz TARGET (all) for SECONDS (600) each; installs cargo-fuzz
	@scripts/fuzz.sh "$(TARGET)" "$(SECONDS)"

bench-gateway: ## measure the gateway beside LiteLLM and Portkey's (installs both under target/bench)
	@scripts/bench-gateway.sh

bench-broker: ## measure sockets beside epoll, nchan, Bun, socket.io and Django Channels (installs them under target/bench)
	@scripts/bench-broker.sh

performance: ## measure all of that and rewrite docs/performance.md (an hour)
	@scripts/bench-broker.sh --write

autobahn: ## run Autobahn's WebSocket conformance tests against the echo example (Python 2.7; half an hour)
	@scripts/autobahn.sh

pictures: setup ## take the pictures of README and of docs/support-case.md anew (docs/images)
	@SOPHIE_BIN=$${SOPHIE_BIN:-target/debug/sophie} .venv/bin/python scripts/pictures.py

run: ## build in release mode and serve at http://127.0.0.1:8080
	cargo run --release --locked

fmt: ## format the code
	cargo fmt --all

lint: ## check format and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

deny: ## check licences, sources, banned, yanked and duplicate dependencies
	@scripts/deny.py

clients: setup ## build the client library in JavaScript (clients/js/dist) from its source
	@npm run --prefix clients/js --silent build

packages: setup ## build the packages of the client libraries, npm's and Python's, as they would be published (target/packages)
	@scripts/packages.sh

book: ## make a book of the documents, in target/book/html (installs mdBook under target/tools)
	@scripts/book.sh

image: ## build the container image and start it for real (root; buildah, debootstrap)
	@scripts/image.sh

clean: ## remove what was built and the Python venv
	cargo clean
	rm -rf .venv test-results tests/browser/node_modules tests/gateway/node_modules tests/documents/node_modules clients/js/node_modules
