/* Looking a subject up without ever waiting: overlay and filter answer from memory; what is in the table is read
 * through the worker's own ring while the worker goes on. One struct lookup a worker. The view is that of the worker's
 * present generation; when it changes between a start and its result, the lookup is made again in the new one. */
#pragma once

#include "keys/store.h"

struct lookup;
/* `depth` reads may be under way at once. Opened anywhere; lookup_start_thread is called by the worker before the rest.
 * All memory is taken here. 0 or a negative errno. */
int lookup_open(unsigned depth, struct lookup **out);
int lookup_start_thread(struct lookup *lookup);
void lookup_close(struct lookup *lookup);

enum lookup_status {
    LOOKUP_FOUND,
    LOOKUP_ABSENT,  /* the subject has no record, or a removed one */
    LOOKUP_PENDING, /* lookup_reap will tell */
    LOOKUP_BUSY,    /* `depth` reads are under way */
    LOOKUP_DAMAGED, /* what the store says of this subject is not to be believed */
    LOOKUP_FAILED,  /* the disk failed */
};

/* Asks the processor for what lookup_start will touch; worth while for a burst, some requests ahead. */
void lookup_prefetch(const struct store_view *view, const uint8_t key[SUBJECT_KEY_SIZE]);
/* Answers from memory, or puts a read and returns LOOKUP_PENDING. `out` is written where FOUND. */
enum lookup_status lookup_start(struct lookup *lookup, const struct store_view *view,
                                const uint8_t key[SUBJECT_KEY_SIZE], uint64_t cookie, struct subject_record *out);
/* Submits what lookup_start put, in one call: once a burst. */
void lookup_submit(struct lookup *lookup);

struct lookup_result {
    uint64_t cookie;
    enum lookup_status status; /* FOUND, ABSENT, DAMAGED or FAILED */
    struct subject_record record;
};
/* Takes up to n results; also carries on lookups that need a second page. Every LOOKUP_PENDING gets one result, also
 * where its request was given up meanwhile. */
unsigned lookup_reap(struct lookup *lookup, const struct store_view *view, struct lookup_result results[], unsigned n);
unsigned lookup_pending(const struct lookup *lookup);
