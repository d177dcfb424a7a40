// SPDX-License-Identifier: MIT
// The bus of the driver over a Verilated model: each access becomes cycles of its ports. In a system, a bus master and a DMA engine take this place.
//
// A cycle: inputs are set, eval() settles the outputs, handshakes are read from them, then the clock rises.

#include "verilated_bus.h"

#include <cstring>
#include <memory>

#include "Vlstm_accelerator.h"
#include "verilated.h"

namespace {

constexpr unsigned Patience = 1000000;  // cycles that a handshake may take

VerilatedContext context;
std::unique_ptr<Vlstm_accelerator> dut;

void rise() {
  dut->clk_i = 1;
  dut->eval();
  dut->clk_i = 0;
  dut->eval();
}

// Cycles until the flag is high and the clock has risen with it; false if it never is.
bool wait_for(const CData& flag) {
  for (unsigned cycle = 0; cycle < Patience; ++cycle) {
    dut->eval();
    const bool taken = flag;
    rise();
    if (taken) return true;
  }
  return false;
}

int write(void*, uint32_t address, uint32_t value) {
  dut->s_axil_awaddr_i = address;
  dut->s_axil_wdata_i = value;
  dut->s_axil_wstrb_i = 0xF;
  dut->s_axil_awvalid_i = dut->s_axil_wvalid_i = 1;
  for (unsigned cycle = 0; dut->s_axil_awvalid_i || dut->s_axil_wvalid_i; ++cycle) {
    dut->eval();
    const bool address_taken = dut->s_axil_awready_o, data_taken = dut->s_axil_wready_o;
    rise();
    if (address_taken) dut->s_axil_awvalid_i = 0;
    if (data_taken) dut->s_axil_wvalid_i = 0;
    if (cycle > Patience) return 1;
  }
  dut->s_axil_bready_i = 1;
  dut->eval();
  const CData& valid = dut->s_axil_bvalid_o;
  for (unsigned cycle = 0; !valid; ++cycle) {
    if (cycle > Patience) return 1;
    rise();
  }
  const int answer = dut->s_axil_bresp_o;
  rise();
  dut->s_axil_bready_i = 0;
  return answer;
}

int read(void*, uint32_t address, uint32_t* value) {
  dut->s_axil_araddr_i = address;
  dut->s_axil_arvalid_i = 1;
  if (!wait_for(dut->s_axil_arready_o)) return 1;
  dut->s_axil_arvalid_i = 0;
  dut->s_axil_rready_i = 1;
  dut->eval();
  for (unsigned cycle = 0; !dut->s_axil_rvalid_o; ++cycle) {
    if (cycle > Patience) return 1;
    rise();
  }
  *value = dut->s_axil_rdata_o;
  const int answer = dut->s_axil_rresp_o;
  rise();
  dut->s_axil_rready_i = 0;
  return answer;
}

int send(void*, lstm_stream stream, const uint8_t* beats, size_t count, int user) {
  const bool image = stream == LSTM_STREAM_IMAGE;
  VlWide<4>& data = image ? dut->s_image_tdata_i : dut->s_x_tdata_i;
  CData& valid = image ? dut->s_image_tvalid_i : dut->s_x_tvalid_i;
  CData& last = image ? dut->s_image_tlast_i : dut->s_x_tlast_i;
  const CData& ready = image ? dut->s_image_tready_o : dut->s_x_tready_o;
  valid = 1;
  for (size_t beat = 0; beat < count; ++beat) {
    std::memcpy(data.data(), beats + LSTM_BEAT_BYTES * beat, LSTM_BEAT_BYTES);  // of a little-endian machine
    last = beat + 1 == count;
    if (!image) dut->s_x_tuser_i = last && user;
    if (!wait_for(ready)) return 1;
  }
  valid = 0;
  return 0;
}

int receive(void*, uint8_t* beats, size_t count) {
  dut->m_h_tready_i = 1;
  for (size_t beat = 0; beat < count; ++beat) {
    dut->eval();
    for (unsigned cycle = 0; !dut->m_h_tvalid_o; ++cycle) {
      if (cycle > Patience) return 1;
      rise();
    }
    std::memcpy(beats + LSTM_BEAT_BYTES * beat, dut->m_h_tdata_o.data(), LSTM_BEAT_BYTES);
    if (dut->m_h_tlast_o != (beat + 1 == count)) return 1;
    rise();
  }
  dut->m_h_tready_i = 0;
  return 0;
}

}  // namespace

void verilated_bus(lstm_bus* bus) {
  dut = std::make_unique<Vlstm_accelerator>(&context);
  dut->m_trace_tready_i = 1;
  for (int cycle = 0; cycle < 4; ++cycle) rise();
  dut->rst_ni = 1;
  *bus = {nullptr, write, read, send, receive};
}
