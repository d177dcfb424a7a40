// SPDX-License-Identifier: MIT
// Finishes a unit: its four row sums become gates, cell state, h and the levels of its rows. A pass is provisional or final.
//
// A unit with a provisional pass and a row above the lowest level goes to the refinement queue; every other one is committed: c to the cell memory
// at once, h to the commit bus. Phases of a pass (a new one every 8 cycles at most):
//   0 request taken, addresses  1..4 row sums and constants of i, f, g, o  4..7 pre-activations  6..9 gates  11 c'  13 tanh(c')  14 levels  16 h
`include "formats.vh"
`default_nettype none

module post_processing #(
  parameter DynamicPrecision = 1,
  parameter IndexWidth       = 3,
  parameter UnitWidth        = 9,
  parameter WeightWidth      = 13,
  parameter Tiles            = 4,
  parameter TileId           = 0
) (
  input  wire                            clk_i,
  input  wire                            rst_ni,
  input  wire                            clear_i,
  input  wire                            request_valid_i,
  output wire                            request_ready_o,
  input  wire                            request_final_i,
  input  wire        [`LEVELS]           request_levels_i,
  input  wire        [IndexWidth-1:0]    request_index_i,
  /* verilator lint_off UNUSEDSIGNAL */     // entries and descriptors serve other readers too
  input  wire        [`ENTRY]            request_entry_i,
  input  wire        [`DESCRIPTOR]       gates_descriptor_i,
  input  wire        [`DESCRIPTOR]       late_descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output wire        [`LAYER]            gates_layer_o,
  output wire        [`LAYER]            late_layer_o,
  input  wire        [`POLICY]           late_policy_i,
  input  wire        [`STEP_FLAGS]       step_first_i,
  // row sums and constants
  output wire        [IndexWidth-1:0]    sum_index_o,
  output wire        [`GATE]             sum_gate_o,
  input  wire signed [`ROW_SUM]          sum_i,
  output wire                            constant_read_o,
  output wire        [`ROW]              constant_address_o,
  /* verilator lint_off UNUSEDSIGNAL */     // the baseline build has one bias and no thresholds
  input  wire        [`ROW_CONSTANT]     constant_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // cell memory
  output wire                            cell_read_o,
  output wire        [UnitWidth-1:0]     cell_read_address_o,
  /* verilator lint_off UNUSEDSIGNAL */     // the baseline build has no history
  input  wire        [`CELL_KEPT(1)-1:0] cell_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output wire                            cell_write_o,
  output wire        [UnitWidth-1:0]     cell_write_address_o,
  output wire        [`CELL_KEPT(1)-1:0] cell_o,
  // results
  input  wire                            commit_room_i,  // the commit queue has room for this pass
  output wire                            commit_valid_o,
  output wire                            refine_valid_o,
  output wire        [IndexWidth-1:0]    result_index_o,
  output wire        [`LEVELS]           result_levels_o,
  output wire        [`H]                result_h_o,
  output wire        [`LAYER]            result_layer_o,
  output wire                            result_bank_o,
  output wire        [`POSITION]         result_position_o
);
  localparam Last = 16; // phase

  reg [Last:1] phase_q;

  wire take = request_valid_i && request_ready_o;
  wire i_valid = phase_q[6], f_valid = phase_q[7], g_valid = phase_q[8], o_valid = phase_q[9], c_valid = phase_q[11], decided = phase_q[14];

  assign request_ready_o = commit_room_i && phase_q[7:1] == 7'd0;

  // Context of the pass in phases 1..8, and in 9..16 (the next pass may have begun).
  reg                  final_q, final_late_q, first_q, first_late_q, bank_q, bank_late_q;
  reg [`LEVELS]        levels_q, levels_late_q;
  reg [IndexWidth-1:0] index_q, index_late_q;
  reg [`LAYER]         layer_q, layer_late_q;
  reg [UnitWidth-1:0]  unit_q, unit_late_q;

  wire [`LAYER]        request_layer = request_entry_i[`ENTRY_LAYER];
  wire [`STEP]         request_step  = request_entry_i[`ENTRY_STEP];
  wire [UnitWidth-1:0] request_unit  = request_entry_i[`ENTRY_UNIT];

  always @(posedge clk_i) begin
    if (!rst_ni || clear_i) phase_q <= 0;
    else phase_q <= {phase_q[Last-1:1], take};
    if (take) begin
      final_q  <= request_final_i;
      levels_q <= request_levels_i;
      index_q  <= request_index_i;
      layer_q  <= request_layer;
      unit_q   <= request_unit;
      first_q  <= step_first_i[request_step];
      bank_q   <= request_step[0];
    end
    if (phase_q[8]) begin
      final_late_q  <= final_q;
      levels_late_q <= levels_q;
      index_late_q  <= index_q;
      layer_late_q  <= layer_q;
      unit_late_q   <= unit_q;
      first_late_q  <= first_q;
      bank_late_q   <= bank_q;
    end
  end

  assign gates_layer_o = layer_q;
  assign late_layer_o  = layer_late_q;

  // Rows to pre-activations.
  wire [`GATE] row_gate  = {phase_q[3] || phase_q[4], phase_q[2] || phase_q[4]};
  wire [`GATE] next_gate = {phase_q[2] || phase_q[3], phase_q[1] || phase_q[3]};
  wire         lowest    = DynamicPrecision != 0 && levels_q[`LEVEL_WIDTH*row_gate +: `LEVEL_WIDTH] == `LEVEL_LOWEST;

  assign sum_index_o         = index_q;
  assign sum_gate_o          = row_gate;
  assign constant_read_o     = take || (|phase_q[3:1]);
  assign constant_address_o  = `ROW_OF(next_gate, (take ? request_unit : unit_q));
  // Its word stays until the next unit's read in phase 13 of this one.
  assign cell_read_o         = phase_q[5];
  assign cell_read_address_o = unit_q;

  wire signed [15:0] z;
  requantizer u_requantizer (
    .clk_i  (clk_i),
    .valid_i(|phase_q[4:1]),
    .sum_i  (sum_i),
    .shift_i(constant_i[`ROW_CONSTANT_S]),
    .bias_i (lowest ? constant_i[`ROW_CONSTANT_B_LOW] : constant_i[`ROW_CONSTANT_B]),
    .z_o    (z)
  );

  // Gates, and tanh(c') through the same unit, in a phase in which no gate of the next unit needs it.
  wire signed [15:0] value, c_new, tanh_argument;
  /* verilator lint_off UNUSEDSIGNAL */     // the baseline build has no use for slopes
  wire        [10:0] slope;
  /* verilator lint_on UNUSEDSIGNAL */
  activation u_activation (
    .clk_i  (clk_i),
    .z_i    (z | tanh_argument),
    .tanh_i (c_valid || phase_q[6]),
    .value_o(value),
    .slope_o(slope)
  );

  wire                  first = |phase_q[13:9] ? first_late_q : first_q;
  wire signed [`CELL_C] c     = first ? 16'sd0 : cell_i[`CELL_C];

  cell_update u_cell_update (
    .clk_i          (clk_i),
    .i_valid_i      (i_valid),
    .f_valid_i      (f_valid),
    .g_valid_i      (g_valid),
    .o_valid_i      (o_valid),
    .value_i        (value),
    .c_i            (c),
    .c_frac_i       (gates_descriptor_i[`DESCRIPTOR_C_FRAC]),
    .c_new_o        (c_new),
    .tanh_argument_o(tanh_argument),
    .h_o            (result_h_o)
  );

  // The decision.
  wire [`LEVELS] levels;
  wire [`CELL_HISTORY_WIDTH-1:0] history;
  generate
    if (DynamicPrecision != 0) begin : gen_precision
      reg signed [`CELL_C]           c_q;
      reg  [`CELL_HISTORY_WIDTH-1:0] history_q; // before the step
      always @(posedge clk_i) begin
        c_q       <= c;
        history_q <= first ? {`CELL_HISTORY_WIDTH{1'b0}} : cell_i[`CELL_HISTORY];
      end
      precision_unit u_precision_unit (
        .clk_i         (clk_i),
        .i_valid_i     (i_valid),
        .f_valid_i     (f_valid),
        .g_valid_i     (g_valid),
        .o_valid_i     (o_valid),
        .c_valid_i     (c_valid),
        .offset_i      (constant_i[`ROW_CONSTANT_OFFSET]),
        .value_i       (value),
        .slope_i       (slope),
        .c_i           (c_q),
        .c_new_i       (c_new),
        .history_i     (history_q),
        .policy_i      (late_policy_i),
        .theta_middle_i(late_descriptor_i[`DESCRIPTOR_THETA_MIDDLES]),
        .theta_all_i   (late_descriptor_i[`DESCRIPTOR_THETA_ALLS]),
        .cell_floor_i  (late_descriptor_i[`DESCRIPTOR_CELL_FLOOR]),
        .levels_o      (levels),
        .history_o     (history)
      );
    end else begin : gen_baseline
      /* verilator lint_off UNUSEDSIGNAL */   // the baseline build decides nothing
      wire unused = &{late_policy_i, c_valid, decided};
      /* verilator lint_on UNUSEDSIGNAL */
      assign levels  = 0;
      assign history = 0;
    end
  endgenerate

  reg [`LEVELS] chosen_q;
  always @(posedge clk_i) if (decided) chosen_q <= final_late_q ? levels_late_q : levels;

  // Units are dealt to the tiles in turn.
  localparam [31:0] TilesBits = Tiles, TileIdBits = TileId;
  /* verilator lint_off UNUSEDSIGNAL */     // a layer has 1024 slots at most: the low bits of the difference
  wire [UnitWidth+`POSITION_WIDTH-1:0] unit_late = {{`POSITION_WIDTH{1'b0}}, unit_late_q};
  /* verilator lint_on UNUSEDSIGNAL */
  wire [`POSITION] slot = unit_late[`POSITION] - late_descriptor_i[`DESCRIPTOR_UNIT_BASE_LOW +: `POSITION_WIDTH];

  wire commit = DynamicPrecision == 0 || final_late_q || chosen_q == {4{`LEVEL_LOWEST}};

  assign commit_valid_o       = phase_q[Last] && commit;
  assign refine_valid_o       = phase_q[Last] && !commit;
  assign result_index_o       = index_late_q;
  assign result_levels_o      = DynamicPrecision == 0 ? {4{`LEVEL_ALL}} : chosen_q;
  assign result_layer_o       = layer_late_q;
  assign result_bank_o        = bank_late_q;
  assign result_position_o    = slot * TilesBits[`POSITION] + TileIdBits[`POSITION];
  assign cell_write_o         = commit_valid_o;
  assign cell_write_address_o = unit_late_q;
  assign cell_o               = `CELL_OF(c_new, history);
endmodule

`default_nettype wire
