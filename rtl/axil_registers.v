// The registers of docs/registers.md behind axil_endpoint. A read takes two cycles: in the first, counters or a tile's state are looked up.
// Accesses to counters and all writes wait while the row counters are busy (some ten cycles).
`default_nettype none

module axil_registers #(
  parameter Tiles            = 4,
  parameter Lanes            = 32,
  parameter DynamicPrecision = 1,
  parameter InFlight         = 8,
  parameter WeightDepth      = 16384,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 256,
  parameter DotLanes         = 32,
  parameter ReadWidth        = 32                        // bits of a tile's answer to a state read
) (
  input  wire                        clk_i,
  input  wire                        rst_ni,
  input  wire                        write_valid_i,
  output wire                        write_ready_o,
  input  wire [11:0]                 write_address_i,
  input  wire [31:0]                 write_data_i,
  input  wire [3:0]                  write_strobe_i,
  output reg                         write_error_o,
  input  wire                        read_valid_i,
  output wire                        read_ready_o,
  input  wire [11:0]                 read_address_i,
  output reg  [31:0]                 read_data_o,
  output reg                         read_error_o,
  output wire                        start_o,            // pulses
  output wire                        soft_reset_o,
  output wire                        snapshot_o,
  output wire                        clear_o,
  output wire                        stateful_o,
  output wire                        trace_enable_o,
  output wire                        override_o,
  output wire [1:0]                  override_policy_o,
  output wire [3:0]                  layers_o,
  output wire [31:0]                 sequences_o,
  output wire [Tiles-1:0]            state_read_o,
  output wire                        state_kind_o,
  output wire [15:0]                 state_address_o,    // of a word
  input  wire [ReadWidth*Tiles-1:0]    state_data_i,
  output wire                        counter_read_o,
  output wire                        rows_read_o,
  output wire [5:0]                  counter_index_o,
  input  wire [63:0]                 counter_data_i,
  input  wire [63:0]                 rows_data_i,
  input  wire                        busy_i,
  input  wire                        done_i,
  input  wire                        resetting_i,
  input  wire                        bank_i,
  input  wire                        counters_busy_i,
  input  wire                        done_event_i,       // pulses
  input  wire [6:0]                  error_event_i,      // bits 0..6 of ERRORS
  output wire                        irq_o
);
  localparam [11:0] Id = 12'h000, Version = 12'h004, Build = 12'h008, Weights = 12'h00C, Units = 12'h010, Activations = 12'h014,
                    Control = 12'h020, Status = 12'h024, Config = 12'h028, Layers = 12'h02C, Sequences = 12'h030, Errors = 12'h034,
                    Interrupt = 12'h038, StateSelect = 12'h040, StateData = 12'h044;
  localparam [31:0] BuildTiles = Tiles, BuildLanes = Lanes, BuildInFlight = InFlight;
  localparam [31:0] ConfigBits = 32'h0000_0137, SelectBits = 32'hFF01_FFFF;
  localparam LaneBits = $clog2(DotLanes);
  localparam CounterWords = 34;

  reg [31:0] config_q, layers_q, sequences_q, select_q;
  reg [7:0]  errors_q;
  reg [1:0]  interrupt_q;
  reg        lookup_q;

  // Writes.
  wire        write   = write_valid_i & write_ready_o;
  wire [31:0] strobe  = {{8{write_strobe_i[3]}}, {8{write_strobe_i[2]}}, {8{write_strobe_i[1]}}, {8{write_strobe_i[0]}}};
  wire [31:0] ones    = write_data_i & strobe;
  wire        control = write & write_address_i == Control;

  assign write_ready_o = ~counters_busy_i;
  assign start_o       = control & ones[0];
  assign soft_reset_o  = control & ones[1];
  assign snapshot_o    = control & ones[2];
  assign clear_o       = control & ones[3];

  always @*
    case (write_address_i)
      Control, Config, Layers, Sequences, Errors, Interrupt, StateSelect: write_error_o = 1'b0;
      default:                                                            write_error_o = 1'b1;
    endcase

  function [31:0] merge(input [31:0] value);
    merge = (value & ~strobe) | ones;
  endfunction

  // Reads.
  wire        idle         = ~busy_i & ~resetting_i;
  wire        read_counter = read_address_i[11:8] == 4'h1 && read_address_i[7:2] < CounterWords;
  wire        read_rows    = read_address_i[11:9] == 3'b010 && read_address_i[5:3] < 5;
  wire        lookup       = read_valid_i & ~lookup_q & ~((read_counter | read_rows) & counters_busy_i);

  assign read_ready_o    = lookup_q;
  assign counter_read_o  = lookup & read_counter;
  assign rows_read_o     = lookup & read_rows;
  assign counter_index_o = read_address_i[8:3];

  wire [7:0]  tile      = select_q[31:24];
  wire [31:0] word      = select_q[16] ? {16'b0, select_q[15:0]} >> LaneBits : {16'b0, select_q[15:0]};
  wire        word_good = select_q[16] ? word < 2 * ActivationDepth : word < UnitDepth;
  wire        state     = read_address_i == StateData;
  wire        state_bad = ~idle | {24'b0, tile} >= Tiles | ~word_good;

  assign state_kind_o    = select_q[16];
  assign state_address_o = word[15:0];
  assign state_read_o    = lookup & state & ~state_bad ? {{Tiles-1{1'b0}}, 1'b1} << tile[3:0] : {Tiles{1'b0}};

  reg [ReadWidth-1:0] state_word;
  always @* begin
    state_word   = 0;
    read_data_o  = 32'd0;
    read_error_o = 1'b0;
    if (lookup_q) begin
      if (read_counter)
        read_data_o = read_address_i[2] ? counter_data_i[63:32] : counter_data_i[31:0];
      else if (read_rows)
        read_data_o = read_address_i[2] ? rows_data_i[63:32] : rows_data_i[31:0];
      else
        case (read_address_i)
          Id:          read_data_o = 32'h4C53544D;
          Version:     read_data_o = 32'h00010000;
          Build:       read_data_o = {7'b0, DynamicPrecision != 0, BuildInFlight[7:0], BuildLanes[7:0], BuildTiles[7:0]};
          Weights:     read_data_o = WeightDepth;
          Units:       read_data_o = UnitDepth;
          Activations: read_data_o = ActivationDepth;
          Control:     read_data_o = 32'd0;
          Status:      read_data_o = {27'b0, counters_busy_i, bank_i, resetting_i, done_i, busy_i};
          Config:      read_data_o = config_q;
          Layers:      read_data_o = layers_q;
          Sequences:   read_data_o = sequences_q;
          Errors:      read_data_o = {24'b0, errors_q};
          Interrupt:   read_data_o = {30'b0, interrupt_q};
          StateSelect: read_data_o = select_q;
          StateData: begin
            state_word   = state_data_i[ReadWidth*tile[3:0] +: ReadWidth];
            read_data_o  = select_q[16] ? {24'b0, state_word[8*select_q[LaneBits-1:0] +: 8]} : {8'b0, state_word[23:0]};
            read_error_o = state_bad;
          end
          default: read_error_o = 1'b1;
        endcase
      if (read_address_i[1:0] != 0) read_error_o = 1'b1;
    end
  end

  // State.
  wire [7:0] error_events = {lookup_q & state & state_bad, error_event_i};

  assign stateful_o        = config_q[0];
  assign trace_enable_o    = config_q[1];
  assign override_o        = config_q[2];
  assign override_policy_o = config_q[5:4];
  assign layers_o          = layers_q[31:4] != 0 ? 4'd15 : layers_q[3:0];
  assign sequences_o       = sequences_q;
  assign irq_o             = config_q[8] & |interrupt_q;

  always @(posedge clk_i)
    if (!rst_ni) begin
      lookup_q    <= 1'b0;
      config_q    <= 32'd0;
      layers_q    <= 32'd1;
      sequences_q <= 32'd1;
      select_q    <= 32'd0;
      errors_q    <= 8'd0;
      interrupt_q <= 2'd0;
    end else begin
      lookup_q <= lookup;
      errors_q <= (errors_q & ~(write & write_address_i == Errors ? ones[7:0] : {8{soft_reset_o}})) | error_events;
      interrupt_q <= (interrupt_q & ~(write & write_address_i == Interrupt ? ones[1:0] : 2'b00)) | {|error_events, done_event_i};
      if (write)
        case (write_address_i)
          Config:      config_q    <= merge(config_q) & ConfigBits;
          Layers:      layers_q    <= merge(layers_q);
          Sequences:   sequences_q <= merge(sequences_q);
          StateSelect: select_q    <= merge(select_q) & SelectBits;
          default: ;
        endcase
    end
endmodule

`default_nettype wire
