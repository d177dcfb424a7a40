// SPDX-License-Identifier: MIT
// Rows by layer: units committed, and rows of gates i, f, g, o that ended at each level above the lowest; 64 bits each, live and as of the last snapshot.
//
// The live values lie in a memory of a word a layer, which a commit reads in its cycle and writes in the next; a commit to the same layer right
// behind takes the word over. Snapshot and clear walk through the layers with commits held back (busy_o); reset clears both memories.
// Latency of a read: one cycle.
`include "formats.vh"
`default_nettype none
`include "registers.vh"

module row_counters (
  input  wire                              clk_i,
  input  wire                              rst_ni,
  input  wire                              commit_valid_i,
  input  wire [`LAYER]                     commit_layer_i,
  input  wire [`LEVELS]                    commit_levels_i,
  input  wire                              pair_valid_i,   // a second unit of the same layer
  input  wire [`LEVELS]                    pair_levels_i,
  input  wire                              snapshot_i,    // pulses, ignored while busy_o
  input  wire                              clear_i,
  input  wire                              read_enable_i,
  input  wire [`LAYER]                     read_layer_i,
  input  wire [`REG_ROWS_NUMBER_WIDTH-1:0] read_index_i,  // number of the counter
  output wire [63:0]                       read_data_o,
  output wire                              busy_o
);
  localparam Width = `REG_ROWS_COUNT * 64;
  localparam [`LAYERS] Wait = {`LAYERS_WIDTH{1'b1}}, Last = `MAX_LAYERS;  // of the walk: let the last commit through; the cycle of the last write

  reg             valid_q, pair_q, forward_q;
  reg [`LAYER]    layer_q;
  reg [`REG_ROWS_NUMBER_WIDTH-1:0] read_index_q;
  reg [`LEVELS]   levels_q, pair_levels_q;
  reg [Width-1:0] written_q, sum;

  reg             busy_q, snapshot_q, clear_q, reset_q;
  reg [`LAYERS]   walk_q;
  wire            walk_read  = busy_q & walk_q < Last;
  wire            walk_write = busy_q & walk_q >= 1 & walk_q <= Last;
  wire [`LAYER]   walk_layer = walk_q[`LAYER] - 1'b1;

  wire [Width-1:0] live, snapshot;
  ram #(.Width(Width), .Depth(`MAX_LAYERS)) u_live (
    .clk_i           (clk_i),
    .write_enable_i  (valid_q | (walk_write & clear_q)),
    .write_address_i (valid_q ? layer_q : walk_layer),
    .write_data_i    (sum),
    .read_enable_i   (commit_valid_i | walk_read),
    .read_address_i  (busy_q ? walk_q[`LAYER] : commit_layer_i),
    .read_data_o     (live)
  );
  ram #(.Width(Width), .Depth(`MAX_LAYERS)) u_snapshot (
    .clk_i           (clk_i),
    .write_enable_i  (walk_write & snapshot_q),
    .write_address_i (walk_layer),
    .write_data_i    (reset_q ? {Width{1'b0}} : live),
    .read_enable_i   (read_enable_i),
    .read_address_i  (read_layer_i),
    .read_data_o     (snapshot)
  );

  assign busy_o      = busy_q;
  assign read_data_o = snapshot[64*read_index_q +: 64];

  // The counters of the gates are in the order of their codes.
  integer gate;
  always @* begin
    sum = 0;
    if (valid_q) begin
      sum = forward_q ? written_q : live;
      sum[64*`REG_ROWS_UNITS +: 64] = sum[64*`REG_ROWS_UNITS +: 64] + 64'd1 + {63'd0, pair_q};
      for (gate = 0; gate < `LEVELS_WIDTH / `LEVEL_WIDTH; gate = gate + 1) begin
        sum[64*(`REG_ROWS_MIDDLE_I+gate) +: 64] = sum[64*(`REG_ROWS_MIDDLE_I+gate) +: 64]
          + {63'd0, levels_q[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH] == `LEVEL_MIDDLE} + {63'd0, pair_q && pair_levels_q[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH] == `LEVEL_MIDDLE};
        sum[64*(`REG_ROWS_ALL_I+gate) +: 64] = sum[64*(`REG_ROWS_ALL_I+gate) +: 64]
          + {63'd0, levels_q[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH] == `LEVEL_ALL} + {63'd0, pair_q && pair_levels_q[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH] == `LEVEL_ALL};
      end
    end
  end

  always @(posedge clk_i) begin
    if (commit_valid_i) begin
      layer_q       <= commit_layer_i;
      levels_q      <= commit_levels_i;
      pair_q        <= pair_valid_i;
      pair_levels_q <= pair_levels_i;
      forward_q     <= valid_q & layer_q == commit_layer_i;
    end
    if (valid_q) written_q <= sum;
    if (read_enable_i) read_index_q <= read_index_i;
  end

  always @(posedge clk_i)
    if (!rst_ni) begin
      valid_q    <= 1'b0;
      busy_q     <= 1'b1;
      snapshot_q <= 1'b1;
      clear_q    <= 1'b1;
      reset_q    <= 1'b1;
      walk_q     <= Wait;
    end else begin
      valid_q <= commit_valid_i;
      if (busy_q) begin
        walk_q <= walk_q + 1'b1;
        busy_q <= walk_q != Last;
      end else begin
        busy_q     <= snapshot_i | clear_i;
        snapshot_q <= snapshot_i;
        clear_q    <= clear_i;
        reset_q    <= 1'b0;
        walk_q     <= Wait;
      end
    end
endmodule

`default_nettype wire
