#include "control/subject_lookup.h"

#include <time.h>

#define TRIES 1000
#define PAUSE_NS 1000000

enum subject_found subject_find(struct lookup *lookup, const struct store_view *view,
                                const uint8_t key[SUBJECT_KEY_SIZE], struct subject_record *out)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct lookup_result result;
    enum lookup_status status = lookup_start(lookup, view, key, 0, out);
    for (unsigned tries = 0; status == LOOKUP_PENDING && tries < TRIES; tries++) {
        lookup_submit(lookup); /* the first page, or a second where the first sends on to it */
        if (lookup_reap(lookup, view, &result, 1) == 1) {
            status = result.status;
            *out = result.record;
        } else {
            nanosleep(&pause, NULL);
        }
    }
    return status == LOOKUP_FOUND ? SUBJECT_FOUND : status == LOOKUP_ABSENT ? SUBJECT_ABSENT : SUBJECT_FAILED;
}
