# What a developer or an evaluator types. `make` alone lists it.

PYTHON := .venv/bin/python
BIND ?= 127.0.0.1
PORT ?= 8000
NODE ?= lb1
RACK ?= 0
CONSOLE := $(PYTHON) -m console --with-parent --bind $(BIND):$(PORT)
LAB := python3 -m lab --instance $(RACK)

.DEFAULT_GOAL := help
.PHONY: help demo run test lint types checks unit app postgres access remote rack browser unproved \
	bench lab lab-shell lab-stop pins

help: ## this list
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## console and rack, filled with something to look at, until Ctrl-C
	@./setup.sh demo
	@exec $(CONSOLE) --with 'lab=$(LAB) up --foreground' --ready 'lab=^NODE ' \
		--then 'demo=$(PYTHON) manage.py demo --rack $(RACK)'

run: ## the console alone, until Ctrl-C (BIND=127.0.0.1 PORT=8000)
	@./setup.sh run
	@exec $(CONSOLE)

test: ## every test and check, as the continuous integration runs them
	@.ci/run

lint types checks unit app postgres access remote rack browser unproved: ## one stage of the tests
	@./setup.sh test
	@$(PYTHON) -m tests.stages $@

bench: ## a benchmark (NAME=planner_100k)
	@./setup.sh test
	@$(PYTHON) -m bench $(NAME)

lab: ## build and boot the rack, which then stays up
	@./setup.sh lab
	@$(LAB) up

lab-shell: ## a shell on a machine of the rack (NODE=lb1 RACK=0)
	@exec $(LAB) shell $(NODE)

lab-stop: ## stop the rack
	@$(LAB) down

pins: ## choose and pin the newest versions of the Python packages
	@./setup.sh test
	@for set in '' -uv -node -dev; do \
		$(PYTHON) -m uv pip compile --quiet --upgrade --universal --generate-hashes \
			--no-emit-index-url --custom-compile-command 'make pins' --python-version 3.11 \
			requirements$$set.in --output-file requirements$$set.txt || exit; \
	done
