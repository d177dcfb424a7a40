// SPDX-License-Identifier: MIT
// AXI4-Lite to register accesses. Address and data of a write come in any order; one write and one read at a time, which may wait for the registers.
// An access stands (valid, address, data) until ready; its answer is taken in that cycle. error: SLVERR.
`default_nettype none

module axil_endpoint (
  input  wire        clk_i,
  input  wire        rst_ni,
  input  wire [11:0] s_axil_awaddr_i,
  input  wire        s_axil_awvalid_i,
  output wire        s_axil_awready_o,
  input  wire [31:0] s_axil_wdata_i,
  input  wire [3:0]  s_axil_wstrb_i,
  input  wire        s_axil_wvalid_i,
  output wire        s_axil_wready_o,
  output wire [1:0]  s_axil_bresp_o,
  output wire        s_axil_bvalid_o,
  input  wire        s_axil_bready_i,
  input  wire [11:0] s_axil_araddr_i,
  input  wire        s_axil_arvalid_i,
  output wire        s_axil_arready_o,
  output wire [31:0] s_axil_rdata_o,
  output wire [1:0]  s_axil_rresp_o,
  output wire        s_axil_rvalid_o,
  input  wire        s_axil_rready_i,
  output wire        write_valid_o,
  input  wire        write_ready_i,
  output wire [11:0] write_address_o,
  output wire [31:0] write_data_o,
  output wire [3:0]  write_strobe_o,
  input  wire        write_error_i,
  output wire        read_valid_o,
  input  wire        read_ready_i,
  output wire [11:0] read_address_o,
  input  wire [31:0] read_data_i,
  input  wire        read_error_i
);
  reg        aw_valid_q, w_valid_q, b_valid_q, b_error_q, ar_valid_q, r_valid_q, r_error_q;
  reg [11:0] aw_address_q, ar_address_q;
  reg [31:0] w_data_q, r_data_q;
  reg [3:0]  w_strobe_q;

  wire write = write_valid_o & write_ready_i;
  wire read  = read_valid_o & read_ready_i;

  assign s_axil_awready_o = ~aw_valid_q;
  assign s_axil_wready_o  = ~w_valid_q;
  assign s_axil_bvalid_o  = b_valid_q;
  assign s_axil_bresp_o   = {b_error_q, 1'b0};
  assign s_axil_arready_o = ~ar_valid_q;
  assign s_axil_rvalid_o  = r_valid_q;
  assign s_axil_rresp_o   = {r_error_q, 1'b0};
  assign s_axil_rdata_o   = r_data_q;

  assign write_valid_o   = aw_valid_q & w_valid_q & ~b_valid_q;
  assign write_address_o = aw_address_q;
  assign write_data_o    = w_data_q;
  assign write_strobe_o  = w_strobe_q;
  assign read_valid_o    = ar_valid_q & ~r_valid_q;
  assign read_address_o  = ar_address_q;

  always @(posedge clk_i) begin
    if (s_axil_awready_o) aw_address_q <= s_axil_awaddr_i;
    if (s_axil_arready_o) ar_address_q <= s_axil_araddr_i;
    if (s_axil_wready_o) begin
      w_data_q   <= s_axil_wdata_i;
      w_strobe_q <= s_axil_wstrb_i;
    end
    if (write) b_error_q <= write_error_i;
    if (read) begin
      r_data_q  <= read_error_i ? 32'd0 : read_data_i;
      r_error_q <= read_error_i;
    end
  end

  always @(posedge clk_i)
    if (!rst_ni) begin
      aw_valid_q <= 1'b0;
      w_valid_q  <= 1'b0;
      b_valid_q  <= 1'b0;
      ar_valid_q <= 1'b0;
      r_valid_q  <= 1'b0;
    end else begin
      aw_valid_q <= (aw_valid_q | s_axil_awvalid_i) & ~write;
      w_valid_q  <= (w_valid_q | s_axil_wvalid_i) & ~write;
      b_valid_q  <= write | (b_valid_q & ~s_axil_bready_i);
      ar_valid_q <= (ar_valid_q | s_axil_arvalid_i) & ~read;
      r_valid_q  <= read | (r_valid_q & ~s_axil_rready_i);
    end
endmodule

`default_nettype wire
