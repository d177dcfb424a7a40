// SPDX-License-Identifier: MIT
// fifo: words come out in their order, none lost or doubled; it is full with Depth words and never holds more; clear empties it.
//
// The order is that of one word: the solver chooses when it goes in, and what it is. So many words before it come out first, then the word itself.
`default_nettype none

module fifo_properties #(
  parameter Width = 4,
  parameter Depth = 3
) (
  input wire             clk_i,
  input wire             rst_ni,
  input wire             clear_i,
  input wire             valid_i,
  input wire [Width-1:0] data_i,
  input wire             ready_i,
  input wire             choose_i   // this word is the one
);
  wire             ready, valid;
  wire [Width-1:0] data;
  fifo #(.Width(Width), .Depth(Depth)) dut (
    .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear_i), .valid_i(valid_i), .ready_o(ready), .data_i(data_i), .valid_o(valid), .ready_i(ready_i), .data_o(data)
  );

  reg             begun_q = 1'b0, chosen_q;
  reg [7:0]       count_q, ahead_q;            // words inside; those before the chosen one
  reg [Width-1:0] word_q;
  wire push = valid_i & ready, pop = valid & ready_i;
  wire choose = push & choose_i & ~chosen_q;

  always @(posedge clk_i) begin
    begun_q <= 1'b1;
    if (!rst_ni || clear_i) begin
      count_q  <= 0;
      chosen_q <= 1'b0;
    end else begin
      count_q <= count_q + push - pop;
      if (choose) begin
        chosen_q <= 1'b1;
        word_q   <= data_i;
        ahead_q  <= count_q - pop;
      end else if (chosen_q && pop) begin
        chosen_q <= ahead_q != 0;
        ahead_q  <= ahead_q - 1'b1;
      end
    end
  end

  always @* begin
    if (!begun_q) assume (!rst_ni);
    if (begun_q) begin
      assert (count_q <= Depth);
      assert (valid == (count_q != 0));
      assert (ready == (count_q != Depth));
      if (chosen_q) assert (ahead_q < count_q);
      if (chosen_q && ahead_q == 0) assert (data == word_q);
    end
  end
endmodule

`default_nettype wire
