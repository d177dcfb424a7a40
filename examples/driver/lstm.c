/* SPDX-License-Identifier: MIT */
#include "lstm.h"

#include "lstm_accelerator.h"

#define FILE_WORDS 5u     /* of the head of an image file */
#define POLLS 1000000u    /* of STATUS, until a run counts as hung */
#define TRY(call)                             \
    do {                                      \
        enum lstm_result result_ = (call);    \
        if (result_ != LSTM_OK) return result_; \
    } while (0)

static enum lstm_result write_register(struct lstm *lstm, uint32_t address, uint32_t value)
{
    return lstm->bus->write(lstm->bus->context, address, value) ? LSTM_BUS_ERROR : LSTM_OK;
}

static enum lstm_result read_register(struct lstm *lstm, uint32_t address, uint32_t *value)
{
    return lstm->bus->read(lstm->bus->context, address, value) ? LSTM_BUS_ERROR : LSTM_OK;
}

static uint32_t little_endian(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static enum lstm_result wait_while(struct lstm *lstm, uint32_t mask)
{
    uint32_t status, polls;
    for (polls = 0; polls < POLLS; ++polls) {
        TRY(read_register(lstm, LSTM_STATUS, &status));
        if (!(status & mask)) return LSTM_OK;
    }
    return LSTM_TIMEOUT;
}

static enum lstm_result check_errors(struct lstm *lstm)
{
    uint32_t errors;
    TRY(lstm_errors(lstm, &errors));
    return errors ? LSTM_REFUSED : LSTM_OK;
}

enum lstm_result lstm_open(struct lstm *lstm, const struct lstm_bus *bus)
{
    uint32_t id, version;
    lstm->bus = bus;
    TRY(read_register(lstm, LSTM_ID, &id));
    TRY(read_register(lstm, LSTM_VERSION, &version));
    if (id != LSTM_ID_RESET || (version ^ LSTM_VERSION_RESET) & LSTM_VERSION_MAJOR_MASK) return LSTM_NOT_FOUND;
    TRY(read_register(lstm, LSTM_BUILD, &lstm->build));
    TRY(write_register(lstm, LSTM_CONTROL, LSTM_CONTROL_SOFT_RESET_MASK));
    return wait_while(lstm, LSTM_STATUS_RESETTING_MASK);
}

enum lstm_result lstm_load(struct lstm *lstm, const uint8_t *file, size_t size)
{
    /* How many units are in flight is no matter of the image. */
    const uint32_t compared = ~(uint32_t)LSTM_BUILD_IN_FLIGHT_MASK;
    size_t at = 4 * FILE_WORDS;
    if (size < at || little_endian(file) != LSTM_ID_RESET || (little_endian(file + 4) ^ lstm->build) & compared) return LSTM_BAD_IMAGE;
    lstm->layers = little_endian(file + 8);
    lstm->x_beats = little_endian(file + 12);
    lstm->units = little_endian(file + 16);
    lstm->positions = file + at;
    if ((size - at) / 2 < lstm->units) return LSTM_BAD_IMAGE;
    at += 2 * lstm->units;
    while (at < size) {
        size_t beats;
        if (size - at < 4) return LSTM_BAD_IMAGE;
        beats = little_endian(file + at);
        at += 4;
        if (!beats || (size - at) / LSTM_BEAT_BYTES < beats) return LSTM_BAD_IMAGE;
        if (lstm->bus->send(lstm->bus->context, LSTM_STREAM_IMAGE, file + at, beats, 0)) return LSTM_BUS_ERROR;
        at += beats * LSTM_BEAT_BYTES;
    }
    return check_errors(lstm);
}

enum lstm_result lstm_start(struct lstm *lstm, uint32_t sequences, uint32_t config)
{
    TRY(write_register(lstm, LSTM_CONFIG, config));
    TRY(write_register(lstm, LSTM_LAYERS, lstm->layers));
    TRY(write_register(lstm, LSTM_SEQUENCES, sequences));
    TRY(write_register(lstm, LSTM_CONTROL, LSTM_CONTROL_START_MASK | LSTM_CONTROL_CLEAR_MASK));
    return check_errors(lstm);
}

enum lstm_result lstm_step(struct lstm *lstm, const uint8_t *x, int last, uint8_t *h)
{
    if (lstm->bus->send(lstm->bus->context, LSTM_STREAM_X, x, lstm->x_beats, last)) return LSTM_BUS_ERROR;
    return lstm->bus->receive(lstm->bus->context, h, lstm_h_beats(lstm)) ? LSTM_BUS_ERROR : LSTM_OK;
}

enum lstm_result lstm_finish(struct lstm *lstm)
{
    TRY(wait_while(lstm, LSTM_STATUS_BUSY_MASK));
    return check_errors(lstm);
}

enum lstm_result lstm_counter(struct lstm *lstm, unsigned number, uint64_t *value)
{
    uint32_t low, high;
    TRY(write_register(lstm, LSTM_CONTROL, LSTM_CONTROL_SNAPSHOT_MASK));
    TRY(read_register(lstm, LSTM_COUNTER_ADDRESS(number), &low));
    TRY(read_register(lstm, LSTM_COUNTER_ADDRESS(number) + 4, &high));
    *value = (uint64_t)high << 32 | low;
    return LSTM_OK;
}

enum lstm_result lstm_errors(struct lstm *lstm, uint32_t *errors)
{
    return read_register(lstm, LSTM_ERRORS, errors);
}

size_t lstm_h_beats(const struct lstm *lstm)
{
    return (lstm->units + LSTM_BEAT_BYTES - 1) / LSTM_BEAT_BYTES;
}

int8_t lstm_h(const struct lstm *lstm, const uint8_t *h, size_t unit)
{
    const int value = h[lstm->positions[2 * unit] | (size_t)lstm->positions[2 * unit + 1] << 8];
    return (int8_t)(value < 128 ? value : value - 256);
}
