#include "control/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOOKUP_DEPTH 4

static bool refuse(char *error, size_t error_size, const char *directory, const char *what)
{
    snprintf(error, error_size, "%s: %s", directory, what);
    return false;
}

static bool read_log(struct snapshot *s, const char *directory, char *error, size_t error_size)
{
    struct log_record record;
    char ignored[256];
    enum log_status status;
    bool more = true, changed;
    while ((status = log_reader_next(s->log, &record)) == LOG_OK) {
        bool taken = generation_apply(s->builder, &record, ignored, sizeof ignored) && store_take(s->store, &record);
        s->records_refused += !taken;
    }
    if (status != LOG_END)
        return refuse(error, error_size, directory, log_reader_error(s->log));
    while (more)
        more = store_step(s->store, &changed);
    return true;
}

bool snapshot_open(struct snapshot *s, const char *directory, char *error, size_t error_size)
{
    memset(s, 0, sizeof *s);
    int failure = store_open(directory, UINT32_MAX - 1, &s->store);
    if (failure != 0) {
        s->store = NULL;
        return refuse(error, error_size, directory, strerror(-failure));
    }
    s->builder = generation_builder_new(store_identity(s->store)->hash_key);
    failure = lookup_open(LOOKUP_DEPTH, &s->lookup);
    if (failure == 0)
        failure = lookup_start_thread(s->lookup);
    bool opened = s->builder && failure == 0;
    if (!opened)
        refuse(error, error_size, directory, strerror(failure ? -failure : ENOMEM));
    opened = opened && log_reader_open(directory, &s->log, error, error_size) == LOG_OK;
    opened = opened && read_log(s, directory, error, error_size);
    struct store_view subjects = store_view(s->store);
    s->generation = opened ? generation_build(s->builder, &subjects) : NULL;
    if (opened && !s->generation)
        refuse(error, error_size, directory, "out of memory");
    if (!s->generation)
        snapshot_close(s);
    return s->generation;
}

void snapshot_close(struct snapshot *s)
{
    if (s->generation)
        generation_free(s->generation);
    if (s->builder)
        generation_builder_free(s->builder);
    if (s->lookup)
        lookup_close(s->lookup);
    if (s->log)
        log_reader_close(s->log);
    if (s->store)
        store_close(s->store);
    memset(s, 0, sizeof *s);
}

enum lookup_status snapshot_subject(struct snapshot *s, const uint8_t key[SUBJECT_KEY_SIZE], struct subject_record *out)
{
    const struct store_view *view = &s->generation->subjects;
    struct lookup_result result = {.status = lookup_start(s->lookup, view, key, 0, out)};
    if (result.status != LOOKUP_PENDING)
        return result.status;
    lookup_submit(s->lookup);
    while (lookup_reap(s->lookup, view, &result, 1) == 0)
        ;
    *out = result.record;
    return result.status;
}
