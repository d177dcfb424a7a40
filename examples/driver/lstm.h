/* SPDX-License-Identifier: MIT */
/* Driver of the LSTM accelerator in C99: loads an image, plays steps, reads h. docs/integration.md explains it.
 *
 * It knows the accelerator only by the functions of struct lstm_bus, which the system provides: over memory-mapped registers and a DMA engine, or over a
 * simulation (verilated_bus.cpp). It allocates nothing. Every function returns LSTM_OK or one of the errors below. */
#ifndef LSTM_H
#define LSTM_H

#include <stddef.h>
#include <stdint.h>

#define LSTM_BEAT_BYTES 16u

enum lstm_result {
    LSTM_OK = 0,
    LSTM_BUS_ERROR,   /* a function of the bus failed, or the accelerator answered SLVERR */
    LSTM_NOT_FOUND,   /* no accelerator here, or one whose VERSION this driver does not know */
    LSTM_BAD_IMAGE,   /* not an image, or an image for another build */
    LSTM_REFUSED,     /* a bit of ERRORS is set: see lstm_errors */
    LSTM_TIMEOUT      /* the run did not end */
};

enum lstm_stream { LSTM_STREAM_IMAGE, LSTM_STREAM_X };

/* What the driver needs of the system. Each function returns 0, or another number if it failed. */
struct lstm_bus {
    void *context; /* handed to each function */
    int (*write)(void *context, uint32_t address, uint32_t value);
    int (*read)(void *context, uint32_t address, uint32_t *value);
    /* One packet: count beats with tlast on the last; user: tuser on the last. Returns when all are taken. */
    int (*send)(void *context, enum lstm_stream stream, const uint8_t *beats, size_t count, int user);
    /* One packet of h, of exactly count beats. */
    int (*receive)(void *context, uint8_t *beats, size_t count);
};

struct lstm {
    const struct lstm_bus *bus;
    uint32_t build;  /* register BUILD */
    uint32_t layers; /* this and below: of the image that is loaded */
    size_t x_beats;  /* beats of a packet of x */
    size_t units;    /* of the last layer: bytes of h */
    const uint8_t *positions; /* of the units in a packet of h, 16 bits each; in the file */
};

/* Finds the accelerator, and resets it softly. */
enum lstm_result lstm_open(struct lstm *lstm, const struct lstm_bus *bus);

/* Loads an image file of examples/driver/export.py, which must stay in memory. */
enum lstm_result lstm_load(struct lstm *lstm, const uint8_t *file, size_t size);

/* Starts a run over this many sequences; config: bits of CONFIG, 0 for the policies of the image. */
enum lstm_result lstm_start(struct lstm *lstm, uint32_t sequences, uint32_t config);

/* Plays a step: x of x_beats beats; last: the step is the last of its sequence. h gets lstm_h_beats(lstm) beats. */
enum lstm_result lstm_step(struct lstm *lstm, const uint8_t *x, int last, uint8_t *h);

/* Waits until the run has ended. */
enum lstm_result lstm_finish(struct lstm *lstm);

/* A counter (enum lstm_counter) as of now. */
enum lstm_result lstm_counter(struct lstm *lstm, unsigned number, uint64_t *value);

/* Register ERRORS. */
enum lstm_result lstm_errors(struct lstm *lstm, uint32_t *errors);

/* Beats of a packet of h. */
size_t lstm_h_beats(const struct lstm *lstm);

/* h of a unit in a packet, in units of 1/120. */
int8_t lstm_h(const struct lstm *lstm, const uint8_t *h, size_t unit);

#endif
