// SPDX-License-Identifier: MIT
// Main program of cocotb simulations under Verilator that toggles clk_i itself: Python wakes for what it waits for, not for the clock.
//
// Time stands in the unit of the time precision. The clock rises at odd multiples of half its period, from the start of the simulation to its
// end. A time step: callbacks of timers, values settled and evaluated, read-write and read-only callbacks, as cocotb expects of a simulator.
//
// +trace=FILE writes an FST waveform, +trace_from=NANOSECONDS no earlier than that (builds with tracing); with +trace_every=NANOSECONDS only the first
// +trace_for=NANOSECONDS of every such span.
//
// Builds with coverage write coverage.dat at the end.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vpi.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

extern "C" void vlog_startup_routines_bootstrap(void);

namespace {

constexpr uint64_t HalfPeriod = CLOCK_HALF_PERIOD;
uint64_t now = 0;

void settle() {
  while (VerilatedVpi::callValueCbs()) {
  }
}

void evaluate(Vtop& top) {
  do {
    do {
      top.eval_step();
      VerilatedVpi::clearEvalNeeded();
      VerilatedVpi::doInertialPuts();
      settle();
    } while (VerilatedVpi::evalNeeded());
    VerilatedVpi::callCbs(cbReadWriteSynch);
    VerilatedVpi::doInertialPuts();
    settle();
  } while (VerilatedVpi::evalNeeded());
  top.eval_end_step();
  VerilatedVpi::callCbs(cbReadOnlySynch);
}

// Nothing but a change of a value, or a timer, can wake anybody.
bool all_wait_for_changes() {
  return !VerilatedVpi::hasCbs(cbNextSimTime) && !VerilatedVpi::hasCbs(cbReadWriteSynch) && !VerilatedVpi::hasCbs(cbReadOnlySynch);
}

// Time steps that hold the edges of the clock alone: most are of this kind, and need a fraction of the calls of a whole one.
// Returns true in a step in which somebody woke, which is to be evaluated still; false after a step, before the one of a timer.
template <typename EndStep>
bool run_clock(Vtop& top, uint64_t& edge, EndStep end_step) {
  while (all_wait_for_changes() && edge < VerilatedVpi::cbNextDeadline() && !Verilated::gotFinish()) {
    now = edge;
    edge += HalfPeriod;
    top.clk_i = !top.clk_i;
    if (VerilatedVpi::callValueCbs()) {
      settle();
      return true;
    }
    top.eval_step();
    if (VerilatedVpi::callValueCbs()) return true;
    top.eval_end_step();
    end_step();
  }
  return false;
}

#if VM_TRACE
// What follows `+name` on the command line; empty if it is not there.
std::string plusargument(const char* name) {
  const std::string argument = Verilated::commandArgsPlusMatch(name);
  return argument.empty() ? argument : argument.substr(argument.find('=') + 1);
}

// Of nanoseconds on the command line; 0 if they are not there.
uint64_t picoseconds(const char* name) {
  const std::string value = plusargument(name);
  return value.empty() ? 0 : 1000 * std::stoull(value);
}
#endif

}  // namespace

double sc_time_stamp() { return static_cast<double>(now); }

int main(int argc, char** argv) {
  Verilated::commandArgs(argc, argv);
  Verilated::fatalOnVpiError(false);  // cocotb asks for handles that may not exist
  auto top = std::make_unique<Vtop>("");
#if VM_TRACE
  VerilatedFstC trace;
  const std::string file = plusargument("trace=");
  const uint64_t trace_from = picoseconds("trace_from="), trace_every = picoseconds("trace_every="), trace_for = picoseconds("trace_for=");
  Verilated::traceEverOn(true);
  if (!file.empty()) {
    top->trace(&trace, 99);
    trace.open(file.c_str());
  }
#endif
  vlog_startup_routines_bootstrap();
  Verilated::addExitCb([](void*) { VerilatedVpi::callCbs(cbEndOfSimulation); }, nullptr);
  VerilatedVpi::callCbs(cbStartOfSimulation);
  settle();

  const auto end_step = [&] {
#if VM_TRACE
    if (trace.isOpen() && now >= trace_from && (!trace_every || (now - trace_from) % trace_every < trace_for)) trace.dump(now);
#endif
  };
  for (uint64_t edge = HalfPeriod; !Verilated::gotFinish();) {
    evaluate(*top);
    end_step();
    if (run_clock(*top, edge, end_step)) continue;
    now = std::min<uint64_t>(edge, VerilatedVpi::cbNextDeadline());
    VerilatedVpi::callCbs(cbNextSimTime);
    settle();
    if (now == edge) {
      top->clk_i = !top->clk_i;
      edge += HalfPeriod;
    }
    VerilatedVpi::callTimedCbs();
    settle();
  }

  top->final();
  VerilatedVpi::callCbs(cbEndOfSimulation);
#if VM_COVERAGE
  Verilated::threadContextp()->coveragep()->write("coverage.dat");
#endif
#if VM_TRACE
  trace.close();
#endif
  return Verilated::threadContextp()->errorCount() > 0;
}
