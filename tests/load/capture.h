/* A captured load: the requests of a pcap file (the classic format), replayed at their own times. */
#pragma once

#include "tests/load/pool.h"

#define CAPTURE_REQUESTS_MAX 10000000

/* Takes every CoAP request to UDP port 5683 over IPv4; message ids and tokens become ours, each source address becomes
 * one of `points` in the order of appearance. `speed` 2 replays in half the time. Answers are not judged but for their
 * form, since nobody knows what they should be. The file is not trusted. */
bool capture_read(const char *path, uint32_t points, double speed, struct pool *out, char *error, size_t error_size);
/* The same from memory. */
bool capture_parse(struct bytes file, uint32_t points, double speed, struct pool *out, char *error, size_t error_size);
