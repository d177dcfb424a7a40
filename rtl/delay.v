// SPDX-License-Identifier: MIT
// A delay line: out is in, Cycles later. Data needs no reset.
`default_nettype none

module delay #(
  parameter Width  = 1,
  parameter Cycles = 1
) (
  input  wire             clk_i,
  input  wire [Width-1:0] data_i,
  output wire [Width-1:0] data_o
);
  reg [Width*Cycles-1:0] line_q;

  assign data_o = line_q[Width*(Cycles-1) +: Width];

  generate
    if (Cycles == 1) begin : gen_one
      always @(posedge clk_i) line_q <= data_i;
    end else begin : gen_line
      always @(posedge clk_i) line_q <= {line_q[Width*(Cycles-1)-1:0], data_i};
    end
  endgenerate
endmodule

`default_nettype wire
