// From complete row sums to committed units: queue, post-processing, row constants, cell memory, commit queue. Wiring only.
//
// Complete units in; h and mask on the commit bus, masks to refine to the scheduler. Latency of a pass 13 cycles and a cycle in each queue.
`default_nettype none

module elementwise_engine #(
  parameter DynamicPrecision = 1,
  parameter Tiles            = 4,
  parameter TileId           = 0,
  parameter InFlight         = 8,
  parameter UnitDepth        = 512,
  parameter WeightWidth      = 14,
  parameter IndexWidth       = $clog2(InFlight),             // this and below: derived, not to be set
  parameter UnitWidth        = $clog2(UnitDepth),
  parameter EntryWidth       = UnitWidth + WeightWidth + 7
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  input  wire                  clear_i,
  // memory loading and state read-back
  input  wire                  load_constant_i,
  input  wire                  load_cell_i,
  /* verilator lint_off UNUSEDSIGNAL */   // a small build has small memories
  input  wire [19:0]           load_address_i,
  /* verilator lint_on UNUSEDSIGNAL */
  /* verilator lint_off UNUSEDSIGNAL */   // the baseline build has narrower words
  input  wire [49:0]           load_data_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire                  read_enable_i,
  input  wire [UnitWidth-1:0]  read_address_i,
  output wire [23:0]           cell_word_o,
  // units whose rows are complete
  input  wire                  complete_i,
  input  wire [IndexWidth-1:0] complete_index_i,
  input  wire [4:0]            complete_data_i,
  output wire [IndexWidth-1:0] finish_index_o,
  input  wire [EntryWidth-1:0] finish_entry_i,
  output wire [IndexWidth-1:0] sum_index_o,
  output wire [1:0]            sum_gate_o,
  input  wire signed [43:0]    sum_i,
  // descriptors
  output wire [2:0]            gates_layer_o,
  input  wire [255:0]          gates_descriptor_i,
  output wire [2:0]            late_layer_o,
  input  wire [255:0]          late_descriptor_i,
  input  wire [1:0]            policy_i,
  input  wire [3:0]            step_first_i,
  // results
  output wire                  refine_valid_o,
  output wire [IndexWidth-1:0] result_index_o,
  output wire [3:0]            result_mask_o,
  output wire                  commit_valid_o,
  input  wire                  commit_ready_i,
  output wire [IndexWidth-1:0] commit_index_o,
  output wire [2:0]            commit_layer_o,
  output wire [9:0]            commit_position_o,
  output wire [7:0]            commit_h_o,
  output wire [3:0]            commit_mask_o,
  output wire                  commit_bank_o,
  // events
  output wire                  constant_read_o,
  output wire                  cell_read_o,
  output wire                  cell_write_o
);
  // Units that wait for post-processing: each is here once at most.
  wire       finish_valid, finish_ready;
  /* verilator lint_off UNUSEDSIGNAL */   // its depth is the in-flight buffer: never full
  wire       finish_never_full;
  /* verilator lint_on UNUSEDSIGNAL */
  wire [4:0] finish_data;
  fifo #(.Width(IndexWidth + 5), .Depth(InFlight)) u_finish_queue (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clear_i    (clear_i),
    .valid_i(complete_i),
    .ready_o(finish_never_full),
    .data_i ({complete_index_i, complete_data_i}),
    .valid_o(finish_valid),
    .ready_i(finish_ready),
    .data_o ({finish_index_o, finish_data})
  );

  // The baseline build keeps no second bias, no offset to a threshold and no history.
  localparam ConstantWidth = DynamicPrecision != 0 ? 50 : 24;
  localparam CellWidth     = DynamicPrecision != 0 ? 21 : 16;

  wire [49:0] constant;
  generate
    if (DynamicPrecision == 0) begin : gen_baseline
      assign constant[49:24] = 26'd0;
    end
  endgenerate
  assign cell_word_o[23:CellWidth] = 0;

  wire                 commit_push, commit_space, post_processing_busy, result_bank;
  wire [UnitWidth+1:0] constant_address;
  wire [UnitWidth-1:0] cell_read_address, cell_write_address;
  /* verilator lint_off UNUSEDSIGNAL */   // the baseline build has no history
  wire [20:0]          cell_new;
  /* verilator lint_on UNUSEDSIGNAL */
  wire [7:0]           result_h;
  wire [2:0]           result_layer;
  wire [9:0]           result_position;
  post_processing #(
    .DynamicPrecision(DynamicPrecision), .IndexWidth(IndexWidth), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth), .Tiles(Tiles), .TileId(TileId)
  ) u_post_processing (
    .clk_i               (clk_i),
    .rst_ni              (rst_ni),
    .clear_i             (clear_i),
    .request_valid_i     (finish_valid),
    .request_ready_o     (finish_ready),
    .request_final_i     (finish_data[4]),
    .request_mask_i      (finish_data[3:0]),
    .request_index_i     (finish_index_o),
    .request_entry_i     (finish_entry_i),
    .gates_descriptor_i  (gates_descriptor_i),
    .commit_descriptor_i (late_descriptor_i),
    .gates_layer_o       (gates_layer_o),
    .commit_layer_o      (late_layer_o),
    .gates_policy_i      (policy_i),
    .step_first_i        (step_first_i),
    .sum_index_o         (sum_index_o),
    .sum_gate_o          (sum_gate_o),
    .sum_i               (sum_i),
    .constant_read_o     (constant_read_o),
    .constant_address_o  (constant_address),
    .constant_i          (constant),
    .cell_read_o         (cell_read_o),
    .cell_read_address_o (cell_read_address),
    .cell_i              (cell_word_o[20:0]),
    .cell_write_o        (cell_write_o),
    .cell_write_address_o(cell_write_address),
    .cell_o              (cell_new),
    .commit_room_i       (!commit_valid_o || (commit_space && !post_processing_busy)),
    .commit_valid_o      (commit_push),
    .refine_valid_o      (refine_valid_o),
    .result_index_o      (result_index_o),
    .result_mask_o       (result_mask_o),
    .result_h_o          (result_h),
    .result_layer_o      (result_layer),
    .result_bank_o       (result_bank),
    .result_position_o   (result_position),
    .busy_o              (post_processing_busy)
  );

  fifo #(.Width(IndexWidth + 26), .Depth(2)) u_commit_queue (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clear_i    (clear_i),
    .valid_i(commit_push),
    .ready_o(commit_space),
    .data_i ({result_index_o, result_layer, result_position, result_h, result_mask_o, result_bank}),
    .valid_o(commit_valid_o),
    .ready_i(commit_ready_i),
    .data_o ({commit_index_o, commit_layer_o, commit_position_o, commit_h_o, commit_mask_o, commit_bank_o})
  );

  ram #(.Width(ConstantWidth), .Depth(4*UnitDepth)) u_constants (
    .clk_i          (clk_i),
    .write_enable_i (load_constant_i),
    .write_address_i(load_address_i[UnitWidth+1:0]),
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
