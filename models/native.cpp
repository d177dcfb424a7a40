// SPDX-License-Identifier: MIT
// One layer of models/quantized_lstm.py over all steps of a batch, in the integers of docs/numerics.md. models/native.py compiles it, and says what its arguments are.
//
// Rows are [gate][unit], gates in the order i, f, g, o. The lowest level is computed for all rows, higher ones only for the rows of sequences that a policy refines.
// Plain loops over arrays, which compilers make vectors of: sums of products of int16 above all.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int64_t TILE = 32;  // sequences that go through all steps together: their operands and sums stay in the cache
constexpr int64_t ROWS = 32;  // rows of weights, a multiple of 4, that stay in the first cache while all sequences of a tile take them
constexpr int64_t REFINED = 64;  // likewise, rows of which some are refined
constexpr int64_t GROUP = 64;  // activations with one exponent
constexpr int64_t VECTOR = 32;  // a multiple of what an instruction takes of int16: segments are padded to multiples of it
enum Policy { FIXED, GIVEN, CELL_HISTORY, SENSITIVITY };

}  // namespace

// As models/native.py has it, field by field. Segments are those of x0, x1 and h.
struct Layer {
  int64_t steps, batch, terms, inputs, units, levels, exponents, c_frac, cell_floor, policy;
  const int64_t *quarters;              // [levels][3]
  const int16_t *weights_x, *weights_h;  // [rows][3][padded]: w, -wl, 16 wh; zeros after each
  const double *scales, *b;             // [3][rows]; [levels][rows]
  const int16_t *thresholds;            // [levels - 1][rows]
  const int32_t *table;                 // [256]: base << 16 | slope
  const int8_t *x;                      // [steps][batch][terms][inputs]
  int32_t *h, *c, *history;             // [batch][units], before the first step, and after the last one
  int8_t *all_h, *level;                // [steps][batch][units]; [steps][batch][rows], places of levels, which GIVEN reads
  int16_t *all_c;                       // [steps][batch][units]
};

namespace {

inline int64_t padded(int64_t size) { return (size + VECTOR - 1) / VECTOR * VECTOR; }

// Operands of the activations a[size] of a segment, [3][padded]: a, al, 2^e ah. With the weights beside them, products of quarters are sums of a few products.
void split(const int8_t *__restrict a, int64_t size, bool exponents, int16_t *__restrict operands) {
  int16_t *whole = operands, *lower = whole + padded(size), *upper = lower + padded(size);
  for (int64_t begin = 0; begin < size; begin += GROUP) {
    const int64_t end = std::min(begin + GROUP, size);
    int e = 4;
    if (exponents) {
      int8_t low = a[begin], high = a[begin];
      for (int64_t k = begin; k < end; ++k) low = std::min(low, a[k]), high = std::max(high, a[k]);
      for (e = 0; e < 4 && (((high + (1 << e >> 1)) >> e) > 7 || ((low + (1 << e >> 1)) >> e) < -8);) ++e;
    }
    const int16_t half = int16_t(1 << e >> 1), kept = int16_t(-(1 << e));
    for (int64_t k = begin; k < end; ++k) {
      const int16_t rounded = int16_t((a[k] + half) & kept);
      whole[k] = a[k];
      upper[k] = rounded;
      lower[k] = int16_t(a[k] - rounded);
    }
  }
}

// Where the sum of the first n quarters finds its operands and weights, in units of a padded segment, and how many of these it takes:
// 2^e ah . 16 wh; a . 16 wh; a . w - al . wl; a . w.
struct Part { int64_t operand, weight, length; };
constexpr Part PARTS[] = {{0, 0, 0}, {2, 2, 1}, {0, 2, 1}, {0, 0, 2}, {0, 0, 1}};

// Sums of four rows by the same activations; size is a multiple of VECTOR.
inline void dots(const int16_t *const rows[4], const int16_t *__restrict a, int64_t size, int32_t *__restrict sums) {
  const int16_t *__restrict w0 = rows[0], *__restrict w1 = rows[1], *__restrict w2 = rows[2], *__restrict w3 = rows[3];
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (int64_t k = 0; k < (size & -VECTOR); ++k) {
    s0 += w0[k] * a[k];
    s1 += w1[k] * a[k];
    s2 += w2[k] * a[k];
    s3 += w3[k] * a[k];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

// A segment of all rows, with its operands of a sequence or more.
struct Segment {
  const int16_t *weights, *operands;
  int64_t size;  // padded

  // Sums of the first `quarters` quarters of four rows, for a sequence by its number.
  void sums(const int64_t rows[4], int64_t sequence, int64_t quarters, int32_t *found) const {
    const Part part = PARTS[quarters];
    const int16_t *const w[] = {row(rows[0], part), row(rows[1], part), row(rows[2], part), row(rows[3], part)};
    dots(w, operands + (3 * sequence + part.operand) * size, part.length * size, found);
  }

  const int16_t *row(int64_t number, Part part) const { return weights + (3 * number + part.weight) * size; }
};

// Sums of the first `quarters` quarters of all rows, int32 [sequences][rows]. Some rows of all sequences, then the next ones: their weights stay in the cache.
void all_sums(const Segment &segment, int64_t quarters, int64_t rows, int64_t sequences, int32_t *found) {
  for (int64_t begin = 0; begin < rows; begin += ROWS)
    for (int64_t n = 0; n < sequences; ++n)
      for (int64_t row = begin; row < std::min(begin + ROWS, rows); row += 4) {
        const int64_t four[] = {row, row + 1, row + 2, row + 3};
        segment.sums(four, n, quarters, found + n * rows + row);
      }
}

inline int32_t clamp16(int32_t value) { return std::min(std::max(value, -32768), 32767); }
inline int32_t to_z(double sum, double b) { return int32_t(std::min(std::max(std::floor(sum + 0.5) + b, -32768.0), 32767.0)); }

// Half octaves of 0..32768, -128 for 0: exponent and first fraction bit of a float.
inline int32_t log_code(int32_t value) {
  const float real = float(value);
  int32_t bits;
  std::memcpy(&bits, &real, sizeof bits);
  return std::max((bits >> 22) - 2 * 127, -128);
}

inline int32_t size_code(int32_t value) { return std::max(log_code(value) + 1, 0); }

// Values and slopes of tanh (twice = 1), or of what sigmoids are half of (twice = 0). Without branches, so that the loop becomes vectors.
void look_up(const int32_t *__restrict table, int twice, int64_t count, const int32_t *__restrict z, int32_t *__restrict values, int32_t *__restrict slopes) {
  for (int64_t k = 0; k < count; ++k) {
    const int32_t sign = z[k] >> 31, u = std::min((z[k] ^ sign) - sign, 32767) << twice, word = table[u >> 8], slope = word & 0xffff;
    const int32_t y = (word >> 16) + ((slope * (u & 255) + 128) >> 8);
    values[k] = twice ? (y ^ sign) - sign : (32768 + ((y ^ sign) - sign) + 1) >> 1;
    slopes[k] = slope;
  }
}

// A step of a sequence: gates [rows] from z, the next cell state and its tanh [units].
struct Step {
  std::vector<int32_t> values, slopes, next, argument, t, t_slopes;

  explicit Step(int64_t units) : values(4 * units), slopes(4 * units), next(units), argument(units), t(units), t_slopes(units) {}

  void compute(const Layer &layer, const int32_t *z, const int32_t *__restrict c) {
    const int64_t units = layer.units;
    look_up(layer.table, 0, 2 * units, z, &values[0], &slopes[0]);
    look_up(layer.table, 1, units, z + 2 * units, &values[2 * units], &slopes[2 * units]);
    look_up(layer.table, 0, units, z + 3 * units, &values[3 * units], &slopes[3 * units]);
    const int shift = 30 - int(layer.c_frac), half = 1 << shift >> 1, up = std::max(12 - int(layer.c_frac), 0), down = std::max(int(layer.c_frac) - 12, 0);
    const int32_t *__restrict i = &values[0], *__restrict f = &values[units], *__restrict g = &values[2 * units];
    int32_t *__restrict after = next.data(), *__restrict v = argument.data();
    for (int64_t u = 0; u < units; ++u) {
      after[u] = clamp16(((f[u] * c[u] + (1 << 14)) >> 15) + ((i[u] * g[u] + half) >> shift));
      v[u] = clamp16(((after[u] << up) + (1 << down >> 1)) >> down);
    }
    look_up(layer.table, 1, units, v, t.data(), t_slopes.data());
  }

  // S of SENSITIVITY in seen[rows].
  void sensitivity(const Layer &layer, const int32_t *__restrict c, int16_t *__restrict seen) const {
    const int64_t units = layer.units;
    const int32_t *__restrict value = values.data(), *__restrict slope = slopes.data(), *__restrict tanh_c = t.data(), *__restrict tanh_slope = t_slopes.data();
    const int32_t floor_code = int32_t(layer.cell_floor);
    for (int64_t u = 0; u < units; ++u) {
      const int32_t through = std::max(log_code(value[3 * units + u]) + log_code(tanh_slope[u]), floor_code);
      seen[u] = int16_t(through + log_code(slope[u]) + log_code(std::abs(value[2 * units + u])));
      seen[units + u] = int16_t(through + log_code(slope[units + u]) + log_code(std::abs(c[u])));
      seen[2 * units + u] = int16_t(through + log_code(value[u]) + log_code(slope[2 * units + u]));
      seen[3 * units + u] = int16_t(log_code(slope[3 * units + u]) + log_code(std::abs(tanh_c[u])));
    }
  }

  // The new state, and what is kept of it.
  void end(const Layer &layer, int32_t *__restrict h, int32_t *__restrict c, int32_t *__restrict history, int8_t *__restrict all_h, int16_t *__restrict all_c) const {
    const int32_t *__restrict o = &values[3 * layer.units], *__restrict tanh_c = t.data(), *__restrict after = next.data();
    for (int64_t u = 0; u < layer.units; ++u) {
      const int32_t product = o[u] * tanh_c[u];  // 15 times it takes more than 32 bits: its lower ones apart
      h[u] = std::min((15 * (product >> 12) + (15 * (product & 4095) >> 12) + (1 << 14)) >> 15, 119);
      history[u] = std::max(size_code(std::min(std::abs(after[u] - c[u]), 32767)), history[u] - 1);
      c[u] = after[u];
    }
    for (int64_t u = 0; u < layer.units; ++u) {
      all_h[u] = int8_t(h[u]);
      all_c[u] = int16_t(c[u]);
    }
  }
};

// X of CELL_HISTORY in seen[rows].
void cell_sizes(const Layer &layer, const int32_t *__restrict c, const int32_t *__restrict history, int16_t *__restrict seen) {
  for (int64_t u = 0; u < layer.units; ++u) {
    seen[u] = seen[2 * layer.units + u] = int16_t(history[u] >> 2);
    seen[layer.units + u] = seen[3 * layer.units + u] = int16_t(size_code(std::abs(c[u])) >> 1);
  }
}

// The highest level whose threshold is exceeded, of all rows.
void choose(const int16_t *__restrict thresholds, int64_t rows, int64_t levels, const int16_t *__restrict seen, int8_t *__restrict level) {
  std::fill(level, level + rows, int8_t(0));
  for (int16_t place = 1; place < levels; ++place, thresholds += rows)
    for (int64_t row = 0; row < rows; ++row) level[row] = int8_t(std::max<int16_t>(level[row], int16_t(-(seen[row] > thresholds[row]) & place)));
}

class Tile {
 public:
  // All steps of the sequences first .. first + count - 1.
  Tile(const Layer &layer, int64_t first, int64_t count)
      : layer(layer), first(first), count(count), rows(4 * layer.units), size_x(padded(layer.inputs)), size_h(padded(layer.units)), block(TILE / count),
        x(layer.terms * block * count * 3 * size_x), h(count * 3 * size_h), sums_x(layer.terms * block * count * rows), z(count * rows), scaled(rows), seen(rows),
        lists(count * (rows + 3)), next(count), left(count), unit(layer.units) {}

  void run() {
    for (int64_t step = 0; step < layer.steps; ++step) {
      if (step % block == 0) prepare(step, std::min(block, layer.steps - step));
      for (int64_t n = 0; n < count; ++n) {
        const int32_t *own = layer.h + (first + n) * layer.units;
        bytes.assign(own, own + layer.units);
        split(bytes.data(), layer.units, false, &h[n * 3 * size_h]);
      }
      all_sums({layer.weights_h, h.data(), size_h}, layer.quarters[2], rows, count, z.data());
      for (int64_t n = 0; n < count; ++n) lowest(step, n);
      if (layer.policy != FIXED) refine(step);
      for (int64_t n = 0; n < count; ++n) end(step, n);
    }
  }

 private:
  const Layer &layer;
  const int64_t first, count, rows, size_x, size_h, block;
  std::vector<int16_t> x, h;             // operands: [terms][block][count][3][padded]; [count][3][padded]
  std::vector<int32_t> sums_x, z;        // [terms][block][count][rows]; [count][rows], which holds the sums of h before
  std::vector<double> scaled;            // [rows]
  std::vector<int16_t> seen;             // [rows]
  std::vector<int64_t> lists;            // [count][rows + 3]: rows at one level, the last of them three times more
  std::vector<int64_t> next, left;       // [count]: the first row of a list that is still to be refined, and how many are
  std::vector<int8_t> bytes;
  Step unit;

  int64_t at(int64_t step, int64_t n) const { return step * layer.batch + first + n; }
  int64_t in_block(int64_t term, int64_t step, int64_t n) const { return (term * block + step % block) * count + n; }

  // Operands of x in some steps, and their sums at the lowest level.
  void prepare(int64_t step, int64_t steps) {
    for (int64_t term = 0; term < layer.terms; ++term) {
      for (int64_t s = step; s < step + steps; ++s)
        for (int64_t n = 0; n < count; ++n)
          split(layer.x + (at(s, n) * layer.terms + term) * layer.inputs, layer.inputs, layer.exponents, &x[in_block(term, s, n) * 3 * size_x]);
      all_sums({layer.weights_x, &x[in_block(term, step, 0) * 3 * size_x], size_x}, layer.quarters[term], rows, steps * count, &sums_x[in_block(term, step, 0) * rows]);
    }
  }

  void end(int64_t step, int64_t n) {
    const int64_t state = (first + n) * layer.units, kept = at(step, n) * layer.units;
    unit.compute(layer, &z[n * rows], layer.c + state);
    unit.end(layer, layer.h + state, layer.c + state, layer.history + state, layer.all_h + kept, layer.all_c + kept);
  }

  // z of a sequence at the lowest level, and what a policy chooses by it.
  void lowest(int64_t step, int64_t n) {
    int32_t *__restrict own = &z[n * rows];
    double *__restrict sum = scaled.data();
    std::fill(scaled.begin(), scaled.end(), 0.0);
    for (int64_t term = 0; term <= layer.terms; ++term) {
      const int32_t *__restrict found = term < layer.terms ? &sums_x[in_block(term, step, n) * rows] : own;
      const double *__restrict scale = layer.scales + (term < layer.terms ? term : 2) * rows;
      for (int64_t row = 0; row < rows; ++row) sum[row] += found[row] * scale[row];
    }
    for (int64_t row = 0; row < rows; ++row) own[row] = to_z(sum[row], layer.b[row]);
    const int64_t state = (first + n) * layer.units;
    if (layer.policy == SENSITIVITY) {
      unit.compute(layer, own, layer.c + state);
      unit.sensitivity(layer, layer.c + state, seen.data());
    }
    if (layer.policy == CELL_HISTORY) cell_sizes(layer, layer.c + state, layer.history + state, seen.data());
    if (layer.policy >= CELL_HISTORY) choose(layer.thresholds, rows, layer.levels, seen.data(), layer.level + at(step, n) * rows);
  }

  // z of the rows above the lowest level: four of a sequence at a time, all sequences as far as some row, then the next ones, as in all_sums.
  void refine(int64_t step) {
    for (int64_t place = 1; place < layer.levels; ++place) {
      for (int64_t n = 0; n < count; ++n) {
        const int8_t *level = layer.level + at(step, n) * rows;
        int64_t *list = chosen(n);
        int64_t found = 0;
        if (std::memchr(level, int(place), size_t(rows)))  // looks at many rows at once: a level that nobody takes costs little
          for (int64_t row = 0; row < rows; ++row) {
            list[found] = row;
            found += level[row] == place;
          }
        if (found) std::fill(list + found, list + found + 3, list[found - 1]);
        next[n] = 0, left[n] = found;
      }
      for (int64_t end = REFINED; end < rows + REFINED; end += REFINED)
        for (int64_t n = 0; n < count; ++n)
          for (; left[n] > 0 && chosen(n)[next[n] + 3] < end; next[n] += 4, left[n] -= 4) refine(step, n, place, chosen(n) + next[n]);
    }
  }

  int64_t *chosen(int64_t n) { return &lists[n * (rows + 3)]; }

  void refine(int64_t step, int64_t n, int64_t place, const int64_t four[4]) {
    double sums[4] = {};
    for (int64_t term = 0; term <= layer.terms; ++term) {
      const int64_t segment = term < layer.terms ? term : 2;
      int32_t found[4];
      if (segment < 2) Segment{layer.weights_x, x.data(), size_x}.sums(four, in_block(term, step, n), layer.quarters[3 * place + term], found);
      else Segment{layer.weights_h, h.data(), size_h}.sums(four, n, layer.quarters[3 * place + 2], found);
      for (int r = 0; r < 4; ++r) sums[r] += found[r] * layer.scales[segment * rows + four[r]];
    }
    for (int r = 0; r < 4; ++r) z[n * rows + four[r]] = to_z(sums[r], layer.b[place * rows + four[r]]);
  }
};

}  // namespace

extern "C" void run_layer(const Layer *layer) {
  for (int64_t first = 0; first < layer->batch; first += TILE) Tile(*layer, first, std::min(TILE, layer->batch - first)).run();
}
