// SPDX-License-Identifier: MIT
// Stops elaboration when a parameter of the build has a value that the design does not support: the name of the missing module is the message.
`include "formats.vh"
`default_nettype none

module parameter_check #(
  parameter Tiles            = 4,
  parameter Lanes            = 64,
  parameter DynamicPrecision = 1,
  parameter InFlight         = 8,
  parameter WeightDepth      = 8192,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 128
);
  localparam DotLanes = `DOT_LANES(Lanes, DynamicPrecision);

  generate
    if (Tiles < 1 || Tiles > 16) begin : gen_tiles
      Tiles_must_be_1_to_16 error ();
    end
    if (Lanes != 8 && Lanes != 16 && Lanes != 32 && Lanes != 64) begin : gen_lanes
      Lanes_must_be_8_16_32_or_64 error ();
    end
    if (DynamicPrecision != 0 && DynamicPrecision != 1) begin : gen_dynamic_precision
      DynamicPrecision_must_be_0_or_1 error ();
    end
    if (InFlight < 2 || InFlight != 1 << $clog2(InFlight)) begin : gen_in_flight
      InFlight_must_be_a_power_of_two_from_2 error ();
    end
    if (WeightDepth < 8 || WeightDepth > 1048576) begin : gen_weight_depth
      WeightDepth_must_be_8_to_1048576 error ();
    end
    if (UnitDepth < 2 || UnitDepth > 65536) begin : gen_unit_depth
      UnitDepth_must_be_2_to_65536 error ();
    end
    if (ActivationDepth < 2 || ActivationDepth * DotLanes > 32768 || ActivationDepth != 1 << $clog2(ActivationDepth)) begin : gen_activation_depth
      ActivationDepth_must_be_a_power_of_two_from_2_to_32768_by_DotLanes error ();
    end
  endgenerate
endmodule

`default_nettype wire
