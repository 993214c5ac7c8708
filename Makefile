# make run: analyse the toy cohort; needs only Python 3.11-3.13 and make.
# make test: run the tests. make help: list all commands.
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PYTHON ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3.12 python3.13 python3.11 python3 python)
CODE := workflow tests benchmarks resources/build
RESOLVE := --universal --python-version 3.11 --generate-hashes --fork-strategy fewest --no-header \
  --no-annotate --quiet
SNAKEFILES := Snakefile workflow/Snakefile workflow/rules
export PYTHONPATH := workflow/src

.PHONY: help run test long soak check slurm format bench calibrate docs lock release clean

help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile

run: $(VENV)/installed ## install the locked environment and analyse the toy cohort
	$(BIN)/snakemake --cores $(CORES)

test: $(VENV)/developed ## install the environment and run the tests on all cores, at most four
	$(BIN)/python -m pytest -n logical --maxprocesses 4

long: $(VENV)/developed ## run the tests that `make test` leaves out, except soak
	$(BIN)/python -m pytest -m "cluster or long"

soak: $(VENV)/developed ## kill twenty toy runs at random moments and continue them; takes an hour
	$(BIN)/python -m pytest -s -m soak

check: $(VENV)/developed ## what a reviewer would run: ruff, snakefmt, mypy, lint, spelling, words
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/snakefmt --check $(SNAKEFILES)
	$(BIN)/mypy
	$(BIN)/snakemake --lint
	$(BIN)/snakemake --lint --configfile config/cohorts.yaml
	$(BIN)/codespell
	$(BIN)/python workflow/vocabulary.py

slurm: $(VENV)/installed ## install the additional packages for a SLURM cluster
	sh workflow/install.sh "$(VENV)" requirements-slurm.lock

format: $(VENV)/developed ## format the code
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/snakefmt $(SNAKEFILES)

bench: $(VENV)/developed ## measure speed; all programs in the same run
	$(BIN)/python benchmarks/bench_fit.py
	$(BIN)/python benchmarks/bench_sets.py
	$(BIN)/python benchmarks/bench_pipeline.py
	$(BIN)/python benchmarks/bench_pydeseq2.py --write docs/pydeseq2.md

calibrate: $(VENV)/developed ## run the simulation studies and write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_toy.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_targets.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_planning.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_panels.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_factors.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_outcomes.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_confirmed.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_mediation.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_serum_panel.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_permutations.py --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_sets.py --write docs/calibration.md
	mkdir -p build
	$(BIN)/python benchmarks/calibrate_panel_variance.py --out build/panel_variance.tsv
	$(BIN)/python benchmarks/calibrate_sets.py --depth build/set_depth.tsv --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_identity.py --cohorts 3 --clean 15 --write docs/calibration.md
	$(BIN)/python benchmarks/calibration/run.py --out build/calibration.tsv --jobs 2 \
	  --variants chain,voom,deseq2,pairs
	$(BIN)/python benchmarks/calibration/run.py --out build/calibration.tsv --jobs 2 \
	  --variants edger --max-cohorts 10
	$(BIN)/python benchmarks/calibration/report.py build/calibration.tsv --write docs/calibration.md
	$(BIN)/python benchmarks/calibration/weights.py build/calibration.tsv \
	  --panel build/panel_variance.tsv --write docs/calibration.md
	$(BIN)/python benchmarks/calibrate_designs.py all build/designs.tsv
	$(BIN)/python benchmarks/calibrate_designs.py report build/designs.tsv --write docs/calibration.md

docs: $(VENV)/developed ## regenerate the pages made from schemas and code, and the checksums of resources
	$(BIN)/python workflow/documentation.py
	PYTHONPATH=workflow/src:tests $(BIN)/python -m helpers.sentences
	$(BIN)/python resources/build/update_sources.py

lock: ## resolve the package versions of pyproject.toml again (needs uv)
	uv pip compile pyproject.toml --extra workflow $(RESOLVE) --output-file requirements.lock
	for extra in dev slurm; do \
	  uv pip compile pyproject.toml --extra $$extra $(RESOLVE) --constraint requirements.lock \
	    $$(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements.lock) \
	    --output-file requirements-$$extra.lock; \
	done

release: $(VENV)/installed ## make release VERSION=x.y.z: commit and tag a version, build its wheel; nothing is pushed
	$(BIN)/python workflow/release.py "$(VERSION)"

clean: ## remove the files that runs and tests leave behind
	rm -rf results/[!R]* logs build .snakemake .pytest_cache .mypy_cache .ruff_cache

$(VENV)/installed: requirements.lock workflow/install.sh
	sh workflow/install.sh "$(VENV)" requirements.lock $(PYTHONS)
	touch $@

# what tests and checks need besides
$(VENV)/developed: $(VENV)/installed requirements-dev.lock
	sh workflow/install.sh "$(VENV)" requirements-dev.lock
	touch $@
