/* Requests that wait for the store: a fixed table a worker. Each has a cookie under which the disk's answer finds it,
 * and a deadline; all wait equally long, so the one that was parked first is the first to be late. */
#pragma once

#include "dataplane/request.h"

struct park;

/* Room for PARKED_MAX requests that wait up to `wait_ns`. NULL where memory is out. */
struct park *park_new(uint64_t wait_ns);
void park_free(struct park *park);

/* Whether one more fits, and the cookie that it would get. */
bool park_room(const struct park *park, uint64_t *cookie);
/* Takes a copy of r under that cookie; its frame stays with it. */
void park_put(struct park *park, const struct request *r, uint64_t now_ns);
/* The request of that cookie leaves the table; valid until the next park_put. NULL where it has left before. */
struct request *park_take(struct park *park, uint64_t cookie);
/* The same for a request whose time is over; NULL where there is none. */
struct request *park_take_late(struct park *park, uint64_t now_ns);
unsigned park_count(const struct park *park);
