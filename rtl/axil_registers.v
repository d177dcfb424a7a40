// SPDX-License-Identifier: MIT
// The registers of docs/registers.md, after axil_endpoint. A read takes three cycles: counters are looked up in the first, a tile's state in the
// second, so that no path leads from the decoder of the address to the memories of the tiles. Accesses to counters and all writes wait while the
// row counters are busy (some ten cycles).
//
// STATE_DATA answers with what was looked up: the selection is that of the first cycle, whatever is written meanwhile, and there is an answer
// only if the accelerator was idle in all three.
`include "formats.vh"
`default_nettype none
`include "registers.vh"

module axil_registers #(
  parameter Tiles            = 4,
  parameter Lanes            = 64,
  parameter DynamicPrecision = 1,
  parameter InFlight         = 8,
  parameter WeightDepth      = 8192,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 128,
  parameter DotLanes         = 64,
  parameter ReadWidth        = 32                        // bits of a tile's answer to a state read
) (
  input  wire                                  clk_i,
  input  wire                                  rst_ni,
  input  wire                                  write_valid_i,
  output wire                                  write_ready_o,
  input  wire [11:0]                           write_address_i,
  input  wire [31:0]                           write_data_i,
  input  wire [3:0]                            write_strobe_i,
  output reg                                   write_error_o,
  input  wire                                  read_valid_i,
  output wire                                  read_ready_o,
  input  wire [11:0]                           read_address_i,
  output reg  [31:0]                           read_data_o,
  output reg                                   read_error_o,
  output wire                                  start_o,          // pulses
  output wire                                  soft_reset_o,
  output wire                                  snapshot_o,
  output wire                                  clear_o,
  output wire                                  stateful_o,
  output wire                                  trace_enable_o,
  output wire                                  override_o,
  output wire [`POLICY]                        override_policy_o,
  output wire [`LAYERS]                        layers_o,
  output wire [31:0]                           sequences_o,
  output wire [Tiles-1:0]                      state_read_o,
  output wire                                  state_kind_o,
  output wire [`READ_ADDRESS]                  state_address_o,  // of a word
  input  wire [ReadWidth*Tiles-1:0]            state_data_i,
  output wire                                  counter_read_o,
  output wire                                  rows_read_o,
  output wire [`REG_COUNTERS_NUMBER_WIDTH-1:0] counter_index_o,
  output wire [`REG_ROWS_BLOCK_WIDTH-1:0]      rows_layer_o,
  output wire [`REG_ROWS_NUMBER_WIDTH-1:0]     rows_index_o,
  input  wire [63:0]                           counter_data_i,
  input  wire [63:0]                           rows_data_i,
  input  wire                                  busy_i,
  input  wire                                  done_i,
  input  wire                                  resetting_i,
  input  wire                                  bank_i,
  input  wire                                  counters_busy_i,
  input  wire                                  done_event_i,     // pulses
  input  wire [`REG_ERRORS_WIDTH-1:0]          error_event_i,    // as the bits of ERRORS; ACCESS comes from here
  output wire                                  irq_o
);
  localparam [31:0] BuildTiles = Tiles, BuildLanes = Lanes, BuildInFlight = InFlight;
  localparam LaneBits = $clog2(DotLanes);

  reg [31:0]          config_q, layers_q, sequences_q, select_q, errors_q, interrupt_q;
  reg                 lookup_q, answer_q, state_good_q;
  reg [Tiles-1:0]     state_read_q;
  reg                 kind_q;                            // this and below: the selection of the look-up
  reg [3:0]           tile_q;
  reg [LaneBits-1:0]  lane_q;
  reg [`READ_ADDRESS] word_q;

  // Writes.
  wire        write   = write_valid_i & write_ready_o;
  wire [31:0] strobe  = {{8{write_strobe_i[3]}}, {8{write_strobe_i[2]}}, {8{write_strobe_i[1]}}, {8{write_strobe_i[0]}}};
  wire [31:0] ones    = write_data_i & strobe;
  wire        control = write & write_address_i == `REG_CONTROL;

  assign write_ready_o = ~counters_busy_i;
  assign start_o       = control & ones[`REG_CONTROL_START];
  assign soft_reset_o  = control & ones[`REG_CONTROL_SOFT_RESET];
  assign snapshot_o    = control & ones[`REG_CONTROL_SNAPSHOT];
  assign clear_o       = control & ones[`REG_CONTROL_CLEAR];

  always @*
    case (write_address_i)
      `REG_WRITABLE: write_error_o = 1'b0;
      default:       write_error_o = 1'b1;
    endcase

  function [31:0] merge(input [31:0] value);
    merge = (value & ~strobe) | ones;
  endfunction

  // Reads.
  wire        idle         = ~busy_i & ~resetting_i;
  wire        read_counter = read_address_i >= `REG_COUNTERS && read_address_i < `REG_COUNTERS_END;
  wire        read_rows    = read_address_i >= `REG_ROWS && read_address_i < `REG_ROWS_END && rows_index_o < `REG_ROWS_COUNT;
  wire        lookup       = read_valid_i & ~lookup_q & ~answer_q & ~((read_counter | read_rows) & counters_busy_i);

  assign read_ready_o    = answer_q;
  assign counter_read_o  = lookup & read_counter;
  assign rows_read_o     = lookup & read_rows;

  localparam [11:0] CountersBegin = `REG_COUNTERS, RowsBegin = `REG_ROWS;
  assign counter_index_o = read_address_i[`REG_COUNTERS_NUMBER] - CountersBegin[`REG_COUNTERS_NUMBER];
  assign rows_index_o    = read_address_i[`REG_ROWS_NUMBER] - RowsBegin[`REG_ROWS_NUMBER];
  assign rows_layer_o    = read_address_i[`REG_ROWS_BLOCK] - RowsBegin[`REG_ROWS_BLOCK];

  wire        kind       = select_q[`REG_STATE_SELECT_KIND];
  wire [7:0]  tile       = select_q[`REG_STATE_SELECT_TILE];
  wire [31:0] address    = {16'b0, select_q[`REG_STATE_SELECT_ADDRESS]};
  wire [31:0] word       = kind ? address >> LaneBits : address;
  wire        word_good  = kind ? word < 2 * ActivationDepth : word < UnitDepth;
  wire        state      = read_address_i == `REG_STATE_DATA;
  wire        selectable = {24'b0, tile} < Tiles & word_good;

  assign state_read_o    = state_read_q;
  assign state_kind_o    = kind_q;
  assign state_address_o = word_q;

  reg [31:0] build, status;
  always @* begin
    build                        = 32'd0;
    build[`REG_BUILD_TILES]      = BuildTiles[7:0];
    build[`REG_BUILD_LANES]      = BuildLanes[7:0];
    build[`REG_BUILD_IN_FLIGHT]  = BuildInFlight[7:0];
    build[`REG_BUILD_DYNAMIC]    = DynamicPrecision != 0;
    status                            = 32'd0;
    status[`REG_STATUS_BUSY]          = busy_i;
    status[`REG_STATUS_DONE]          = done_i;
    status[`REG_STATUS_RESETTING]     = resetting_i;
    status[`REG_STATUS_BANK]          = bank_i;
    status[`REG_STATUS_COUNTERS_BUSY] = counters_busy_i;
  end

  reg [ReadWidth-1:0] state_word;
  always @* begin
    state_word   = 0;
    read_data_o  = 32'd0;
    read_error_o = 1'b0;
    if (answer_q) begin
      if (read_counter)
        read_data_o = read_address_i[2] ? counter_data_i[63:32] : counter_data_i[31:0];
      else if (read_rows)
        read_data_o = read_address_i[2] ? rows_data_i[63:32] : rows_data_i[31:0];
      else
        case (read_address_i)
          `REG_ID:               read_data_o = `REG_ID_RESET;
          `REG_VERSION:          read_data_o = `REG_VERSION_RESET;
          `REG_BUILD:            read_data_o = build;
          `REG_WEIGHT_DEPTH:     read_data_o = WeightDepth;
          `REG_UNIT_DEPTH:       read_data_o = UnitDepth;
          `REG_ACTIVATION_DEPTH: read_data_o = ActivationDepth;
          `REG_CONTROL:          read_data_o = 32'd0;
          `REG_STATUS:           read_data_o = status;
          `REG_CONFIG:           read_data_o = config_q;
          `REG_LAYERS:           read_data_o = layers_q;
          `REG_SEQUENCES:        read_data_o = sequences_q;
          `REG_ERRORS:           read_data_o = errors_q;
          `REG_INTERRUPT:        read_data_o = interrupt_q;
          `REG_STATE_SELECT:     read_data_o = select_q;
          `REG_STATE_DATA: begin
            state_word   = state_data_i[ReadWidth*tile_q +: ReadWidth];
            read_data_o  = kind_q ? {24'b0, state_word[8*lane_q +: 8]} : {{32-`CELL_WIDTH{1'b0}}, state_word[`CELL]};
            read_error_o = ~state_good_q | ~idle;
          end
          default: read_error_o = 1'b1;
        endcase
      if (read_address_i[1:0] != 0) read_error_o = 1'b1;
    end
  end

  // State. An event in the cycle in which its bit is cleared is not lost.
  reg [31:0] error_events, interrupt_events;
  always @* begin
    error_events                         = {{32-`REG_ERRORS_WIDTH{1'b0}}, error_event_i};
    error_events[`REG_ERRORS_ACCESS]     = answer_q & state & (~state_good_q | ~idle);
    interrupt_events                       = 32'd0;
    interrupt_events[`REG_INTERRUPT_DONE]  = done_event_i;
    interrupt_events[`REG_INTERRUPT_ERROR] = |error_events;
  end

  wire [31:0] errors_cleared    = soft_reset_o ? `REG_ERRORS_MASK : write && write_address_i == `REG_ERRORS ? ones : 32'd0;
  wire [31:0] interrupt_cleared = write && write_address_i == `REG_INTERRUPT ? ones : 32'd0;

  assign stateful_o        = config_q[`REG_CONFIG_STATEFUL];
  assign trace_enable_o    = config_q[`REG_CONFIG_TRACE];
  assign override_o        = config_q[`REG_CONFIG_OVERRIDE];
  assign override_policy_o = config_q[`REG_CONFIG_POLICY];
  assign layers_o          = layers_q[31:`LAYERS_WIDTH] != 0 ? {`LAYERS_WIDTH{1'b1}} : layers_q[`LAYERS];
  assign sequences_o       = sequences_q;
  assign irq_o             = config_q[`REG_CONFIG_IRQ_ENABLE] & |interrupt_q;

  always @(posedge clk_i) begin
    state_good_q <= idle & (lookup ? selectable : state_good_q);
    if (lookup) begin
      kind_q <= kind;
      tile_q <= tile[3:0];
      lane_q <= address[LaneBits-1:0];
      word_q <= word[`READ_ADDRESS];
    end
  end

  always @(posedge clk_i)
    if (!rst_ni) begin
      lookup_q     <= 1'b0;
      answer_q     <= 1'b0;
      state_read_q <= {Tiles{1'b0}};
      config_q     <= `REG_CONFIG_RESET;
      layers_q     <= `REG_LAYERS_RESET;
      sequences_q  <= `REG_SEQUENCES_RESET;
      select_q     <= `REG_STATE_SELECT_RESET;
      errors_q     <= `REG_ERRORS_RESET;
      interrupt_q  <= `REG_INTERRUPT_RESET;
    end else begin
      lookup_q     <= lookup;
      answer_q     <= lookup_q;
      state_read_q <= lookup & state & selectable & idle ? {{Tiles-1{1'b0}}, 1'b1} << tile[3:0] : {Tiles{1'b0}};
      errors_q     <= (errors_q & ~errors_cleared & `REG_ERRORS_MASK) | error_events;
      interrupt_q  <= (interrupt_q & ~interrupt_cleared & `REG_INTERRUPT_MASK) | interrupt_events;
      if (write)
        case (write_address_i)
          `REG_CONFIG:       config_q    <= merge(config_q) & `REG_CONFIG_MASK;
          `REG_LAYERS:       layers_q    <= merge(layers_q) & `REG_LAYERS_MASK;
          `REG_SEQUENCES:    sequences_q <= merge(sequences_q) & `REG_SEQUENCES_MASK;
          `REG_STATE_SELECT: select_q    <= merge(select_q) & `REG_STATE_SELECT_MASK;
          default: ;
        endcase
    end
endmodule

`default_nettype wire
