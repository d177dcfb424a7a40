// SPDX-License-Identifier: MIT
// Techmap of Yosys' $lcu (carries of an adder) to a ripple: the smallest form. Wider adders keep Yosys' own, a parallel prefix.
(* techmap_celltype = "$lcu" *)
module ripple #(
  parameter WIDTH = 1
) (
  input  [WIDTH-1:0] P, G,
  input              CI,
  output [WIDTH-1:0] CO
);
  wire _TECHMAP_FAIL_ = WIDTH > 24;

  assign CO = G | (P & {CO, CI});
endmodule
