// SPDX-License-Identifier: MIT
// Plays lists of up to Accesses register accesses on an AXI4-Lite port, one after the other, so that the test wakes once a list.
//
// The test puts accesses on accesses_i (write, 12 bits of address, 32 bits of data; the first one lowest) and their number on count_i, toggles offer_i,
// and keeps them. done_o follows offer_i when all were answered; answers_o then has response and data of each. Writes are of all four bytes.
// While no list plays, the test's own accesses, s_*, pass through.
`default_nettype none

module register_player #(
  parameter Accesses = 64
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,

  input  wire [45*Accesses-1:0] accesses_i,
  input  wire [15:0]            count_i,
  input  wire                   offer_i,
  output wire                   done_o,
  output wire [34*Accesses-1:0] answers_o,

  input  wire [11:0]            s_awaddr_i,
  input  wire                   s_awvalid_i,
  input  wire [31:0]            s_wdata_i,
  input  wire [3:0]             s_wstrb_i,
  input  wire                   s_wvalid_i,
  input  wire                   s_bready_i,
  input  wire [11:0]            s_araddr_i,
  input  wire                   s_arvalid_i,
  input  wire                   s_rready_i,

  output wire [11:0]            m_awaddr_o,
  output wire                   m_awvalid_o,
  input  wire                   m_awready_i,
  output wire [31:0]            m_wdata_o,
  output wire [3:0]             m_wstrb_o,
  output wire                   m_wvalid_o,
  input  wire                   m_wready_i,
  input  wire [1:0]             m_bresp_i,
  input  wire                   m_bvalid_i,
  output wire                   m_bready_o,
  output wire [11:0]            m_araddr_o,
  output wire                   m_arvalid_o,
  input  wire                   m_arready_i,
  input  wire [31:0]            m_rdata_i,
  input  wire [1:0]             m_rresp_i,
  input  wire                   m_rvalid_i,
  output wire                   m_rready_o
);
  reg [34*Accesses-1:0] answers_q;
  reg [44:0]            access_q;
  reg [15:0]            index_q;
  reg                   playing_q, done_q, aw_q, w_q, ar_q;

  wire        write    = access_q[44];
  wire        answered = playing_q && (write ? m_bvalid_i : m_rvalid_i);
  wire        last     = index_q == count_i - 16'd1;
  wire        begins   = playing_q ? answered && !last : offer_i != done_q;
  wire [15:0] next     = playing_q ? index_q + 16'd1 : 16'd0;
  wire [44:0] access   = accesses_i[45*next +: 45];

  assign m_awaddr_o  = playing_q ? access_q[43:32] : s_awaddr_i;
  assign m_awvalid_o = playing_q ? aw_q            : s_awvalid_i;
  assign m_wdata_o   = playing_q ? access_q[31:0]  : s_wdata_i;
  assign m_wstrb_o   = playing_q ? 4'b1111         : s_wstrb_i;
  assign m_wvalid_o  = playing_q ? w_q             : s_wvalid_i;
  assign m_bready_o  = playing_q                  || s_bready_i;
  assign m_araddr_o  = playing_q ? access_q[43:32] : s_araddr_i;
  assign m_arvalid_o = playing_q ? ar_q            : s_arvalid_i;
  assign m_rready_o  = playing_q                  || s_rready_i;
  assign done_o      = done_q;
  assign answers_o   = answers_q;

  always @(posedge clk_i)
    if (!rst_ni) begin
      playing_q <= 1'b0;
      done_q    <= offer_i;
      {aw_q, w_q, ar_q} <= 3'b000;
    end else begin
      if (m_awready_i) aw_q <= 1'b0;
      if (m_wready_i)  w_q  <= 1'b0;
      if (m_arready_i) ar_q <= 1'b0;
      if (answered) answers_q[34*index_q +: 34] <= write ? {m_bresp_i, 32'd0} : {m_rresp_i, m_rdata_i};
      if (answered && last) begin
        playing_q <= 1'b0;
        done_q    <= offer_i;
      end
      if (begins) begin
        playing_q <= 1'b1;
        index_q   <= next;
        access_q  <= access;
        {aw_q, w_q, ar_q} <= access[44] ? 3'b110 : 3'b001;
      end
    end
endmodule

`default_nettype wire
