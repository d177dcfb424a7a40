# SPDX-License-Identifier: MIT
"""Arithmetic form of the multiplications of rtl/, for synthesis only: partial products, a tree of full adders, a ripple at its end.

rtl/ writes `*`, whose form yosys would choose: an array of 1-bit products and adders that abc cannot map onto the library's full adder.
Here every partial product is written out, by one of two forms (`FORMS`):

  booth   the multiplier operand in radix 4: digits -2..2, a row of selectors for each two bits
  array   a row of 1-bit products for each bit, the top ones inverted (Baugh-Wooley)

What sign extension adds up to is one constant. Bits of a column are added earliest first, three at a time.
"""

import heapq
from collections import defaultdict
from dataclasses import dataclass, field

FORMS = ("booth", "array")

# Delays that order the tree, in ns: of a typical load, read off the timing reports of this library.
SUM_DELAY, CARRY_DELAY, SELECT_DELAY, PRODUCT_DELAY, REGISTER_DELAY = 0.40, 0.30, 1.1, 0.3, 0.25


@dataclass
class Adder:
    """Builds the Verilog of one sum of bits: `columns[k]` holds (arrival in ns, net) of weight 2^k. The sum is taken modulo 2^width."""

    width: int
    lines: list[str] = field(default_factory=list)
    registers: list[str] = field(default_factory=list)
    columns: dict[int, list] = field(default_factory=lambda: defaultdict(list))
    constant: int = 0
    nets: int = 0

    def net(self, expression: str | None = None) -> str:
        """A new net, driven by an expression if one is given."""
        self.nets += 1
        name = f"n{self.nets}"
        self.lines.append(f"wire {name}{f' = {expression}' if expression else ''};")
        return name

    def cell(self, kind: str, **pins: str) -> None:
        self.lines.append(f"{kind} c{self.nets} ({', '.join(f'.{pin}({net})' for pin, net in pins.items())});")

    def bit(self, column: int, arrival: float, net: str) -> None:
        if column < self.width:
            heapq.heappush(self.columns[column], (arrival, net))

    def add_constants(self) -> None:
        for column in range(self.width):
            if self.constant >> column & 1:
                self.bit(column, 0.0, "1'b1")

    def full(self, column: int) -> None:
        """Three bits of a column to a sum and a carry."""
        bits = [heapq.heappop(self.columns[column]) for _ in range(3)]
        arrival, names = max(arrival for arrival, _ in bits), [net for _, net in bits]
        last = column == self.width - 1
        if "1'b1" in names:
            names.remove("1'b1")
            total = self.net("~({} ^ {})".format(*names))
            carry = None if last else self.net("{} | {}".format(*names))
        elif last:
            total, carry = self.net("{} ^ {} ^ {}".format(*names)), None
        else:
            total, carry = self.net(), self.net()
            self.cell("FAX1", A=names[0], B=names[1], C=names[2], YS=total, YC=carry)
        self.bit(column, arrival + SUM_DELAY, total)
        if carry:
            self.bit(column + 1, arrival + CARRY_DELAY, carry)

    def half(self, column: int) -> None:
        """Two bits of a column to a sum and a carry."""
        bits = [heapq.heappop(self.columns[column]) for _ in range(2)]
        arrival, names = max(arrival for arrival, _ in bits), [net for _, net in bits]
        if "1'b1" in names:
            names.remove("1'b1")
            total, carry = self.net(f"~{names[0]}"), names[0]
        elif column == self.width - 1:
            total, carry = self.net("{} ^ {}".format(*names)), None
        else:
            total, carry = self.net(), self.net()
            self.cell("HAX1", A=names[0], B=names[1], YS=total, YC=carry)
        self.bit(column, arrival + SUM_DELAY, total)
        if carry:
            self.bit(column + 1, arrival + CARRY_DELAY, carry)

    def reduce(self, until: float = float("inf"), rows: int = 2) -> None:
        """Adds every column down to so many bits, and to one where that is known by `until`."""
        for column in range(self.width):
            bits = self.columns[column]
            while len(bits) > rows or (len(bits) == 2 and max(bits)[0] + SUM_DELAY <= until):
                self.full(column) if len(bits) > 2 else self.half(column)

    def register(self) -> None:
        """A register through all columns."""
        for column, bits in self.columns.items():
            for _, net in bits:
                if net != "1'b1":
                    self.registers.append(net)
            self.columns[column] = [(REGISTER_DELAY if net != "1'b1" else 0.0, f"{net}_q" if net != "1'b1" else net) for _, net in bits]
            heapq.heapify(self.columns[column])

    def result(self) -> list[str]:
        """The sum's bits, lowest first, once every column has one bit."""
        return [self.columns[column][0][1] if self.columns[column] else "1'b0" for column in range(self.width)]

    # Products.

    def booth(self, multiplicand: list[str], multiplier: list[str], signed: bool, multiplier_signed: bool) -> None:
        """Adds multiplicand * multiplier (bits, lowest first; the multiplicand is signed or not) by digits of the multiplier."""
        bits = list(multiplier) if multiplier_signed else [*multiplier, "1'b0"]
        bits += [bits[-1]] * (len(bits) % 2)
        once = list(multiplicand)
        if not signed:  # twice an unsigned number and a sign take a bit more
            multiplicand = [*multiplicand, "1'b0"]
        top, inverted = multiplicand[-1], [self.net(f"~{net}") for net in multiplicand]
        inverted_top = inverted[-1]
        size = len(multiplicand) + 1  # of a row, its sign included
        for position in range(0, len(bits), 2):
            low, middle, high = bits[position - 1] if position else "1'b0", bits[position], bits[position + 1]
            if high == "1'b0" and middle == "1'b0":  # the digit is 0 or 1
                self.row([self.net(f"{low} & {net}") for net in once], position, signed, PRODUCT_DELAY)
                continue
            negative = high if position == 0 else self.net(f"{high} & ~({middle} & {low})")  # not for the digit 0 of three ones
            if position == 0:  # the digit is -2, -1, 0 or 1
                plus, minus, minus_two = self.net(f"~{high} & {middle}"), self.net(f"{high} & {middle}"), self.net(f"{high} & ~{middle}")
                row = [self.net(f"({plus} & {a}) | ({minus} & {inv}) | ({minus_two} & {inv_below})")
                       for a, inv, inv_below in zip([*multiplicand, top][1:], [*inverted, inverted_top][1:], inverted, strict=True)]
                single = middle
            else:
                single = self.net(f"{middle} ^ {low}")
                double = self.net(f"~({single} | ~({high} ^ {middle}))")
                flipped = [self.net(f"{a} ^ {negative}") for a in [*multiplicand, top]]
                row = [self.net(f"({single} & {a}) | ({double} & {below})") for a, below in zip(flipped[1:], flipped, strict=False)]
            # The lowest bit with the 1 that completes the negation: a sum of one bit, and a carry.
            lowest = self.net(f"{single} & {multiplicand[0]}")
            self.bit(position, PRODUCT_DELAY, lowest)
            self.bit(position + 1, SELECT_DELAY, self.net(f"{negative} & ~{lowest}"))
            self.row(row, position + 1, True, SELECT_DELAY)
            assert len(row) == size - 1

    def array(self, multiplicand: list[str], multiplier: list[str], signed: bool, multiplier_signed: bool) -> None:
        """Adds multiplicand * multiplier by one row for each bit of the multiplier."""
        for position, bit in enumerate(multiplier):
            last = multiplier_signed and position == len(multiplier) - 1
            for index, net in enumerate(multiplicand):
                negative = last != (signed and index == len(multiplicand) - 1)
                self.bit(position + index, PRODUCT_DELAY, self.net(f"~({bit} & {net})" if negative else f"{bit} & {net}"))
                if negative:
                    self.constant -= 1 << position + index

    def row(self, row: list[str], position: int, signed: bool, arrival: float) -> None:
        """Adds a row of bits, the last of which is a sign or not."""
        for index, net in enumerate(row[:-1] if signed else row):
            self.bit(position + index, arrival, net)
        if signed:
            sign = position + len(row) - 1
            self.bit(sign, arrival, self.net(f"~{row[-1]}"))
            self.constant -= 1 << sign

    def sum(self, until: float) -> str:
        """The sum as an expression: bits that a ripple gives by `until`, and an addition of two rows above them."""
        self.reduce(until)
        low = next((column for column in range(self.width) if len(self.columns[column]) > 1), self.width)
        bits = [self.columns[column][0][1] if self.columns[column] else "1'b0" for column in range(low)]
        if low == self.width:
            return f"{{{', '.join(reversed(bits))}}}"
        rows = [[sorted(self.columns[column])[row][1] if row < len(self.columns[column]) else "1'b0" for column in range(low, self.width)]
                for row in range(2)]
        high = self.net()
        self.lines[-1] = f"wire [{self.width - low - 1}:0] {high} = " + " + ".join(f"{{{', '.join(reversed(row))}}}" for row in rows) + ";"
        return f"{{{', '.join([high, *reversed(bits)])}}}"

    def body(self) -> str:
        if not self.registers:
            return "\n".join(f"  {line}" for line in self.lines)
        clocked = " ".join(f"{net}_q <= {net};" for net in self.registers)
        declared = ", ".join(f"{net}_q" for net in self.registers)
        return "\n".join(f"  {line}" for line in [f"reg {declared};", *self.lines, f"always @(posedge clk_i) begin {clocked} end"])


def dot_product(lanes: int, bits: int, form: str = "booth", rows: int = 6) -> str:
    """Verilog of a module that does what rtl/dot_product.v does, for so many lanes and operands of so many bits.

    rows: of the tree that are left at the register which cuts it; both halves then take about the same time.
    """
    width = 2 * bits + (lanes - 1).bit_length()
    adder = Adder(width)
    for lane in range(lanes):
        weight = [f"weights_i[{bits * lane + bit}]" for bit in range(bits)]
        activation = [f"activations_i[{bits * lane + bit}]" for bit in range(bits)]
        getattr(adder, form)(activation, weight, True, True)
    adder.add_constants()
    adder.reduce(0.0, rows)
    adder.register()
    adder.reduce()
    return f"""module dot_product #(
  parameter Lanes = {lanes}, OperandBits = {bits}, SumWidth = {width}
) (
  input  wire clk_i,
  input  wire [{lanes * bits - 1}:0] weights_i,
  input  wire [{lanes * bits - 1}:0] activations_i,
  output reg  [{width - 1}:0] sum_o
);
{adder.body()}
  always @(posedge clk_i) sum_o <= {{{', '.join(reversed(adder.result()))}}};
endmodule
"""


def multiplier(a_width: int, b_width: int, y_width: int, signed: bool, unsigned_b: bool, form: str = "booth", until: float = 2.0) -> str:
    """Verilog of a techmap of Yosys' $mul of these parameters; B is the operand of the digits.

    unsigned_b: B is a signed operand whose top bit is always 0.
    """
    adder = Adder(y_width)
    b = [f"B[{bit}]" for bit in range(b_width - unsigned_b)]
    getattr(adder, form)([f"A[{bit}]" for bit in range(a_width)], b, signed, signed and not unsigned_b)
    adder.add_constants()
    total = adder.sum(until)
    conditions = [f"A_WIDTH != {a_width}", f"B_WIDTH != {b_width}", f"Y_WIDTH != {y_width}", f"A_SIGNED != {int(signed)}", f"B_SIGNED != {int(signed)}"]
    if unsigned_b:
        conditions += [f"!_TECHMAP_CONSTMSK_B_[{b_width - 1}]", f"_TECHMAP_CONSTVAL_B_[{b_width - 1}]"]
    return f"""(* techmap_celltype = "$mul" *)
module multiply_{a_width}_{b_width} #(
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 0, B_WIDTH = 0, Y_WIDTH = 0,
  parameter [{b_width - 1}:0] _TECHMAP_CONSTMSK_B_ = 0, _TECHMAP_CONSTVAL_B_ = 0
) (
  input  [{a_width - 1}:0] A,
  input  [{b_width - 1}:0] B,
  output [{y_width - 1}:0] Y
);
  wire _TECHMAP_FAIL_ = {" || ".join(conditions)};
{adder.body()}
  assign Y = {total};
endmodule
"""
