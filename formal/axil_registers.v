// SPDX-License-Identifier: MIT
// axil_registers: a bit of ERRORS and of INTERRUPT is set if and only if its event came after the last clear: an event beats a clear of the same cycle. A bit of
// a setting is what was written last, by a write whose strobe covers it. Pulses act in the cycle of their write. A read is answered in its third
// cycle, or waits for the counters; what cannot be written or read gives an error.
//
// Assumed: a read stands until it is answered (proven of axil_endpoint). The solver chooses the bit that is watched, so each of the 32 is proven.
`include "formats.vh"
`default_nettype none
`include "registers.vh"

module axil_registers_properties (
  input wire                         clk_i,
  input wire                         rst_ni,
  input wire                         write_valid_i,
  input wire [11:0]                  write_address_i,
  input wire [31:0]                  write_data_i,
  input wire [3:0]                   write_strobe_i,
  input wire                         read_valid_i,
  input wire [11:0]                  read_address_i,
  input wire [63:0]                  state_data_i,
  input wire [63:0]                  counter_data_i,
  input wire [63:0]                  rows_data_i,
  input wire                         busy_i,
  input wire                         done_i,
  input wire                         resetting_i,
  input wire                         bank_i,
  input wire                         counters_busy_i,
  input wire                         done_event_i,
  input wire [`REG_ERRORS_WIDTH-1:0] error_event_i
);
  (* anyconst *) reg [4:0] watched;

  wire           write_ready, write_error, read_ready, read_error, start, soft_reset, snapshot, clear, stateful, trace_enable, override, irq;
  wire [31:0]    read_data, sequences;
  wire [`POLICY] override_policy;
  wire [`LAYERS] layers;
  axil_registers #(.Tiles(2), .UnitDepth(512)) dut (
    .clk_i(clk_i), .rst_ni(rst_ni), .write_valid_i(write_valid_i), .write_ready_o(write_ready), .write_address_i(write_address_i),
    .write_data_i(write_data_i), .write_strobe_i(write_strobe_i), .write_error_o(write_error), .read_valid_i(read_valid_i), .read_ready_o(read_ready),
    .read_address_i(read_address_i), .read_data_o(read_data), .read_error_o(read_error), .start_o(start), .soft_reset_o(soft_reset),
    .snapshot_o(snapshot), .clear_o(clear), .stateful_o(stateful), .trace_enable_o(trace_enable), .override_o(override),
    .override_policy_o(override_policy), .layers_o(layers), .sequences_o(sequences), .state_data_i(state_data_i), .counter_data_i(counter_data_i),
    .rows_data_i(rows_data_i), .busy_i(busy_i), .done_i(done_i), .resetting_i(resetting_i), .bank_i(bank_i), .counters_busy_i(counters_busy_i),
    .done_event_i(done_event_i), .error_event_i(error_event_i), .irq_o(irq)
  );

  // Registers of the module itself, for what makes the induction.
  (* hierconn *) wire [31:0] \dut.errors_q , \dut.interrupt_q , \dut.config_q , \dut.layers_q , \dut.sequences_q , \dut.select_q ;

  wire write   = write_valid_i & write_ready, answer = read_valid_i & read_ready;
  wire strobe  = write_strobe_i[watched[4:3]];
  wire one     = write_data_i[watched] & strobe;
  wire control = write && write_address_i == `REG_CONTROL;
  wire in_config = watched <= 2 || watched >= 4 && watched <= 6 || watched == 8, in_select = watched <= 16 || watched >= 24;   // bits of fields
  wire counter = read_address_i >= `REG_COUNTERS && read_address_i < `REG_COUNTERS_END
                 || read_address_i >= `REG_ROWS && read_address_i < `REG_ROWS_END && read_address_i[`REG_ROWS_NUMBER] < `REG_ROWS_COUNT;

  // Events of this cycle, as the bits of ERRORS. A refused read of STATE_DATA is one of them.
  wire access = answer && read_address_i == `REG_STATE_DATA && read_error;
  wire [31:0] events     = {24'd0, access, error_event_i[6:0]};
  wire [31:0] interrupts = {30'd0, events != 0, done_event_i};

  // The watched bit of each register.
  reg begun_q = 1'b0;
  reg error_q, interrupt_q, config_q, layers_q, sequences_q, select_q;
  reg asked_q, answered_q;                           // a read that goes on since the cycle before, and since two cycles before
  reg idle_q, idle_2q;                               // the accelerator was idle then
  reg enable_q, done_q, any_error_q;                 // whole bits of CONFIG and INTERRUPT, for the interrupt
  function after(input value, input [11:0] address);
    after = write && write_address_i == address && strobe ? write_data_i[watched] : value;
  endfunction
  always @(posedge clk_i) begin
    begun_q <= 1'b1;
    {idle_2q, idle_q} <= {idle_q, ~busy_i & ~resetting_i};
    asked_q    <= rst_ni & read_valid_i & ~asked_q & ~answered_q & ~(counter & counters_busy_i);
    answered_q <= rst_ni & asked_q;
    if (!rst_ni) begin
      {error_q, interrupt_q, config_q, select_q, enable_q, done_q, any_error_q} <= 0;
      layers_q    <= watched == 0;                   // one layer, one sequence
      sequences_q <= watched == 0;
    end else begin
      error_q     <= events[watched] | error_q & ~soft_reset & ~(write && write_address_i == `REG_ERRORS && one);
      interrupt_q <= interrupts[watched] | interrupt_q & ~(write && write_address_i == `REG_INTERRUPT && one);
      config_q    <= after(config_q, `REG_CONFIG) & in_config;
      layers_q    <= after(layers_q, `REG_LAYERS);
      sequences_q <= after(sequences_q, `REG_SEQUENCES);
      select_q    <= after(select_q, `REG_STATE_SELECT) & in_select;
      if (write && write_address_i == `REG_CONFIG && write_strobe_i[1]) enable_q <= write_data_i[`REG_CONFIG_IRQ_ENABLE];
      done_q      <= interrupts[0] | done_q & ~(write && write_address_i == `REG_INTERRUPT && write_data_i[0] && write_strobe_i[0]);
      any_error_q <= interrupts[1] | any_error_q & ~(write && write_address_i == `REG_INTERRUPT && write_data_i[1] && write_strobe_i[0]);
    end
  end

  // A read that is asked for is asked for until it is answered.
  reg        waits_q;
  reg [11:0] address_q;
  always @(posedge clk_i) {waits_q, address_q} <= {rst_ni & read_valid_i & ~read_ready, read_address_i};

  always @* begin
    if (!begun_q) assume (!rst_ni);
    if (begun_q && waits_q) assume (read_valid_i && read_address_i == address_q);
    assert (write_ready == !counters_busy_i);
    assert ({clear, snapshot, soft_reset, start} == (control && write_strobe_i[0] ? write_data_i[3:0] : 4'd0));
    assert (write_error == !(write_address_i == `REG_CONTROL || write_address_i == `REG_CONFIG || write_address_i == `REG_LAYERS || write_address_i == `REG_SEQUENCES
                             || write_address_i == `REG_ERRORS || write_address_i == `REG_INTERRUPT || write_address_i == `REG_STATE_SELECT));
    if (begun_q) begin
      assert (read_ready == answered_q);
      if (answer) begin
        if (read_address_i == `REG_ERRORS) assert (read_data[watched] == error_q);
        if (read_address_i == `REG_INTERRUPT) assert (read_data[watched] == interrupt_q);
        if (read_address_i == `REG_CONFIG) assert (read_data[watched] == config_q);
        if (read_address_i == `REG_LAYERS) assert (read_data[watched] == layers_q);
        if (read_address_i == `REG_SEQUENCES) assert (read_data[watched] == sequences_q);
        if (read_address_i == `REG_STATE_SELECT) assert (read_data[watched] == select_q);
        if (read_address_i == `REG_CONTROL) assert (read_data == 0);
        if (read_address_i == `REG_STATUS) assert (read_data == {27'd0, counters_busy_i, bank_i, resetting_i, done_i, busy_i});
        if (read_address_i == `REG_STATE_DATA) assert (read_error || idle_2q && idle_q && !busy_i && !resetting_i);
        else assert (read_error == (read_address_i[1:0] != 0 || !(counter || read_address_i <= `REG_ACTIVATION_DEPTH
                                     || read_address_i >= `REG_CONTROL && read_address_i <= `REG_INTERRUPT || read_address_i == `REG_STATE_SELECT)));
      end
      assert (sequences[watched] == sequences_q);
      assert (irq == (enable_q && (done_q || any_error_q)));
      // These make the induction.
      assert ((waits_q || !asked_q && !answered_q) && !(asked_q && answered_q));
      if (watched >= `REG_ERRORS_WIDTH) assert (!error_q);
      assert ((in_config || !config_q) && (in_select || !select_q));
      if (watched >= `REG_INTERRUPT_WIDTH) assert (!interrupt_q);
      assert (\dut.errors_q [watched] == error_q && \dut.interrupt_q [watched] == interrupt_q && \dut.config_q [watched] == config_q);
      assert (\dut.layers_q [watched] == layers_q && \dut.select_q [watched] == select_q);
      assert (\dut.config_q [`REG_CONFIG_IRQ_ENABLE] == enable_q && \dut.interrupt_q == {30'd0, any_error_q, done_q});
    end
  end
endmodule

`default_nettype wire
