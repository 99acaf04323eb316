#include "dataplane/follower.h"

#include <stdio.h>
#include <stdlib.h>

#include "keys/store_identity.h"

/* Records that one generation takes at most, so that a long import does not hold back what came first. */
#define RECORDS_A_STEP 4096
#define OVERLAY_RECORDS_MAX (UINT64_C(1) << 28)

struct follower {
    char directory[CONFIG_PATH_MAX];
    struct publisher *publisher;
    struct overlay *overlay;
    struct generation_builder *builder;
    struct log_reader *log;
    bool caught_up; /* the log was read to its end once since it was opened */
    struct follower_state state;
};

struct follower *follower_new(const char *directory, struct publisher *publisher)
{
    struct follower *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    snprintf(f->directory, sizeof f->directory, "%s", directory);
    f->publisher = publisher;
    f->overlay = overlay_create(OVERLAY_RECORDS_MAX);
    if (!f->overlay) {
        follower_free(f);
        return NULL;
    }
    return f;
}

void follower_free(struct follower *f)
{
    if (f->log)
        log_reader_close(f->log);
    if (f->builder)
        generation_builder_free(f->builder);
    if (f->overlay)
        overlay_free(f->overlay);
    free(f);
}

/* A log that is opened again is read from its beginning into a new builder; what is in force stays so meanwhile. */
static bool open_store(struct follower *f)
{
    uint8_t hash_key[SUBJECT_HASH_KEY_SIZE];
    if (store_hash_key(f->directory, hash_key) != 0) {
        snprintf(f->state.error, sizeof f->state.error, "no store yet in %.200s", f->directory);
        return false;
    }
    if (f->builder)
        generation_builder_free(f->builder);
    f->builder = generation_builder_new(f->overlay, hash_key);
    f->caught_up = false;
    if (!f->builder) {
        snprintf(f->state.error, sizeof f->state.error, "out of memory");
        return false;
    }
    if (log_reader_open(f->directory, &f->log, f->state.error, sizeof f->state.error) != LOG_OK) {
        f->log = NULL;
        return false;
    }
    f->state.error[0] = 0;
    return true;
}

/* Takes records until the end, the bound, or a problem. True where the bound was met. */
static bool take_records(struct follower *f)
{
    struct log_record record;
    for (unsigned i = 0; i < RECORDS_A_STEP; i++) {
        enum log_status status = log_reader_next(f->log, &record);
        f->state.reading = status == LOG_OK || status == LOG_END;
        if (status == LOG_END)
            return false;
        if (status != LOG_OK) {
            snprintf(f->state.error, sizeof f->state.error, "%s", log_reader_error(f->log));
            log_reader_close(f->log);
            f->log = NULL;
            return false;
        }
        if (!generation_apply(f->builder, &record, f->state.error, sizeof f->state.error))
            f->state.records_refused++;
    }
    return true;
}

bool follower_step(struct follower *f)
{
    if (!f->log && !open_store(f))
        return false;
    bool more = take_records(f);
    /* Everything is read before anything is in force: half of the log would be another state of the city. */
    f->caught_up = f->caught_up || (f->state.reading && !more);
    if (!f->caught_up || !f->state.reading || !generation_changed(f->builder))
        return more;
    struct generation *next = generation_build(f->builder);
    if (!next) {
        snprintf(f->state.error, sizeof f->state.error, "out of memory for the next generation");
        return false;
    }
    publisher_swap(f->publisher, next);
    overlay_reclaim(f->overlay);
    f->state.sequence = next->sequence;
    f->state.generations++;
    return more;
}

void follower_state(const struct follower *f, struct follower_state *out)
{
    *out = f->state;
}
