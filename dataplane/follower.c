#include "dataplane/follower.h"

#include <stdio.h>
#include <stdlib.h>

#include "keys/cbor.h"
#include "keys/seal.h"

/* Records that one generation takes at most, so that a long import does not hold back what came first. */
#define RECORDS_A_STEP 4096
#define OVERLAY_RECORDS_MAX (UINT64_C(1) << 26)

struct follower {
    char directory[CONFIG_PATH_MAX], seal_path[CONFIG_PATH_MAX];
    struct seal_key *seal_key; /* opened for the first secret; control has made it by then */
    struct publisher *publisher;
    struct oscore *oscore;
    struct store *store;
    struct generation_builder *builder;
    struct log_reader *log;
    bool caught_up; /* the log was read to its end once since it was opened */
    struct follower_state state;
};

struct follower *follower_new(const struct config *config, struct publisher *publisher, struct oscore *oscore)
{
    struct follower *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    memcpy(f->directory, config->store, sizeof f->directory);
    memcpy(f->seal_path, config->seal_key, sizeof f->seal_path);
    f->publisher = publisher;
    f->oscore = oscore;
    return f;
}

static void close_log(struct follower *f)
{
    if (f->log)
        log_reader_close(f->log);
    if (f->builder)
        generation_builder_free(f->builder);
    f->log = NULL;
    f->builder = NULL;
    f->state.reading = false;
}

void follower_free(struct follower *f)
{
    close_log(f);
    if (f->store)
        store_close(f->store);
    if (f->seal_key)
        seal_key_close(f->seal_key);
    free(f);
}

/* A log that is opened again is read from its beginning into a new builder; what is in force stays so meanwhile. */
static bool open_log(struct follower *f)
{
    int error = f->store ? 0 : store_open(f->directory, OVERLAY_RECORDS_MAX, &f->store);
    if (error != 0) {
        f->store = NULL;
        snprintf(f->state.error, sizeof f->state.error, "store: %s", strerror(-error));
        return false;
    }
    f->builder = generation_builder_new(store_identity(f->store)->hash_key);
    f->caught_up = false;
    if (!f->builder) {
        snprintf(f->state.error, sizeof f->state.error, "out of memory");
        return false;
    }
    if (log_reader_open(f->directory, &f->log, f->state.error, sizeof f->state.error) != LOG_OK) {
        f->log = NULL;
        close_log(f);
        return false;
    }
    f->state.error[0] = 0;
    return true;
}

static bool unseal_point(struct follower *f, struct point *point)
{
    if (point->oscore.alg == POINT_OSCORE_NONE)
        return true;
    if (!f->seal_key)
        f->seal_key = seal_key_open(f->seal_path, SEAL_MUST_EXIST, f->state.error, sizeof f->state.error);
    return f->seal_key && point_unseal(point, f->seal_key);
}

/* The security contexts follow the points; a context that was there already goes on with its window. */
static bool take_context(struct follower *f, const struct log_record *record)
{
    struct point point;
    struct cbor_reader in = cbor_read(record->payload);
    if (record->type == LOG_POINT_REMOVE)
        oscore_remove(f->oscore, (uint32_t)cbor_take_uint(&in));
    if (record->type != LOG_POINT || !point_decode(record->payload, &point))
        return true;
    enum oscore_change change = unseal_point(f, &point) ? oscore_put(f->oscore, &point) : OSCORE_INVALID;
    explicit_bzero(&point, sizeof point);
    return change != OSCORE_INVALID && change != OSCORE_DUPLICATE && change != OSCORE_FULL;
}

static void take_record(struct follower *f, const struct log_record *record)
{
    bool taken = generation_apply(f->builder, record, f->state.error, sizeof f->state.error);
    if (taken && !store_take(f->store, record)) {
        snprintf(f->state.error, sizeof f->state.error, "subject records: malformed, or no more room");
        taken = false;
    }
    if (taken && f->oscore && !take_context(f, record)) {
        if (!f->state.error[0])
            snprintf(f->state.error, sizeof f->state.error, "a point's security context cannot be used");
        taken = false;
    }
    f->state.records_refused += !taken;
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
            close_log(f);
            return false;
        }
        take_record(f, &record);
    }
    return true;
}

static bool publish(struct follower *f)
{
    struct store_view subjects = store_view(f->store);
    struct generation *next = generation_build(f->builder, &subjects);
    if (!next) {
        snprintf(f->state.error, sizeof f->state.error, "out of memory for the next generation");
        return false;
    }
    publisher_swap(f->publisher, next); /* every worker has left the generation before */
    store_release(f->store);
    if (f->oscore)
        oscore_reclaim(f->oscore);
    f->state.sequence = next->sequence;
    f->state.generations++;
    return true;
}

bool follower_step(struct follower *f)
{
    if (!f->log && !open_log(f))
        return false;
    bool more = take_records(f);
    /* Everything is read before anything is in force: half of the log would be another state of the city. */
    f->caught_up = f->caught_up || (f->state.reading && !more);
    if (!f->caught_up || !f->state.reading)
        return more;
    bool changed = false;
    if (!more)
        more = store_step(f->store, &changed);
    if (changed || generation_changed(f->builder))
        return publish(f) && more;
    return more;
}

void follower_state(const struct follower *f, struct follower_state *out)
{
    *out = f->state;
    if (f->store)
        store_info(f->store, &out->store);
}
