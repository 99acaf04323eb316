/* The points' ends of their OSCORE security contexts (RFC 8613), and the sequence numbers that go with them. */
#pragma once

#include <stdio.h>

#include "dataplane/oscore_message.h"

#define CONTEXT_ECHO_MAX 40 /* RFC 9175 section 2.2.1 */

struct context {
    struct oscore_keys keys;
    uint8_t kid[4], appliance[4], id_context[POINT_ID_CONTEXT_MAX];
    uint8_t kid_size, appliance_size, id_context_size;
    uint8_t echo_size; /* 0: the target never challenged this point */
    uint8_t echo[CONTEXT_ECHO_MAX];
};

struct contexts {
    struct context *list; /* by point; owned */
    uint32_t count;
    uint64_t next;            /* the lowest sequence number that no context has used */
    char sequence_path[4096]; /* where that stands from one run to the next; "": nowhere */
};

/* What a point's record holds where its context comes from the seed: the secrets of a test and of nothing else. */
void context_of_seed(uint64_t seed, uint32_t point, struct point_oscore *out);
/* Contexts of all points from the seed, with sequence numbers from 0: for a target that is as new. False where memory
 * is out. */
bool contexts_of_seed(uint64_t seed, uint32_t points, struct contexts *out);
/* Reads contexts as `chengmen point export` prints them, one behind the other, in any order: each of the points 1 to
 * `points` once, more are passed over. The numbers that were used stand in FILE.sequence. False with one line in
 * `error`. */
bool contexts_read(const char *path, uint32_t points, struct contexts *out, char *error, size_t error_size);
/* Writes the context of one point as contexts_read takes it. */
void context_write(const struct point_oscore *oscore, uint32_t number, FILE *out);
/* Takes sequence numbers for at most `count` requests of any context: `*first` and those after it. On disk as taken
 * before this returns. False where none are left or that could not be stored. */
bool contexts_take(struct contexts *contexts, uint64_t count, uint64_t *first);
/* Wipes the keys. */
void contexts_free(struct contexts *contexts);
