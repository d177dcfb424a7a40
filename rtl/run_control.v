// SPDX-License-Identifier: MIT
// A run from start to done, and the soft reset.
//
//   Idle --start--> Busy --(inputs finished, outputs drained)--> Idle, done
//   any --soft reset--> Resetting --(packets that had begun are out)--> Idle
//
// The configuration of a run is the one at its start. clear_o is high while resetting and clears everything in flight.
// load_closed_o is high from the very cycle of an accepted start: an image packet whose header comes in that cycle would otherwise be loaded
// during the run, as busy_o rises a cycle later. A start depends on loading_i, which is a register, so this closes no loop.
`include "formats.vh"
`default_nettype none
`include "registers.vh"

module run_control (
  input  wire                clk_i,
  input  wire                rst_ni,
  input  wire                start_request_i,
  input  wire                reset_request_i,
  input  wire                stateful_i,     // configuration registers
  input  wire                trace_enable_i,
  input  wire                override_i,
  input  wire [`POLICY]      override_policy_i,
  input  wire [`LAYERS]      layers_i,
  input  wire [31:0]         sequences_i,
  input  wire [`LAYER_FLAGS] layer_valid_i,  // layers that have a descriptor
  input  wire                loading_i,      // an image packet is under way
  input  wire                input_finished_i,
  input  wire                input_halted_i,
  input  wire                output_idle_i,  // no packet of h or trace to send
  output wire                start_o,
  output wire                clear_o,
  output wire                stateful_o,     // configuration of the run
  output wire                trace_enable_o,
  output wire                override_o,
  output wire [`POLICY]      override_policy_o,
  output wire [`LAYERS]      layers_o,
  output wire                busy_o,
  output wire                load_closed_o,  // no image packet may begin
  output wire                done_o,
  output wire                done_event_o,   // pulses
  output wire                start_error_o
);
  localparam [1:0] Idle = 2'd0, Busy = 2'd1, Resetting = 2'd2;
  localparam [31:0] LayersReset = `REG_LAYERS_RESET;

  reg [1:0] state_q, state_d;
  reg       start_q, done_q, stateful_q, trace_enable_q, override_q;
  reg [`POLICY] override_policy_q;
  reg [`LAYERS] layers_q;

  wire [`LAYER_FLAGS] used_layers = ~({`LAYER_FLAGS_WIDTH{1'b1}} << layers_i);
  localparam [7:0] Exists = `POLICY_EXISTS; // a bit a policy
  wire        valid       = layers_i >= 1 && layers_i <= `MAX_LAYERS && (used_layers & ~layer_valid_i) == 0 && sequences_i != 0 && (!override_i || Exists[override_policy_i]);
  wire        start       = start_request_i & ~reset_request_i & state_q == Idle & valid & ~loading_i;
  wire        finish      = state_q == Busy & ~start_q & input_finished_i & output_idle_i;

  assign start_o           = start_q;
  assign clear_o           = state_q == Resetting;
  assign stateful_o        = stateful_q;
  assign trace_enable_o    = trace_enable_q;
  assign override_o        = override_q;
  assign override_policy_o = override_policy_q;
  assign layers_o          = layers_q;
  assign busy_o            = state_q == Busy;
  assign load_closed_o     = busy_o | start;
  assign done_o            = done_q;
  assign done_event_o      = finish & ~reset_request_i;
  assign start_error_o     = start_request_i & ~reset_request_i & ~start & (state_q != Busy | input_halted_i);

  always @* begin
    state_d = state_q;
    if (reset_request_i) state_d = Resetting;
    else if (start) state_d = Busy;
    else if (finish || (state_q == Resetting && output_idle_i)) state_d = Idle;
  end

  always @(posedge clk_i)
    if (!rst_ni) begin
      state_q <= Idle;
      start_q <= 1'b0;
      done_q  <= 1'b0;
    end else begin
      state_q <= state_d;
      start_q <= start;
      done_q  <= (done_q | finish) & ~start & ~reset_request_i;
    end

  always @(posedge clk_i)
    if (!rst_ni)
      layers_q <= LayersReset[`LAYERS];
    else if (start) begin
      stateful_q        <= stateful_i;
      trace_enable_q    <= trace_enable_i;
      override_q        <= override_i;
      override_policy_q <= override_policy_i;
      layers_q          <= layers_i;
    end
endmodule

`default_nettype wire
