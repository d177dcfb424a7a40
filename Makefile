# Commands of the project; `make help` lists them. The work itself is in pytest, tb/, scripts/ and syn/.

## simulator: verilator or icarus
SIM ?= verilator
## network; `make calibrate` and `make eval` take all without it
NET ?= silero
## file with your own LSTM, played in place of NET: ONNX, torch.save or safetensors (docs/own-network.md)
MODEL ?=
## which LSTM of MODEL, where there are several: its name
NODE ?=
## inputs of MODEL, a .npy file [steps, inputs] or [sequences, steps, inputs]; part of it is held out for the test
INPUTS ?=
## low,high: random inputs of MODEL where there is no INPUTS (empty: -1,1)
RANGE ?=
## precision policy, or several with commas between them
POLICY ?= all
## time steps to play (empty: the network's own number)
STEPS ?=
## seed of the random stimulus
SEED ?= 1
## largest loss that `make calibrate` accepts, in percent; of rates, in points
BUDGET ?= 0.5
## processes that `make eval` runs at once
JOBS ?= 2
## Dask scheduler whose workers take the work of `make eval`, as tcp://host:8786, in place of processes here
SCHEDULER ?=
## minutes that `make soak` lasts
MINUTES ?= 5
## 1: write waveforms for GTKWave under build/ (slower)
WAVES ?= 0
## 1: `make waves` draws the pictures of docs/images/
PNG ?= 0
## Python (3.10 or newer) that the virtual environment is made from
PYTHON ?= python3

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup generate sim waves test regress soak test-bench bench calibrate eval lint silicon clean distclean

# Through the environment, values reach the shell whole, whatever characters they hold.
export SIM NET MODEL NODE INPUTS RANGE POLICY STEPS SEED BUDGET JOBS SCHEDULER MINUTES WAVES PNG PYTHON
# Verilator as scripts/bin chooses it; its makefiles call a `python`, which Debian has only in virtual environments.
export PATH := $(CURDIR)/scripts/bin:$(CURDIR)/.venv/bin:$(PATH)
python := .venv/bin/python
setup := @scripts/setup.sh

## show this list
help:
	@echo 'usage: make TARGET [VARIABLE=value ...]'
	@awk -f scripts/help.awk $(firstword $(MAKEFILE_LIST))

## install all that is needed; the other targets do it themselves
setup:
	$(setup) "$$SIM"

## write the files that are made of models/formats.py: rtl/formats.vh, tables of docs/, names of codes in waves
generate:
	$(setup) "$$SIM"
	@$(python) -m codegen

## play recorded speech through the accelerator, check every output, print speedup and precision
sim:
	$(setup) "$$SIM"
	@$(python) -m tb.commands.sim --sim="$$SIM" --net="$$NET" $${MODEL:+--model="$$MODEL"} $${NODE:+--node="$$NODE"} $${INPUTS:+--inputs="$$INPUTS"} \
		$${RANGE:+--range="$$RANGE"} --policy="$$POLICY" $${STEPS:+--steps="$$STEPS"} --seed="$$SEED" --waves="$$WAVES"

## open GTKWave on a few steps under SENSITIVITY or POLICY=; without a screen, write pictures
waves:
	$(setup) "$$SIM"
	@$(python) -m tb.commands.waves --sim="$$SIM" --net="$$NET" --policy="$$POLICY" $${STEPS:+--steps="$$STEPS"} --seed="$$SEED" --png="$$PNG"

## all tests of models/ and tb/ but the slow ones, on both simulators where they must agree
test:
	$(setup) icarus
	@$(python) -m pytest -n 2 -m "not slow" --junitxml=build/test-$$SIM.xml models/tests tb syn

## all tests, slow ones and a short soak included, on Verilator with a fresh seed (or SEED=); writes a page about them
regress:
	$(setup) icarus
	@$(python) -m tb.commands.regress $(if $(filter file,$(origin SEED)),,--seed="$$SEED")

## random builds, networks, stalls, resets and errors for MINUTES, from SEED on or a random seed
soak:
	$(setup) "$$SIM"
	@$(python) -m tb.commands.soak --minutes="$$MINUTES" $(if $(filter file,$(origin SEED)),,--seed="$$SEED")

## plant known bugs in copies of the RTL: each must be caught
test-bench:
	$(setup) "$$SIM"
	@$(python) -m tb.commands.planted_bugs

## speed of the bench against a bare C++ harness, and of the integer model against nn.LSTM
bench:
	$(setup) "$$SIM"
	@$(python) -m tb.commands.speed

## thresholds of a network, or of all, from its calibration data, to an accuracy budget (BUDGET=)
calibrate:
	$(setup) "$$SIM"
	@$(python) -m models.calibration $(if $(filter file,$(origin NET)),,--net="$$NET") --budget="$$BUDGET"

## what dynamic precision is worth: all policies on all networks (or NET=), with intervals; RTL on part of it
eval:
	$(setup) verilator
	@$(python) -m tb.commands.evaluate $(if $(filter file,$(origin NET)),,--net="$$NET") $${STEPS:+--steps="$$STEPS"} --jobs="$$JOBS" --scheduler="$$SCHEDULER"

## check the RTL with Verilator and Icarus, both builds, every warning an error
lint:
	$(setup) icarus
	@scripts/lint.sh

## what the dynamic precision costs and saves in silicon: area, clock and energy of both builds, resources and clock on FPGAs
silicon:
	$(setup) icarus
	@scripts/setup-silicon.sh
	@$(python) -m syn.silicon

## remove what was built
clean:
	rm -rf build .hypothesis

## remove the virtual environment as well
distclean: clean
	rm -rf .venv
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
