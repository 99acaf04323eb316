#include "dataplane/follower.h"

#include <pthread.h>
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
    struct key_preparer *preparer;
    struct store *store;
    struct store *store_before; /* in force until the first generation from `store` is */
    struct generation_builder *builder;
    struct log_reader *log;
    bool published; /* a generation from `store` */
    bool complete;  /* log and table were read to their end once since they were opened */
    struct follower_state state;
    pthread_mutex_t shown_lock;
    struct follower_state shown; /* to other threads */
};

struct follower *follower_new(const struct config *config, struct publisher *publisher, struct oscore *oscore,
                              struct key_preparer *preparer)
{
    struct follower *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    memcpy(f->directory, config->store, sizeof f->directory);
    memcpy(f->seal_path, config->seal_key, sizeof f->seal_path);
    f->publisher = publisher;
    f->oscore = oscore;
    f->preparer = preparer;
    pthread_mutex_init(&f->shown_lock, NULL);
    return f;
}

/* What comes next begins anew: the log, and with it the store, the keys, the points. What is in force stays so. */
static void close_log(struct follower *f)
{
    if (f->log)
        log_reader_close(f->log);
    if (f->builder)
        generation_builder_free(f->builder);
    if (f->store && f->published)
        f->store_before = f->store;
    else if (f->store)
        store_close(f->store);
    f->log = NULL;
    f->builder = NULL;
    f->store = NULL;
    f->published = f->complete = false;
    f->state.reading = false;
}

void follower_free(struct follower *f)
{
    close_log(f);
    if (f->store_before)
        store_close(f->store_before);
    if (f->seal_key)
        seal_key_close(f->seal_key);
    pthread_mutex_destroy(&f->shown_lock);
    free(f);
}

static bool open_log(struct follower *f)
{
    int error = store_open(f->directory, OVERLAY_RECORDS_MAX, &f->store);
    if (error != 0) {
        f->store = NULL;
        snprintf(f->state.error, sizeof f->state.error, "store: %s", strerror(-error));
        return false;
    }
    f->builder = generation_builder_new(store_identity(f->store)->hash_key);
    if (!f->builder) {
        snprintf(f->state.error, sizeof f->state.error, "out of memory");
        close_log(f);
        return false;
    }
    generation_builder_prepare_with(f->builder, f->preparer);
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

static bool put_context(struct follower *f, const struct point *in, enum oscore_change *change)
{
    struct point point = *in;
    *change = unseal_point(f, &point) ? oscore_put(f->oscore, &point) : OSCORE_INVALID;
    explicit_bzero(&point, sizeof point);
    return *change != OSCORE_INVALID && *change != OSCORE_DUPLICATE && *change != OSCORE_FULL;
}

/* The security contexts follow the points; a context that was there already goes on with its window. While a log is
 * read anew below a generation in force they wait: what it says first may have been over long ago. */
static bool take_context(struct follower *f, const struct log_record *record)
{
    struct point point;
    enum oscore_change change;
    struct cbor_reader in = cbor_read(record->payload);
    if (!f->complete && f->state.generations > 0)
        return true;
    if (record->type == LOG_POINT_REMOVE)
        oscore_remove(f->oscore, (uint32_t)cbor_take_uint(&in));
    return record->type != LOG_POINT || !point_decode(record->payload, &point) || put_context(f, &point, &change);
}

static bool is_known(const void *context, uint32_t point_id)
{
    return generation_builder_point(context, point_id);
}

/* A name that another point has still becomes free when that one gets its own, so this one loses what it had. */
static void try_context(void *context, const struct point *point)
{
    struct follower *f = context;
    enum oscore_change change;
    if (!put_context(f, point, &change) && change == OSCORE_DUPLICATE)
        oscore_remove(f->oscore, point->id);
}

static void renew_context(void *context, const struct point *point)
{
    struct follower *f = context;
    enum oscore_change change;
    if (put_context(f, point, &change))
        return;
    if (!f->state.error[0])
        snprintf(f->state.error, sizeof f->state.error, "a point's security context cannot be used");
    f->state.records_refused++;
}

/* The contexts of the points as they are now that the log was read anew. */
static void renew_contexts(struct follower *f)
{
    oscore_remove_unless(f->oscore, is_known, f->builder);
    generation_each_point(f->builder, try_context, f);
    generation_each_point(f->builder, renew_context, f);
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
    if (f->store_before)
        store_close(f->store_before);
    f->store_before = NULL;
    f->published = true;
    if (f->oscore)
        oscore_reclaim(f->oscore);
    f->state.sequence = next->sequence;
    f->state.generations++;
    return true;
}

/* Everything is read before anything is in force, log and table: half of it would be another state of the city. */
static bool step(struct follower *f)
{
    if (!f->log && !open_log(f))
        return false;
    bool more = take_records(f), changed = false;
    if (!f->state.reading)
        return false;
    bool at_end = !more;
    if (at_end)
        more = store_step(f->store, &changed);
    if (!f->complete && !(at_end && store_complete(f->store))) {
        if (changed) /* nobody has seen what it replaces */
            store_release(f->store);
        return more;
    }
    if (!f->complete && f->oscore && f->state.generations > 0)
        renew_contexts(f);
    f->complete = true;
    if (changed || generation_changed(f->builder))
        return publish(f) && more;
    return more;
}

static void show(struct follower *f)
{
    if (f->store_before || f->store)
        store_info(f->store_before ? f->store_before : f->store, &f->state.store);
    pthread_mutex_lock(&f->shown_lock);
    f->shown = f->state;
    pthread_mutex_unlock(&f->shown_lock);
}

bool follower_step(struct follower *f)
{
    bool more = step(f);
    show(f);
    return more;
}

void follower_state(struct follower *f, struct follower_state *out)
{
    pthread_mutex_lock(&f->shown_lock);
    *out = f->shown;
    pthread_mutex_unlock(&f->shown_lock);
}
