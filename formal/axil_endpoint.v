// SPDX-License-Identifier: MIT
// axil_endpoint: one response for each request, none without; a response stays until it is taken, and says what the registers said; an access
// stands until it is served, and carries the address, data and strobes of its request.
`default_nettype none

module axil_endpoint_properties (
  input wire        clk_i,
  input wire        rst_ni,
  input wire [11:0] awaddr_i,
  input wire        awvalid_i,
  input wire [31:0] wdata_i,
  input wire [3:0]  wstrb_i,
  input wire        wvalid_i,
  input wire        bready_i,
  input wire [11:0] araddr_i,
  input wire        arvalid_i,
  input wire        rready_i,
  input wire        write_ready_i,
  input wire        write_error_i,
  input wire        read_ready_i,
  input wire [31:0] read_data_i,
  input wire        read_error_i
);
  wire        awready, wready, bvalid, arready, rvalid, write_valid, read_valid;
  wire [1:0]  bresp, rresp;
  wire [31:0] rdata, write_data;
  wire [11:0] write_address, read_address;
  wire [3:0]  write_strobe;
  axil_endpoint dut (
    .clk_i(clk_i), .rst_ni(rst_ni), .s_axil_awaddr_i(awaddr_i), .s_axil_awvalid_i(awvalid_i), .s_axil_awready_o(awready), .s_axil_wdata_i(wdata_i),
    .s_axil_wstrb_i(wstrb_i), .s_axil_wvalid_i(wvalid_i), .s_axil_wready_o(wready), .s_axil_bresp_o(bresp), .s_axil_bvalid_o(bvalid),
    .s_axil_bready_i(bready_i), .s_axil_araddr_i(araddr_i), .s_axil_arvalid_i(arvalid_i), .s_axil_arready_o(arready), .s_axil_rdata_o(rdata),
    .s_axil_rresp_o(rresp), .s_axil_rvalid_o(rvalid), .s_axil_rready_i(rready_i), .write_valid_o(write_valid), .write_ready_i(write_ready_i),
    .write_address_o(write_address), .write_data_o(write_data), .write_strobe_o(write_strobe), .write_error_i(write_error_i), .read_valid_o(read_valid),
    .read_ready_i(read_ready_i), .read_address_o(read_address), .read_data_i(read_data_i), .read_error_i(read_error_i)
  );

  wire aw = awvalid_i & awready, w = wvalid_i & wready, b = bvalid & bready_i, ar = arvalid_i & arready, r = rvalid & rready_i;
  wire write = write_valid & write_ready_i, read = read_valid & read_ready_i;

  // Requests that wait to be served, and what was asked; responses that wait to be taken, and what they must say.
  reg        begun_q = 1'b0;
  reg [1:0]  aw_q, w_q, ar_q, b_q, r_q;
  reg [11:0] awaddr_q, araddr_q;
  reg [31:0] wdata_q, rdata_q;
  reg [3:0]  wstrb_q;
  reg        b_error_q, r_error_q;
  always @(posedge clk_i) begin
    begun_q <= 1'b1;
    if (aw) awaddr_q <= awaddr_i;
    if (w) {wdata_q, wstrb_q} <= {wdata_i, wstrb_i};
    if (ar) araddr_q <= araddr_i;
    if (write) b_error_q <= write_error_i;
    if (read) {rdata_q, r_error_q} <= {read_error_i ? 32'd0 : read_data_i, read_error_i};
    if (!rst_ni) {aw_q, w_q, ar_q, b_q, r_q} <= 0;
    else begin
      aw_q <= aw_q + aw - write;
      w_q  <= w_q + w - write;
      ar_q <= ar_q + ar - read;
      b_q  <= b_q + write - b;
      r_q  <= r_q + read - r;
    end
  end

  always @* begin
    if (!begun_q) assume (!rst_ni);
    else begin
      assert (aw_q <= 1 && w_q <= 1 && ar_q <= 1 && b_q <= 1 && r_q <= 1);
      assert (bvalid == (b_q == 1) && rvalid == (r_q == 1));
      if (bvalid) assert (bresp == {b_error_q, 1'b0});
      if (rvalid) assert (rresp == {r_error_q, 1'b0} && rdata == rdata_q);
      assert (write_valid == (aw_q == 1 && w_q == 1 && b_q == 0) && read_valid == (ar_q == 1 && r_q == 0));
      if (write_valid) assert (write_address == awaddr_q && write_data == wdata_q && write_strobe == wstrb_q);
      if (read_valid) assert (read_address == araddr_q);
      // A channel is closed only while a request of it waits.
      assert (awready == (aw_q == 0) && wready == (w_q == 0) && arready == (ar_q == 0));
    end
  end
endmodule

`default_nettype wire
