// SPDX-License-Identifier: MIT
// Tells when a layer-step is complete in every tile. Tiles pulse tile_done_i once a layer-step, in order, each at its own pace.
// layer_done_o is the cycle after the last tile's pulse. That tile's last commit was accepted at least a cycle before its pulse,
// was on the activation bus during the pulse at the latest, and so is in the memories when layer_done_o is high.
`include "formats.vh"
`default_nettype none

module step_tracker #(
  parameter Tiles = 4
) (
  input  wire             clk_i,
  input  wire             rst_ni,
  input  wire             clear_i,

  input  wire [Tiles-1:0] tile_done_i,
  input  wire [`LAYERS]   layers_i,

  output wire             layer_done_o,        // one more layer-step is complete
  output wire             first_layer_done_o,  // and it was of layer 0
  output wire             step_done_o,         // and it was of the last layer
  output wire [`STEP]     step_o               // low bits of its step
);

  // Layer-steps that a tile has done and the slowest has not; a tile depends on the others, so it cannot get far ahead.
  reg  [4*Tiles-1:0] ahead_q;
  reg  [Tiles-1:0]   ready;
  wire               all_done = &ready;

  reg        layer_done_q, first_q, last_q;
  reg  [`LAYER] layer_q;                  // of the next layer-step
  reg  [`STEP] next_step_q, step_q;

  wire       last_layer = {1'b0, layer_q} == layers_i - 1'b1;

  assign layer_done_o       = layer_done_q;
  assign first_layer_done_o = layer_done_q & first_q;
  assign step_done_o        = layer_done_q & last_q;
  assign step_o             = step_q;

  integer tile;
  always @*
    for (tile = 0; tile < Tiles; tile = tile + 1)
      ready[tile] = tile_done_i[tile] | ahead_q[4*tile +: 4] != 0;

  integer counter;
  always @(posedge clk_i)
    if (!rst_ni || clear_i)
      ahead_q <= 0;
    else
      for (counter = 0; counter < Tiles; counter = counter + 1)
        if (tile_done_i[counter] != all_done)
          ahead_q[4*counter +: 4] <= all_done ? ahead_q[4*counter +: 4] - 4'd1 : ahead_q[4*counter +: 4] + 4'd1;

  always @(posedge clk_i)
    if (!rst_ni || clear_i) begin
      layer_done_q <= 0;
      first_q      <= 0;
      last_q       <= 0;
      layer_q      <= 0;
      next_step_q  <= 0;
      step_q       <= 0;
    end else begin
      layer_done_q <= all_done;
      if (all_done) begin
        first_q     <= layer_q == 0;
        last_q      <= last_layer;
        step_q      <= next_step_q;
        layer_q     <= last_layer ? {`LAYER_WIDTH{1'b0}} : layer_q + 1'b1;
        next_step_q <= next_step_q + {1'b0, last_layer};
      end
    end

endmodule

`default_nettype wire
