/* SPDX-License-Identifier: MIT */
#ifndef VERILATED_BUS_H
#define VERILATED_BUS_H

#include "lstm.h"

#ifdef __cplusplus
extern "C"
#endif
/* The bus of a Verilated accelerator, out of reset. */
void verilated_bus(struct lstm_bus *bus);

#endif
