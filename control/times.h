/* Times as people write them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970 from `1583020800`, `+3600` or `-60` (relative to `now_s`), `2020-03-01` (00:00 +08:00),
 * `2020-03-01T09:00:00+08:00` or `…Z`. False where it is none of these or lies before 1970. */
bool time_from_text(const char *text, uint64_t now_s, uint64_t *out);
/* Days since 1970 from `18322` or `2020-03-01`. */
bool day_from_text(const char *text, uint32_t *out);
/* `2020-03-01T09:00:00+08:00`. */
#define TIME_TEXT_SIZE 32
void time_to_text(uint64_t time_s, char room[TIME_TEXT_SIZE]);
