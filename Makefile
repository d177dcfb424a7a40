# SPDX-License-Identifier: MIT
# Commands of the project; `make help` lists them. The work itself is in pytest, tb/, scripts/ and syn/.

## simulator: verilator or icarus
SIM ?= verilator
## network; without it, `make calibrate` and `make eval` take all
NET ?= textgenrnn
## file with your own LSTM, played in place of NET: docs/models.md lists the formats
MODEL ?=
## name of the LSTM in MODEL, if it has several
NODE ?=
## inputs of MODEL's LSTM, a .npy or .npz file (docs/own-network.md); some of them are kept to check the choice of thresholds
INPUTS ?=
## Python file with the metric of MODEL's task, a function metric(outputs, labels) (empty: signal-to-error ratio of h)
METRIC ?=
## low,high: range of random inputs of MODEL, in place of INPUTS (empty: -1,1)
RANGE ?=
## precision policy, or several separated by commas; `make calibrate` takes those with thresholds, such as SENSITIVITY
POLICY ?= all
## time steps to play (empty: in `make sim` 512, with MODEL 128, under Icarus 2; in `make waves` 3; in `make eval` all)
STEPS ?=
## tiles of the build for MODEL (empty: 4)
TILES ?=
## lanes per tile of the build for MODEL: 8, 16, 32 or 64 (empty: 64)
LANES ?=
## words of weights per tile of the build for MODEL (empty: 2 MiB in all tiles)
WEIGHTS ?=
## seed of all random choices; `make regress`, `make weekly` and `make soak` draw one if it is not given
SEED ?= 1
## largest loss that `make calibrate` accepts: of NET in margins (docs/data.md; empty: 1), of MODEL in the unit of METRIC (empty: the margin in METRIC, or 3 dB)
BUDGET ?=
## instead of BUDGET: share of the rows of MODEL, 0 to 1, that `make calibrate` is to leave at the lowest level
SHARE ?=
## instead of BUDGET: speed of MODEL over the baseline build that `make calibrate` is to reach
SPEED ?=
## processes that `make eval`, `make mutants`, `make endurance`, `make coverage` or `make functional` runs at once (empty: one per core)
JOBS ?=
## Dask scheduler, such as tcp://host:8786, whose workers do the work of `make eval` instead of processes here
SCHEDULER ?=
## minutes that the soak of `make soak` or `make weekly` lasts, or the random cases of `make functional` may take (20 if not given)
MINUTES ?= 5
## mutants that `make mutants` judges
N ?= 100
## values that `make endurance` compares
VALUES ?= 1e8
## what `make signoff` runs first: all, or some of regress, test-bench, formal, mutants, coverage, endurance, functional, separated by commas (empty: nothing)
PARTS ?=
## 1: write waveforms for GTKWave under build/ (slower)
WAVES ?= 0
## 1: `make waves` draws the pictures of docs/images/
PNG ?= 0
## folder of IHP-Open-PDK, for `make silicon` (docs/silicon.md)
PDK ?=
## Python (3.10 or newer) of the virtual environment
PYTHON ?= python3

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
targets := help setup generate sim waves test weekly regress soak endurance coverage functional test-bench mutants formal signoff bench calibrate eval lint silicon fpga docs clean distclean
variables := SIM NET MODEL NODE INPUTS METRIC RANGE POLICY STEPS TILES LANES WEIGHTS SEED BUDGET SHARE SPEED JOBS SCHEDULER MINUTES N VALUES PARTS WAVES PNG PDK PYTHON
.PHONY: $(targets)

# No target ignores a variable: `takes.TARGET` names those it takes, and another one on the command line is an error. One in the environment
# may be meant for another program: a warning, except for PYTHON, which set-up reads whatever the target.
of = $(foreach name,$2,$(if $(filter $1,$(firstword $(origin $(name)))),$(name)))
told := $(call of,command,$(.VARIABLES))
found := $(call of,environment,$(variables))
unknown = make $1 does not take $2; it takes $(or $(takes.$1),no variables)
check = $(foreach name,$(filter-out $(takes.$1),$(told)),$(error $(call unknown,$1,$(name)))) \
	$(foreach name,$(filter-out $(takes.$1) PYTHON,$(found)),$(warning $(call unknown,$1,$(name))))

# Values are text. Nothing expands them: not this file, not the environment of a command, not a make that the command runs.
$(foreach name,$(variables),$(eval override $(name) := $$(value $(name))))
export $(variables)
MAKEOVERRIDES :=
given = $(if $(filter $1,$(told) $(found)),$2="$$$1")
# Options of a command about MODEL=, and whether there are any.
option = $${$1:+--$2="$$$1"}
own = $(call option,MODEL,model) $(call option,NODE,node) $(call option,INPUTS,inputs) $(call option,METRIC,metric) $(call option,TILES,tiles) \
	$(call option,LANES,lanes) $(call option,WEIGHTS,weights)
is_own = [ -n "$$MODEL$$NODE$$INPUTS$$METRIC$$TILES$$LANES$$WEIGHTS$$SHARE$$SPEED" ]

# Verilator as scripts/bin chooses it; its makefiles call a `python`, which Debian has only in virtual environments.
export PATH := $(CURDIR)/scripts/bin:$(CURDIR)/.venv/bin:$(PATH)
# In place of the shell, and killed when make is: what it started then ends as well (tb/bench/leash.py).
python := exec setpriv --pdeathsig KILL .venv/bin/python
setup := @scripts/setup.sh

## show this list
help:
	@echo 'usage: make TARGET [VARIABLE=value ...]'
	@awk -f scripts/help.awk $(firstword $(MAKEFILE_LIST))

## install what is needed; every other target does so itself
takes.setup := SIM PYTHON
setup:
	$(setup) "$$SIM" "$$PYTHON"

## play real data through the accelerator, check every output, print speedup and precision
takes.sim := SIM NET MODEL NODE INPUTS METRIC RANGE TILES LANES WEIGHTS POLICY STEPS SEED WAVES
sim:
	$(setup) "$$SIM"
	@$(python) -m tb.commands.sim --sim="$$SIM" $(call given,NET,--net) $(own) $(call option,RANGE,range) --policy="$$POLICY" \
		$(call option,STEPS,steps) --seed="$$SEED" --waves="$$WAVES"

## write the files generated from rtl/registers.rdl and models/: macros, constants, a C header, tables of the documentation
generate:
	$(setup) "$$SIM"
	@$(python) -m codegen

## open GTKWave on a few steps under SENSITIVITY (or POLICY=); without a screen, write pictures
takes.waves := SIM NET POLICY STEPS SEED PNG
waves:
	$(setup) "$$SIM"
	@$(python) -m tb.commands.waves --sim="$$SIM" --net="$$NET" --policy="$$POLICY" $${STEPS:+--steps="$$STEPS"} --seed="$$SEED" --png="$$PNG"

## run all tests except the slow ones, on both simulators where they must agree
takes.test := SIM SEED WAVES
test:
	$(setup) icarus
	@$(python) -m pytest -n 2 -m "not slow" --durations=25 --junitxml="build/test-$$SIM.xml" models/tests codegen tb syn

## run all tests, with the slow ones, a short soak and 40 mutants, on Verilator with a fresh seed (or SEED=), and write a page about them
takes.regress := SEED
regress:
	$(setup) icarus
	@$(python) -m tb.commands.regress $(call given,SEED,--seed)

## run what takes too long for `make test`: planted bugs, all tests, a soak of MINUTES; one summary at the end
takes.weekly := SEED MINUTES
weekly:
	$(setup) icarus
	@$(python) -m tb.commands.weekly --minutes="$$MINUTES" $(call given,SEED,--seed)

## test random builds, networks, stalls, resets and errors for MINUTES, beginning with SEED, or with a random seed
takes.soak := SIM SEED MINUTES WAVES
soak:
	$(setup) "$$SIM"
	@$(python) -m tb.commands.soak --minutes="$$MINUTES" $(call given,SEED,--seed)

## play random builds and long runs until VALUES values were compared with the models; continues where it stopped
takes.endurance := VALUES SEED JOBS
endurance:
	$(setup) verilator
	@$(python) -m tb.commands.endurance --values="$$VALUES" --seed="$$SEED" $(call option,JOBS,jobs)

## count which lines, branches, expressions and toggles of the RTL the tests reach, on Verilator; a page, an lcov file, and what was not reached
takes.coverage := SEED JOBS
coverage:
	$(setup) verilator
	@$(python) -m tb.commands.coverage --seed="$$SEED" $(call option,JOBS,jobs)

## play random cases until every bin of functional coverage (docs/verification.md) is hit, or MINUTES are up; continues where it stopped
takes.functional := SEED MINUTES JOBS
functional:
	$(setup) verilator
	@$(python) -m tb.commands.functional --seed="$$SEED" $(call given,MINUTES,--minutes) $(call option,JOBS,jobs)

## plant known bugs in copies of the RTL; each must be caught
test-bench:
	$(setup) icarus
	@$(python) -m tb.commands.planted_bugs

## make N small random changes of the RTL, drawn from SEED, and check that a test fails for each; continues where it stopped
takes.mutants := N SEED JOBS
mutants:
	$(setup) icarus
	@$(python) -m tb.commands.mutants --count="$$N" --seed="$$SEED" $(call option,JOBS,jobs)

## prove properties of modules of rtl/, and check that each fails with a planted bug; writes docs/formal.md
formal:
	$(setup) verilator
	@scripts/setup-packages.sh formal
	@$(python) -m tb.commands.formal

## run PARTS, then write docs/signoff.md: what was verified of these sources, what failed and what was not run
takes.signoff := PARTS SEED
signoff:
	$(setup) icarus
	@case ",$$PARTS," in *,all,*|*,formal,*) scripts/setup-packages.sh formal;; esac
	@$(python) -m tb.commands.signoff --parts="$$PARTS" --seed="$$SEED"

## measure the speed of the bench against a bare C++ harness, and of the integer model against nn.LSTM
bench:
	$(setup) verilator
	@$(python) -m tb.commands.speed

## find thresholds that keep the loss within BUDGET: of a network, or of all, from calibration data; of your own LSTM (MODEL=) from INPUTS=
takes.calibrate := NET MODEL NODE INPUTS METRIC TILES LANES WEIGHTS POLICY BUDGET SHARE SPEED
calibrate:
	$(setup) verilator
	@if $(is_own); then $(python) -m models.own $(call given,NET,--net) $(own) --policy="$$POLICY" $(call option,BUDGET,budget) \
		$(call option,SHARE,share) $(call option,SPEED,speed); fi; \
	$(python) -m models.calibration $(call given,NET,--net) --policy="$$POLICY" $(call option,BUDGET,budget)

## measure loss and speed of all policies, with intervals, on all networks (or NET=), or on your own LSTM (MODEL=) as calibrated; part of the work runs in RTL
takes.eval := NET MODEL NODE INPUTS METRIC TILES LANES WEIGHTS STEPS JOBS SCHEDULER
eval:
	$(setup) verilator
	@if $(is_own); then $(python) -m tb.commands.own_eval $(call given,NET,--net) $(own) $(call option,STEPS,steps) $(call option,JOBS,jobs) \
		$(call given,SCHEDULER,--scheduler); fi; \
	$(python) -m tb.commands.evaluate $(call given,NET,--net) $${STEPS:+--steps="$$STEPS"} $${JOBS:+--jobs="$$JOBS"} --scheduler="$$SCHEDULER"

## check the RTL with Verilator and Icarus, over a matrix of builds, and the Python with ruff; every warning is an error
lint:
	$(setup) icarus
	@scripts/lint.sh
	@$(python) -m ruff check

## measure area, clock and energy of the dynamic and the baseline build in the process in PDK
takes.silicon := PDK NET
silicon:
	$(setup) icarus
	@scripts/setup-silicon.sh
	@$(python) -m syn.silicon $(call given,NET,--net)

## measure resources of a small build on two families of FPGAs, and its clock on an ECP5, placed and routed; takes 22 minutes
fpga:
	$(setup) verilator
	@scripts/setup-packages.sh fpga
	@$(python) -m syn.fpga

## draw the timing diagrams from the RTL, and build the documentation as a site in build/site/; a link that leads nowhere is an error
docs:
	$(setup) icarus
	@scripts/setup-packages.sh docs
	@$(python) -m tb.commands.waves.timing
	@NO_MKDOCS_2_WARNING=1 $(python) -m mkdocs build
	@echo build/site/index.html

## remove what was built
clean:
	rm -rf build .hypothesis

## remove the virtual environment as well
distclean: clean
	rm -rf .venv
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(foreach target,$(filter $(targets),$(or $(MAKECMDGOALS),help)),$(call check,$(target)))
