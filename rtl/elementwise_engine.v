// SPDX-License-Identifier: MIT
// From complete row sums to committed units: queue, post-processing, row constants, cell memory, commit queue. Wiring only.
//
// Complete units in; h and levels on the commit bus, levels to refine to the scheduler. Latency of a pass 16 cycles and a cycle in each queue.
`include "formats.vh"
`default_nettype none

module elementwise_engine #(
  parameter DynamicPrecision = 1,
  parameter Tiles            = 4,
  parameter TileId           = 0,
  parameter InFlight         = 8,
  parameter UnitDepth        = 512,
  parameter WeightWidth      = 13,
  parameter IndexWidth       = `INDEX_WIDTH(InFlight),       // this and below: derived, not to be set
  parameter UnitWidth        = `UNIT_WIDTH(UnitDepth)
) (
  input  wire                         clk_i,
  input  wire                         rst_ni,
  input  wire                         clear_i,
  // memory loading and state read-back
  input  wire                         load_constant_i,
  input  wire                         load_cell_i,
  /* verilator lint_off UNUSEDSIGNAL */   // a small build has small memories
  input  wire        [`LOAD_ADDRESS]  load_address_i,
  /* verilator lint_on UNUSEDSIGNAL */
  /* verilator lint_off UNUSEDSIGNAL */   // the baseline build has narrower words
  input  wire        [`ROW_CONSTANT]  load_data_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire                         read_enable_i,
  input  wire        [UnitWidth-1:0]  read_address_i,
  output wire        [`CELL]          cell_word_o,
  // units whose rows are complete
  input  wire                         complete_i,
  input  wire        [IndexWidth-1:0] complete_index_i,
  input  wire        [`COMPLETE]      complete_data_i,
  output wire        [IndexWidth-1:0] finish_index_o,
  input  wire        [`ENTRY]         finish_entry_i,
  output wire        [IndexWidth-1:0] sum_index_o,
  output wire        [`GATE]          sum_gate_o,
  input  wire signed [`ROW_SUM]       sum_i,
  // descriptors
  output wire        [`LAYER]         gates_layer_o,
  input  wire        [`DESCRIPTOR]    gates_descriptor_i,
  output wire        [`LAYER]         late_layer_o,
  input  wire        [`DESCRIPTOR]    late_descriptor_i,
  input  wire        [`POLICY]        policy_i,
  input  wire        [`STEP_FLAGS]    step_first_i,
  // results
  output wire                         refine_valid_o,
  output wire        [IndexWidth-1:0] result_index_o,
  output wire        [`LEVELS]        result_levels_o,
  output wire                         commit_valid_o,
  input  wire                         commit_ready_i,
  output wire        [IndexWidth-1:0] commit_index_o,
  output wire        [`LAYER]         commit_layer_o,
  output wire        [`POSITION]      commit_position_o,
  output wire        [`H]             commit_h_o,
  output wire        [`LEVELS]        commit_levels_o,
  output wire                         commit_bank_o,
  // events
  output wire                         constant_read_o,
  output wire                         cell_read_o,
  output wire                         cell_write_o
);
  // Units that wait for post-processing: each is here once at most.
  wire       finish_valid, finish_ready;
  /* verilator lint_off UNUSEDSIGNAL */   // its depth is the in-flight buffer: never full
  wire       finish_never_full;
  /* verilator lint_on UNUSEDSIGNAL */
  wire [`COMPLETE] finish_data;
  localparam FinishWidth = IndexWidth + (DynamicPrecision != 0 ? `COMPLETE_WIDTH : 0);
  /* verilator lint_off UNUSEDSIGNAL */   // the baseline build queues no levels
  wire [IndexWidth+`COMPLETE_WIDTH-1:0] finish_in = {complete_data_i, complete_index_i};
  /* verilator lint_on UNUSEDSIGNAL */
  wire [IndexWidth+`COMPLETE_WIDTH-1:0] finish_out;
  assign {finish_data, finish_index_o} = finish_out;
  fifo #(.Width(FinishWidth), .Depth(InFlight)) u_finish_queue (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clear_i    (clear_i),
    .valid_i(complete_i),
    .ready_o(finish_never_full),
    .data_i (finish_in[FinishWidth-1:0]),
    .valid_o(finish_valid),
    .ready_i(finish_ready),
    .data_o (finish_out[FinishWidth-1:0])
  );

  // The baseline build keeps no second bias, no offset to a threshold, no history and no levels.
  localparam ConstantWidth = `ROW_CONSTANT_KEPT(DynamicPrecision);
  localparam CellWidth     = `CELL_KEPT(DynamicPrecision);
  localparam CommitWidth   = `COMMIT_KEPT(DynamicPrecision);

  wire [`COMMIT] queued_commit;

  wire [`ROW_CONSTANT] constant;
  generate
    if (DynamicPrecision == 0) begin : gen_baseline
      assign constant[`ROW_CONSTANT_WIDTH-1:ConstantWidth] = 0;
      assign finish_out[IndexWidth+`COMPLETE_WIDTH-1:FinishWidth] = 0;
      assign queued_commit[`COMMIT_WIDTH-1:CommitWidth] = {4{`LEVEL_ALL}};
    end
  endgenerate
  assign cell_word_o[`CELL_WIDTH-1:CellWidth] = 0;

  wire                 commit_push, result_bank;
  /* verilator lint_off UNUSEDSIGNAL */   // a pass begins only if there is room for what it leaves
  wire                 commit_never_full;
  /* verilator lint_on UNUSEDSIGNAL */
  wire [`ROW]          constant_address;
  wire [UnitWidth-1:0] cell_read_address, cell_write_address;
  /* verilator lint_off UNUSEDSIGNAL */   // the baseline build has no history
  wire [`CELL_KEPT(1)-1:0] cell_new;
  /* verilator lint_on UNUSEDSIGNAL */
  wire [`H]            result_h;
  wire [`LAYER]        result_layer;
  wire [`POSITION]     result_position;
  post_processing #(
    .DynamicPrecision(DynamicPrecision), .IndexWidth(IndexWidth), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth), .Tiles(Tiles), .TileId(TileId)
  ) u_post_processing (
    .clk_i               (clk_i),
    .rst_ni              (rst_ni),
    .clear_i             (clear_i),
    .request_valid_i     (finish_valid),
    .request_ready_o     (finish_ready),
    .request_final_i     (finish_data[`COMPLETE_IS_FINAL]),
    .request_levels_i    (finish_data[`COMPLETE_LEVELS]),
    .request_index_i     (finish_index_o),
    .request_entry_i     (finish_entry_i),
    .gates_descriptor_i  (gates_descriptor_i),
    .late_descriptor_i   (late_descriptor_i),
    .gates_layer_o       (gates_layer_o),
    .late_layer_o        (late_layer_o),
    .late_policy_i       (policy_i),
    .step_first_i        (step_first_i),
    .sum_index_o         (sum_index_o),
    .sum_gate_o          (sum_gate_o),
    .sum_i               (sum_i),
    .constant_read_o     (constant_read_o),
    .constant_address_o  (constant_address),
    .constant_i          (constant),
    .cell_read_o         (cell_read_o),
    .cell_read_address_o (cell_read_address),
    .cell_i              (cell_word_o[`CELL_KEPT(1)-1:0]),
    .cell_write_o        (cell_write_o),
    .cell_write_address_o(cell_write_address),
    .cell_o              (cell_new),
    .commit_room_i       (commit_room_q != 0),
    .commit_valid_o      (commit_push),
    .refine_valid_o      (refine_valid_o),
    .result_index_o      (result_index_o),
    .result_levels_o     (result_levels_o),
    .result_h_o          (result_h),
    .result_layer_o      (result_layer),
    .result_bank_o       (result_bank),
    .result_position_o   (result_position)
  );

  /* verilator lint_off UNUSEDSIGNAL */   // the baseline build queues no levels
  wire [`COMMIT] commit;
  /* verilator lint_on UNUSEDSIGNAL */
  assign commit = `COMMIT_OF(result_bank, result_h, result_position, result_layer, result_levels_o);
  assign `COMMIT_OF(commit_bank_o, commit_h_o, commit_position_o, commit_layer_o, commit_levels_o) = queued_commit;

  // Room of the commit queue that no pass under way may need: two passes are, and a unit leaves a cycle after it came.
  localparam CommitDepth = 4;
  reg [$clog2(CommitDepth):0] commit_room_q;
  wire taken = finish_valid && finish_ready, freed = commit_valid_o && commit_ready_i;
  always @(posedge clk_i)
    if (!rst_ni || clear_i) commit_room_q <= CommitDepth;
    else commit_room_q <= commit_room_q - {2'd0, taken} + {2'd0, refine_valid_o} + {2'd0, freed};

  fifo #(.Width(IndexWidth + CommitWidth), .Depth(CommitDepth)) u_commit_queue (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clear_i    (clear_i),
    .valid_i(commit_push),
    .ready_o(commit_never_full),
    .data_i ({result_index_o, commit[CommitWidth-1:0]}),
    .valid_o(commit_valid_o),
    .ready_i(commit_ready_i),
    .data_o ({commit_index_o, queued_commit[CommitWidth-1:0]})
  );

  ram #(.Width(ConstantWidth), .Depth(4*UnitDepth)) u_constants (
    .clk_i          (clk_i),
    .write_enable_i (load_constant_i),
    .write_address_i(load_address_i[`ROW]),
    .write_data_i   (load_data_i[ConstantWidth-1:0]),
    .read_enable_i  (constant_read_o),
    .read_address_i (constant_address),
    .read_data_o    (constant[ConstantWidth-1:0])
  );

  ram #(.Width(CellWidth), .Depth(UnitDepth)) u_cells (
    .clk_i          (clk_i),
    .write_enable_i (cell_write_o || load_cell_i),
    .write_address_i(load_cell_i ? load_address_i[UnitWidth-1:0] : cell_write_address),
    .write_data_i   (load_cell_i ? load_data_i[CellWidth-1:0] : cell_new[CellWidth-1:0]),
    .read_enable_i  (cell_read_o || read_enable_i),
    .read_address_i (read_enable_i ? read_address_i[UnitWidth-1:0] : cell_read_address),
    .read_data_o    (cell_word_o[CellWidth-1:0])
  );
endmodule

`default_nettype wire
