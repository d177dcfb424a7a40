// SPDX-License-Identifier: MIT
// Watches an AXI4-Lite port for what neither side may do: violations_o keeps a bit for each broken rule until a reset begins.
//
//   0..4  aw, w, b, ar, r: valid withdrawn before ready    12 bvalid without an address and data that were taken
//   5..9  aw, w, b, ar, r: payload changed before ready    13 rvalid without an address that was taken
//   10    bresp neither OKAY nor SLVERR                    14 a valid in reset, after its first cycle
//   11    rresp neither OKAY nor SLVERR                    15 a valid or ready unknown, after the first reset
`default_nettype none

module axi_lite_monitor (
  input  wire        clk_i,
  input  wire        rst_ni,
  input  wire [11:0] awaddr_i,
  input  wire        awvalid_i,
  input  wire        awready_i,
  input  wire [31:0] wdata_i,
  input  wire [3:0]  wstrb_i,
  input  wire        wvalid_i,
  input  wire        wready_i,
  input  wire [1:0]  bresp_i,
  input  wire        bvalid_i,
  input  wire        bready_i,
  input  wire [11:0] araddr_i,
  input  wire        arvalid_i,
  input  wire        arready_i,
  input  wire [31:0] rdata_i,
  input  wire [1:0]  rresp_i,
  input  wire        rvalid_i,
  input  wire        rready_i,
  output wire [15:0] violations_o
);
  localparam Aw = 0, W = 1, B = 2, Ar = 3, R = 4;

  wire [4:0] valid = {rvalid_i, arvalid_i, bvalid_i, wvalid_i, awvalid_i};
  wire [4:0] ready = {rready_i, arready_i, bready_i, wready_i, awready_i};
  wire [4:0] taken = valid & ready;
  wire [35:0] payload [0:4];
  assign payload[Aw] = {24'd0, awaddr_i};
  assign payload[W]  = {wstrb_i, wdata_i};
  assign payload[B]  = {34'd0, bresp_i};
  assign payload[Ar] = {24'd0, araddr_i};
  assign payload[R]  = {2'd0, rresp_i, rdata_i};

  reg [15:0] violations_q;
  reg [35:0] payload_q [0:4];
  reg [4:0]  waiting_q;
  reg [7:0]  aw_open_q, w_open_q, ar_open_q;  // taken and not yet answered
  reg        reset_q, known_q;

  assign violations_o = violations_q;

  initial begin
    known_q = 1'b0;
    reset_q = 1'b0;
  end

  integer channel;
  always @(posedge clk_i) begin
    reset_q   <= !rst_ni;
    known_q   <= known_q || !rst_ni;
    waiting_q <= rst_ni ? valid & ~ready : 5'd0;
    for (channel = 0; channel < 5; channel = channel + 1) begin
      if (valid[channel] && !ready[channel] && !waiting_q[channel]) payload_q[channel] <= payload[channel];
      if (rst_ni && waiting_q[channel]) begin
        if (!valid[channel]) violations_q[channel] <= 1'b1;
        else if (payload[channel] !== payload_q[channel]) violations_q[5+channel] <= 1'b1;
      end
    end

    if (!rst_ni) begin
      aw_open_q <= 8'd0;
      w_open_q  <= 8'd0;
      ar_open_q <= 8'd0;
      if (!reset_q) violations_q <= 16'd0;
      else if (|valid) violations_q[14] <= 1'b1;
    end else begin
      aw_open_q <= aw_open_q + {7'd0, taken[Aw]} - {7'd0, taken[B]};
      w_open_q  <= w_open_q + {7'd0, taken[W]} - {7'd0, taken[B]};
      ar_open_q <= ar_open_q + {7'd0, taken[Ar]} - {7'd0, taken[R]};
      if (bvalid_i && bresp_i[0]) violations_q[10] <= 1'b1;
      if (rvalid_i && rresp_i[0]) violations_q[11] <= 1'b1;
      if (bvalid_i && (aw_open_q == 0 || w_open_q == 0)) violations_q[12] <= 1'b1;
      if (rvalid_i && ar_open_q == 0) violations_q[13] <= 1'b1;
      if (known_q && ^{valid, ready} === 1'bx) violations_q[15] <= 1'b1;
    end
  end
endmodule

`default_nettype wire
