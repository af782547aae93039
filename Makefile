# SPDX-License-Identifier: MIT
# make help lists the targets. Each makes the environment first if need be.

# One word for the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'
hash := \#

# The folder of this file, whatever its name: make's own functions split it at
# spaces. Nor has any recipe it in its text, where the shell would split it at
# more: they take "$$ROOT". Some makes begin their list with a space; a list of
# several files has no place where one ends for sure. No make -e, and no word on
# the command line, leads distclean to another folder.
override export ROOT := $(shell file=$(call quoted,$(MAKEFILE_LIST)); \
	test -f "$$file" || file=$${file$(hash) }; \
	test -f "$$file" && CDPATH= cd -P -- "$$(dirname -- "$$file")" && \
	test -f ctools/Makefile && test "$$(pwd | wc -l)" -eq 1 && pwd)
override export VENV := $(ROOT)/.venv
ifeq ($(ROOT),)
$(error cannot tell the folder of this Makefile, so nothing is done: give make no other \
	file beside it, and the folder a name without line breaks)
endif
ifneq ($(findstring :,$(ROOT)),)
$(error a colon in the path of this folder would split PYTHONPATH, so nothing is done: \
	give it a name without one)
endif
ifeq ($(shell command -v iconv >/dev/null || exit 0; \
	printf %s $(call quoted,$(ROOT)) | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 || echo no),no)
$(error the path of this folder is not UTF-8, in which a notebook is written, so nothing is \
	done: give it a name that is)
endif

# The Python that makes the environment. To use an environment of your own
# (conda: environment.yml) instead, say PY=python.
export PYTHON ?= python3
export PY ?= $(VENV)/bin/python

RUN ?= this-machine
NB ?= 01-serial-copy
KERNEL ?=
FORMAT ?= text
ARGS ?=
REPEATS ?= 100
MINUTES ?=
STRESS ?=
export RESULTS ?= $(ROOT)/results

# Nobody's own Jupyter and matplotlib settings change a result, or are changed.
export PYTHONPATH := $(ROOT)
export JUPYTER_CONFIG_DIR := $(VENV)/settings/jupyter
export JUPYTER_PREFER_ENV_PATH := 1
export IPYTHONDIR := $(VENV)/settings/ipython
export MPLCONFIGDIR := $(VENV)/settings/matplotlib

ARTIFACT = cd "$$ROOT" && "$$PY" -m artifact

# Of the environment, wherever that is; it has no -m.
CLANG_FORMAT = from clang_format import clang_format; clang_format()

# Two targets at once would measure each other.
.NOTPARALLEL:
.DEFAULT_GOAL := help

# Files of tests side by side, each in one worker: what it draws or boots, it does once.
WORKERS = -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

help:				## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p; s/^## /\n/p' "$$ROOT/Makefile" | expand -t 16

## start
reproduce: env			## measure everything, draw everything, write report.html (RUN=name, MINUTES=12)
	@$(ARTIFACT) reproduce --run "$(RUN)" --minutes "$(MINUTES)"

plan: env			## what reproduce would do, by a probe: minutes, memory, what is skipped (MINUTES=12)
	@$(ARTIFACT) plan --run "$(RUN)" --minutes "$(MINUTES)"

check: env			## kick the tyres: build, verify, catch planted faults, say what will be skipped
	@$(ARTIFACT) check

figures: env			## every figure from recorded data, nothing measured (RUN=name: of that run)
	@$(ARTIFACT) figures $(if $(filter command,$(firstword $(origin RUN))),--run "$(RUN)")

test: lint			## lint and the tests; STRESS=1: beside two busy loops, again and again
	@cd "$$ROOT" && "$$PY" -m $(if $(STRESS),tests.stress,pytest -q tests) $(WORKERS)

## look
report: env			## draw whatever a run has measured: its notebooks and report.html (RUN=name)
	@$(ARTIFACT) report --run "$(RUN)"

claims: env			## the verdict on every published claim (RUN=name; FORMAT=json for a program)
	@$(ARTIFACT) claims --run "$(RUN)" --format "$(FORMAT)"

compare: env			## several runs, recorded, packed or ours: which claims are portable? RUNS="a /path/b.tar.gz"
	@$(ARTIFACT) compare $(RUNS)

agree: env			## are two runs' headline ratios inside each other's intervals, but for chance? RUNS="a b"
	@$(ARTIFACT) agree $(RUNS)

coverage: env			## in how many of 100 intervals is another run's ratio, over all arms? RUNS="a b c"
	@$(ARTIFACT) coverage $(RUNS)

sharpness: env			## is each verdict of a run as sharp as in another one? RUNS="a recorded/b"
	@$(ARTIFACT) sharpness $(RUNS)

profile: env			## where a run's seconds went, from its own records (RUN=name)
	@$(ARTIFACT) profile --run "$(RUN)"

allocation: env			## how a run's time is best divided between processes and rounds (RUN=name)
	@$(ARTIFACT) allocation --run "$(RUN)"

pack: env			## one file of a run's measurements, for somebody else's make compare (RUN=name)
	@$(ARTIFACT) pack --run "$(RUN)"

badge: env			## what artifact evaluators ask for, and the evidence of it that is here
	@$(ARTIFACT) badge

rendered: env			## notebooks/rendered and ARTIFACT.md, for a code host (RUN=recorded/name)
	@$(ARTIFACT) rendered $(if $(filter command,$(firstword $(origin RUN))),--run "$(RUN)")

## change
notebook: env			## one notebook with changed parameters: NB=01-serial-copy ARGS="rounds=96"
	@$(ARTIFACT) notebook --run "$(RUN)" --minutes "$(MINUTES)" "$(NB)" $(ARGS)

lab: env			## JupyterLab on 127.0.0.1, with a token, on copies of the notebooks
	@$(ARTIFACT) lab

explore: env			## the same at a notebook with knobs: a first ratio within a second, then sharper
	@$(ARTIFACT) explore

## kernel
changelog: env			## text for a commit message and a cover letter (RUN=name)
	@$(ARTIFACT) changelog --run "$(RUN)"

kernel-lab: env			## real kernels in a virtual machine; their answers join the run (KERNEL=vmlinuz)
	@$(ARTIFACT) kernel-lab --run "$(RUN)" $(if $(KERNEL),--kernel "$(KERNEL)")

## trust
lint: env			## what a machine can check: names, imports, types, the format of the C
	@cd "$$ROOT" && "$$PY" -m ruff check -q artifact tests && "$$PY" -m mypy --no-error-summary && \
	find ctools -name '*.[ch]' ! -name '*.mod.c' -exec "$$PY" -c "$(CLANG_FORMAT)" --dry-run -Werror {} +

aa: env				## one copy routine against itself, REPEATS times: does the interval cover 1?
	@$(ARTIFACT) aa --repeats "$(REPEATS)"

## clean
clean:				## remove what was built; keep results and environment
	@$(MAKE) --no-print-directory -s -C "$$ROOT/ctools" clean
	@cd "$$ROOT" && find . -path ./.venv -prune -o -name __pycache__ -prune -exec rm -rf {} +
	@cd "$$ROOT" && rm -rf .pytest_cache .hypothesis .mypy_cache .ruff_cache

distclean: clean		## remove the environment too, and all results
	@rm -rf "$$VENV" "$$ROOT/results"

# The lock is for two makes at once; the mark is made last, so that an
# environment that was interrupted half-way is made again. What pip complains of
# is shown where it fails. IPython makes its own folder, but not the one above:
# it warns and takes another.
ifeq ($(PY),$(VENV)/bin/python)
env:
	@"$$PYTHON" -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1); import ensurepip, venv' \
		2>/dev/null || { echo "error: $$PYTHON is not Python 3.11 or newer with venv:" \
		"install python3 and python3-venv, or say make PYTHON=python3.12" >&2; exit 1; }
	@command -v "$(firstword $(CC))" >/dev/null || { echo "error: no C compiler '$(CC)':" \
		"install gcc, or say make CC=clang" >&2; exit 1; }
	@exec 9>>"$$ROOT/.venv.lock" && flock 9 && \
	{ cmp -s "$$ROOT/requirements.txt" "$$VENV/installed.txt" || { \
		echo "making the environment in .venv: once, a minute or two" >&2 && \
		rm -rf "$$VENV" && "$$PYTHON" -m venv "$$VENV" && \
		{ "$$PY" -m pip install --quiet --disable-pip-version-check --no-input \
			--require-hashes -r "$$ROOT/requirements.txt" >"$$VENV/pip.log" 2>&1 || \
			{ cat "$$VENV/pip.log" >&2; exit 1; }; } && \
		mkdir -p "$$VENV/settings" && \
		cp "$$ROOT/requirements.txt" "$$VENV/installed.txt"; }; }
else
env:
	@"$$PY" -c 'import pyperf, papermill, rich, scipy, seaborn' || { echo "error: PY=$$PY lacks" \
		"packages: pip install --require-hashes -r requirements.txt" >&2; exit 1; }
endif

.PHONY: help reproduce check plan figures rendered report notebook kernel-lab lab explore claims changelog compare pack aa agree coverage sharpness allocation profile badge lint test clean distclean env
