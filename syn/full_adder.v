// SPDX-License-Identifier: MIT
// Techmap of Yosys' $fa (a row of full adders) to the library's full adder, which abc never uses of its own accord.
(* techmap_celltype = "$fa" *)
module full_adder #(
  parameter WIDTH = 1
) (
  input  [WIDTH-1:0] A, B, C,
  output [WIDTH-1:0] X, Y
);
  genvar bit_index;
  generate
    for (bit_index = 0; bit_index < WIDTH; bit_index = bit_index + 1) begin : gen_bit
      FAX1 u_adder (
        .A (A[bit_index]),
        .B (B[bit_index]),
        .C (C[bit_index]),
        .YC(X[bit_index]),
        .YS(Y[bit_index])
      );
    end
  endgenerate
endmodule
