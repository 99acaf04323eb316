#include "control/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKUP_DEPTH 4

static bool refuse(char *error, size_t error_size, const char *directory, const char *what)
{
    snprintf(error, error_size, "%s: %s", directory, what);
    return false;
}

static void free_rules(struct snapshot_rules *rules)
{
    rule_set_free(rules->rules);
    free(rules->text);
}

/* Keeps what the generation forgets: rule sets that another has taken the place of, and their texts. */
static void keep_rules(struct snapshot *s, const struct log_record *record)
{
    char ignored[128];
    if (record->type == LOG_RULES_TEXT) {
        free(s->rules_text);
        s->rules_text = strndup((const char *)record->payload.data, record->payload.length);
        return;
    }
    struct rule_set *rules = rule_set_load(record->payload, ignored, sizeof ignored);
    if (!rules)
        return;
    if (s->rules_count == LOG_RULES_KEPT) {
        free_rules(&s->rules[0]);
        memmove(&s->rules[0], &s->rules[1], (LOG_RULES_KEPT - 1) * sizeof s->rules[0]);
        s->rules_count--;
    }
    s->rules[s->rules_count++] = (struct snapshot_rules){record->sequence, rules, s->rules_text};
    s->rules_text = NULL;
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
        if (record.type == LOG_RULES || record.type == LOG_RULES_TEXT)
            keep_rules(s, &record);
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
        if (failure != -ENOENT && failure != -ENOTDIR)
            return refuse(error, error_size, directory, strerror(-failure));
        snprintf(error, error_size, "there is no store in %s", directory);
        return false;
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
    for (uint32_t i = 0; i < s->rules_count; i++)
        free_rules(&s->rules[i]);
    free(s->rules_text);
    memset(s, 0, sizeof *s);
}

const struct snapshot_rules *snapshot_rules(const struct snapshot *s, uint32_t version)
{
    for (uint32_t i = s->rules_count; i > 0; i--)
        if (rule_set_version(s->rules[i - 1].rules) == version)
            return &s->rules[i - 1];
    return NULL;
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
