# SPDX-License-Identifier: MIT
"""The parts of the quarter-product machine that are synthesized, against integers, under Icarus."""

import subprocess

import pytest

from syn import arithmetic
from syn.quarters.area import ADDERS, OWN, PARTS, best, constants, totals

# Nibbles of one weight and one activation, every 29th of all: the four quarters, in their order, add up to the product.
PRODUCTS = """
module bench;
  reg clk = 0;
  always #1 clk = ~clk;
  reg [18:0] count = 0;
  wire [15:0] operands = 29 * count[17:2];
  wire signed [3:0] wh = operands[15:12], wl = operands[11:8], ah = operands[7:4], al = operands[3:0];
  wire weight_lo = count[1], activation_lo = count[0];
  wire signed [7:0] product;
  wire signed [24:0] sum;
  quarter_dot_product #(.Lanes(1)) dot (.clk_i(clk), .weights_i(weight_lo ? wl : wh), .activations_i(activation_lo ? al : ah), .sum_o(product));
  reg [3:0] tags [0:1];
  segment_sum #(.InputWidth(8)) segment (.clk_i(clk), .valid_i(tags[1][3]), .first_i(tags[1][2:1] == 0), .weight_lo_i(tags[1][2]),
    .activation_lo_i(tags[1][1]), .exponent_i(3'd4), .sum_i(product), .sum_o(sum));
  integer expected [0:2], w, a;
  reg [2:0] last = 0;
  integer wrong = 0, seen = 0;
  always @(posedge clk) begin
    w = 16 * wh + wl;
    a = 16 * ah + al;
    tags[0] <= {count < 19'd9040, weight_lo, activation_lo, 1'b0};
    tags[1] <= tags[0];
    expected[0] <= w * a;
    expected[1] <= expected[0];
    expected[2] <= expected[1];
    last <= {last[1:0], count < 19'd9040 && count[1:0] == 3};
    if (last[2]) begin
      seen = seen + 1;
      if (sum !== expected[2]) wrong = wrong + 1;
    end
    count <= count + 1;
    if (count == 19'd9056) begin
      $display("%0d wrong of %0d", wrong, seen);
      $finish;
    end
  end
endmodule
"""

# Words of Lanes random nibbles, through the form that is synthesized and the module as it is written.
FORMS = """
module bench;
  reg clk = 0;
  always #1 clk = ~clk;
  reg [4*LANES-1:0] w, a;
  wire signed [WIDTH-1:0] written, made;
  quarter_dot_product #(.Lanes(LANES)) dut (.clk_i(clk), .weights_i(w), .activations_i(a), .sum_o(written));
  dot_product synthesized (.clk_i(clk), .weights_i(w), .activations_i(a), .sum_o(made));
  integer count = 0, wrong = 0, k, expected [0:2];
  always @(negedge clk) begin
    for (k = 0; k < LANES; k = k + 1) {w[4*k +: 4], a[4*k +: 4]} = count < 4 ? {{4{1'b0}}, {4{1'b0}}} | {1'b1, {3{count[0]}}, 1'b1, {3{count[1]}}} : $random;
    if (LANES == 1) {w, a} = count;
    expected[0] = 0;
    for (k = 0; k < LANES; k = k + 1) expected[0] = expected[0] + $signed(w[4*k +: 4]) * $signed(a[4*k +: 4]);
  end
  always @(posedge clk) begin
    #0 if (count > 3 && (written !== expected[2] || made !== expected[2])) wrong = wrong + 1;
    expected[2] = expected[1];
    expected[1] = expected[0];
    count = count + 1;
    if (count == (LANES == 1 ? 260 : 100)) begin
      $display("%0d wrong", wrong);
      $finish;
    end
  end
endmodule
"""

# A segment of 16 values of which one word brings all four quarters; and one of 32, in two.
SHARED = """
module bench;
  reg clk = 0;
  always #1 clk = ~clk;
  reg [255:0] wh, wl, ah, al;
  reg [3:0] weight_lo, activation_lo;
  reg [1:0] route;
  reg first = 1, valid = 0;
  wire [255:0] w, a;
  nibble_choice #(.Sharing(2)) weights (.hi_i(wh), .lo_plane_i(wl), .lo_i(weight_lo), .route_i(route), .word_o(w));
  nibble_choice #(.Sharing(2)) activations (.hi_i(ah), .lo_plane_i(al), .lo_i(activation_lo), .route_i(route), .word_o(a));
  reg signed [11:0] sums [0:3];
  integer g, k, expected, trial, wrong = 0;
  wire signed [24:0] sum;
  fourths_sum dut (.clk_i(clk), .valid_i(valid), .first_i(first), .weight_lo_i(weight_lo), .activation_lo_i(activation_lo),
    .sums_i({sums[3], sums[2], sums[1], sums[0]}), .sum_o(sum));
  always @*
    for (g = 0; g < 4; g = g + 1) begin
      sums[g] = 0;
      for (k = 16 * g; k < 16 * g + 16; k = k + 1) sums[g] = sums[g] + $signed(w[4*k +: 4]) * $signed(a[4*k +: 4]);
    end
  task word(input begins, input [1:0] to, input [3:0] lo_w, input [3:0] lo_a);
    begin
      {first, valid, route, weight_lo, activation_lo} = {begins, 1'b1, to, lo_w, lo_a};
      #2 valid = 0;
    end
  endtask
  initial begin
    #2;
    for (trial = 0; trial < 300; trial = trial + 1) begin
      for (k = 0; k < 64; k = k + 1) {wh[4*k +: 4], wl[4*k +: 4], ah[4*k +: 4], al[4*k +: 4]} = $random;
      expected = 0;
      for (k = 0; k < (trial % 2 ? 32 : 16); k = k + 1)
        expected = expected + (16 * $signed(wh[4*k +: 4]) + $signed(wl[4*k +: 4])) * (16 * $signed(ah[4*k +: 4]) + $signed(al[4*k +: 4]));
      if (trial % 2) begin
        word(1, 2'd1, 4'b0000, 4'b1100); // wh with ah and al
        word(0, 2'd1, 4'b1111, 4'b1100); // wl with both
      end else word(1, 2'd2, 4'b1100, 4'b1010);
      #4 if (sum !== expected) wrong = wrong + 1;
    end
    $display("%0d wrong", wrong);
    $finish;
  end
endmodule
"""

# All that is seen, with some of what a threshold and an offset can be, for one level; random ones for three.
LEVELS = """
module bench;
  reg [6:0] seen;
  reg [23:0] theta, offset;
  wire [1:0] one, three, shared;
  level_threshold #(.Thresholds(1)) first (.seen_i(seen), .theta_i(theta[7:0]), .offset_i(offset[7:0]), .level_o(one));
  level_threshold #(.Thresholds(3), .Shared(0)) second (.seen_i(seen), .theta_i(theta), .offset_i(offset), .level_o(three));
  level_threshold #(.Thresholds(3)) third (.seen_i(seen), .theta_i(theta), .offset_i(offset[7:0]), .level_o(shared));
  integer s, t, wrong = 0, k, own, all;
  initial begin
    for (s = 0; s < 128; s = s + 1)
      for (t = 0; t < 65536; t = t + 1021) begin
        seen = s;
        {theta, offset} = {$random, $random};
        {theta[7:0], offset[7:0]} = t;
        own = 0;
        all = 0;
        for (k = 0; k < 3; k = k + 1) begin
          if (s > $signed(theta[8*k +: 8]) + $signed(offset[8*k +: 8])) own = k + 1;
          if (s > $signed(theta[8*k +: 8]) + $signed(offset[7:0])) all = k + 1;
        end
        #1 if (three !== own || shared !== all || one !== (s > $signed(theta[7:0]) + $signed(offset[7:0]))) wrong = wrong + 1;
      end
    $display("%0d wrong", wrong);
  end
endmodule
"""


def simulate(folder, text, *modules):
    """What a bench prints."""
    (folder / "bench.v").write_text(text)
    subprocess.run(["iverilog", "-g2005", "-s", "bench", "-o", "bench.vvp", "bench.v", *(OWN / f"{module}.v" for module in modules)], cwd=folder, check=True)
    return subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


def test_four_quarters_are_the_product(tmp_path):
    assert simulate(tmp_path, PRODUCTS, "quarter_dot_product", "segment_sum") == "0 wrong of 2260"


@pytest.mark.parametrize("form", arithmetic.FORMS)
@pytest.mark.parametrize("lanes", [1, 16, 64])
def test_what_is_synthesized_is_what_is_written(lanes, form, tmp_path):
    text = arithmetic.dot_product(lanes, 4, form, activation_bits=4) + ADDERS + FORMS.replace("LANES", str(lanes)).replace("WIDTH", str(8 + (lanes - 1).bit_length()))
    assert simulate(tmp_path, text, "quarter_dot_product") == "0 wrong"


def test_quarters_share_a_word(tmp_path):
    assert simulate(tmp_path, SHARED, "nibble_choice", "fourths_sum") == "0 wrong"


def test_levels_by_thresholds(tmp_path):
    assert simulate(tmp_path, LEVELS, "level_threshold") == "0 wrong"


@pytest.mark.parametrize("exponent", range(5))
def test_exponents_shift_the_upper_nibble(exponent, tmp_path):
    bench = PRODUCTS.replace("a = 16 * ah + al", f"a = {1 << exponent} * ah + al").replace("3'd4", f"3'd{exponent}")
    bench = bench.replace(".InputWidth(8)", ".InputWidth(8), .Exponents(1)")
    assert simulate(tmp_path, bench, "quarter_dot_product", "segment_sum") == "0 wrong of 2260"


def test_totals_and_constants():
    """The smallest form counts, and every part stands in a total."""
    areas = {name: float(place) for place, name in enumerate(PARTS, start=1)}
    assert best(areas, "8x8") == 1
    assert best(areas, "4x4") == 7
    assert totals(areas)["64 of 4x4, exponents"] - totals(areas)["64 of 4x4"] == 1
    assert constants()["2 levels, own"] == constants()["3 levels, shared"]
    assert constants()["4 levels, own"]["bits"] == 6 + 72 + 24
    assert constants()["4 levels, own"]["um2"] == 2 * constants()["2 levels, own"]["um2"]
