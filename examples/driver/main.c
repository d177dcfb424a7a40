/* SPDX-License-Identifier: MIT */
/* play IMAGE X: loads the image, plays the packets of x as one sequence, and prints h of all units, a line a step, then the cycles that it took. */
#include <stdio.h>
#include <stdlib.h>

#include "lstm.h"
#include "lstm_accelerator.h"
#include "verilated_bus.h"

static uint8_t *contents(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    if (file && !fseek(file, 0, SEEK_END)) {
        *size = (size_t)ftell(file);
        bytes = malloc(*size + 1);
        rewind(file);
        if (bytes && fread(bytes, 1, *size, file) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file) fclose(file);
    if (!bytes) {
        fprintf(stderr, "play: cannot read %s\n", path);
        exit(2);
    }
    return bytes;
}

static void expect(enum lstm_result result, struct lstm *lstm, const char *what)
{
    static const char *const reasons[] = {"no error", "the bus failed", "no accelerator of this version", "no image for this build", "refused", "no end"};
    uint32_t errors = 0;
    if (result == LSTM_OK) return;
    lstm_errors(lstm, &errors);
    fprintf(stderr, "play: %s: %s (ERRORS 0x%02x)\n", what, reasons[result], (unsigned)errors);
    exit(1);
}

int main(int argc, char **argv)
{
    struct lstm lstm;
    struct lstm_bus bus;
    size_t image_size, x_size, step, steps, unit;
    uint64_t cycles;
    uint8_t *image, *x, *h;
    if (argc != 3) {
        fprintf(stderr, "usage: %s IMAGE X\n", argv[0]);
        return 2;
    }
    image = contents(argv[1], &image_size);
    x = contents(argv[2], &x_size);

    verilated_bus(&bus);
    expect(lstm_open(&lstm, &bus), &lstm, "open");
    expect(lstm_load(&lstm, image, image_size), &lstm, "load");
    expect(lstm_start(&lstm, 1, 0), &lstm, "start");
    steps = x_size / (lstm.x_beats * LSTM_BEAT_BYTES);
    h = malloc(lstm_h_beats(&lstm) * LSTM_BEAT_BYTES);
    for (step = 0; step < steps; ++step) {
        expect(lstm_step(&lstm, x + step * lstm.x_beats * LSTM_BEAT_BYTES, step + 1 == steps, h), &lstm, "step");
        for (unit = 0; unit < lstm.units; ++unit) printf("%d%c", lstm_h(&lstm, h, unit), unit + 1 < lstm.units ? ' ' : '\n');
    }
    expect(lstm_finish(&lstm), &lstm, "finish");
    expect(lstm_counter(&lstm, LSTM_COUNTER_CYCLES, &cycles), &lstm, "counter");
    printf("cycles %lu\n", (unsigned long)cycles);
    free(h);
    free(x);
    free(image);
    return 0;
}
