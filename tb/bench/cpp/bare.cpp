// SPDX-License-Identifier: MIT
// Bare Verilator harness of lstm_accelerator: no Python, no VPI. It is the baseline for the speed of the cocotb bench, and prints
// what a run gave as one line of JSON, so that both can be compared.
//
// bare IMAGE X STEPS LAYERS POLICY: plays the beats of IMAGE and the x packets of X (a line a beat: tuser, tlast, tdata in hex), with
// POLICY (0..3) for all layers, and waits for the end of the run.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "Vlstm_accelerator.h"
#include "verilated.h"

namespace {

struct Beat {
  uint32_t data[4];
  bool last, user;
};

// A line is 33 hex digits: flags (1 tlast, 2 tuser), then 128 bits.
std::vector<Beat> read_beats(const char* path) {
  std::ifstream file(path);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path);
    std::exit(2);
  }
  std::vector<Beat> beats;
  for (std::string line; std::getline(file, line);) {
    Beat beat{};
    const int flags = std::stoi(line.substr(0, 1), nullptr, 16);
    for (int word = 0; word < 4; ++word)
      beat.data[word] = static_cast<uint32_t>(std::stoul(line.substr(25 - 8 * word, 8), nullptr, 16));
    beat.last = flags & 1;
    beat.user = flags & 2;
    beats.push_back(beat);
  }
  return beats;
}

class Bench {
 public:
  Bench() : dut_(new Vlstm_accelerator(&context_)) {
    dut_->m_h_tready_i = 1;
    dut_->m_trace_tready_i = 1;
    dut_->s_axil_bready_i = 1;
    dut_->s_axil_rready_i = 1;
    dut_->s_axil_wstrb_i = 15;
    for (int cycle = 0; cycle < 4; ++cycle) edge();
    dut_->rst_ni = 1;
    edge();
  }

  void play_image(const std::vector<Beat>& beats) {
    for (const Beat& beat : beats) {
      for (int word = 0; word < 4; ++word) dut_->s_image_tdata_i[word] = beat.data[word];
      dut_->s_image_tlast_i = beat.last;
      dut_->s_image_tvalid_i = 1;
      while (!edge_with(&dut_->s_image_tready_o)) {
      }
    }
    dut_->s_image_tvalid_i = 0;
  }

  void write(unsigned address, unsigned value) {
    dut_->s_axil_awaddr_i = address;
    dut_->s_axil_wdata_i = value;
    dut_->s_axil_awvalid_i = 1;
    dut_->s_axil_wvalid_i = 1;
    while (dut_->s_axil_awvalid_i || dut_->s_axil_wvalid_i) {
      dut_->eval();
      const bool aw = dut_->s_axil_awready_o, w = dut_->s_axil_wready_o;
      edge();
      if (aw) dut_->s_axil_awvalid_i = 0;
      if (w) dut_->s_axil_wvalid_i = 0;
    }
    for (int cycle = 0; cycle < 4; ++cycle) edge();
  }

  // Plays x and takes h until the run is done. Returns the clock cycles that it took.
  uint64_t run(const std::vector<Beat>& x, uint64_t steps) {
    uint64_t cycles = 0, packets = 0;
    size_t next = 0;
    hash_ = 14695981039346656037u;
    while (packets < steps) {
      const bool offer = next < x.size();
      if (offer) {
        for (int word = 0; word < 4; ++word) dut_->s_x_tdata_i[word] = x[next].data[word];
        dut_->s_x_tlast_i = x[next].last;
        dut_->s_x_tuser_i = x[next].user;
      }
      dut_->s_x_tvalid_i = offer;
      dut_->eval();
      const bool taken = offer && dut_->s_x_tready_o;
      if (dut_->m_h_tvalid_o) {
        for (int word = 0; word < 4; ++word) hash_ = (hash_ ^ dut_->m_h_tdata_o[word]) * 1099511628211u;
        packets += dut_->m_h_tlast_o;
      }
      edge();
      next += taken;
      if (++cycles > 1000000 + steps * 1000000) {
        std::fprintf(stderr, "no end after %llu cycles: %llu of %llu packets\n", (unsigned long long)cycles, (unsigned long long)packets, (unsigned long long)steps);
        std::exit(1);
      }
    }
    return cycles;
  }

  uint64_t hash() const { return hash_; }

 private:
  void edge() {
    dut_->clk_i = 0;
    dut_->eval();
    dut_->clk_i = 1;
    dut_->eval();
  }

  // One clock edge; returns whether ready was high before it.
  bool edge_with(const CData* ready) {
    dut_->eval();
    const bool taken = *ready;
    edge();
    return taken;
  }

  VerilatedContext context_;
  std::unique_ptr<Vlstm_accelerator> dut_;
  uint64_t hash_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s IMAGE X STEPS LAYERS POLICY\n", argv[0]);
    return 2;
  }
  const std::vector<Beat> image = read_beats(argv[1]), x = read_beats(argv[2]);
  const uint64_t steps = std::strtoull(argv[3], nullptr, 10);
  Bench bench;
  bench.play_image(image);
  bench.write(0x02C, std::atoi(argv[4]));
  bench.write(0x028, 4u | std::atoi(argv[5]) << 4);
  const auto begin = std::chrono::steady_clock::now();
  bench.write(0x020, 1);
  const uint64_t cycles = bench.run(x, steps);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("{\"cycles\": %llu, \"seconds\": %.6f, \"h_hash\": \"%016llx\"}\n", (unsigned long long)cycles, seconds, (unsigned long long)bench.hash());
}
