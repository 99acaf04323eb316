/* Control's part in bench_store_live.c: its journal, whose header and the load tester's cannot be included together. */
#pragma once

#include "keys/log.h"

/* These end the benchmark where they fail. */
void live_control_open(const char *store);
void live_control_close(void);
void live_append(enum log_type type, const void *data, size_t size);
uint64_t live_commit(void); /* sequence of the last record */
/* A turn's share of folding, as control's main has it. False: there is nothing to fold. */
bool live_fold(void);
