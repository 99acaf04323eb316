#include "keys/fold.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "keys/changed_lists.h"
#include "keys/filter_format.h"
#include "keys/log_format.h"
#include "keys/log_state.h"
#include "keys/merge.h"
#include "keys/table_format.h"

/* What sorting may take at once: beside a running appliance, and of a bulk, which is loaded before it runs. */
#define SORT_BYTES (64u << 20)
#define BULK_SORT_BYTES (UINT64_C(1) << 30)
#define STEP_RECORDS (FOLD_STEP_BYTES / sizeof(struct subject_record))

enum phase { PHASE_GATHER, PHASE_MERGE, PHASE_FINISH, PHASE_READY };

struct fold {
    char *directory;
    struct disk *disk;
    struct store_identity identity;
    struct log_reader *survey;  /* stands where the survey of the log ended */
    struct log_reader *changes; /* brings the subject changes */
    struct log_state *state;
    struct log_table table; /* in force; number 0: none */
    uint64_t first;         /* sequence of the log */
    uint64_t covers;
    uint64_t log_bytes;    /* up to `covers` */
    uint64_t subjects;     /* records in the log */
    uint64_t last_subject; /* sequence */
    bool keeps_table;      /* no subject change is beyond the table */

    enum phase phase;
    struct sorter *sorter;
    struct table_scan *old;
    struct table_build *build;
    struct merge merge;
    struct table_shape shape;
    struct fold_progress progress;
    char error[256];
};

__attribute__((format(printf, 2, 3))) static enum fold_status failed(struct fold *fold, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fold->error, sizeof(fold->error), format, arguments);
    va_end(arguments);
    return FOLD_FAILED;
}

static void note(struct fold *fold, const struct log_record *record)
{
    if (record->type == LOG_SUBJECT) {
        fold->subjects += record->payload.length / sizeof(struct subject_record);
        fold->last_subject = record->sequence;
    } else if (record->type == LOG_TABLE && record->payload.length == sizeof(fold->table)) {
        memcpy(&fold->table, record->payload.data, sizeof(fold->table));
    }
}

/* Reads on to the end of the log. */
static enum fold_status survey(struct fold *fold)
{
    struct log_record record;
    enum log_status status;
    while ((status = log_reader_next(fold->survey, &record)) == LOG_OK) {
        if (fold->first == 0)
            fold->first = record.sequence;
        if (fold->phase == PHASE_GATHER) {
            note(fold, &record);
            fold->covers = record.sequence;
            fold->log_bytes += log_frame_size(record.payload.length);
        }
        if (!log_state_take(fold->state, &record))
            return failed(fold, "out of memory");
    }
    return status == LOG_END ? FOLD_MORE : failed(fold, "%s", log_reader_error(fold->survey));
}

/* State is written again only where that frees a segment or more, and at least as much as is written. */
static bool worth_rewriting(const struct fold *fold, uint64_t segments)
{
    return segments > 1 &&
           fold->log_bytes >= 2 * log_state_bytes(fold->state, fold->covers) + fold->log_bytes / segments;
}

/* No subject change is to be folded: only the log may be worth writing anew. */
static enum fold_status prepare_rewrite(struct fold *fold)
{
    struct log_segments segments;
    int result = log_segments_list(fold->disk, &segments);
    if (result < 0)
        return failed(fold, "cannot list the log's segments: %s", strerror(-result));
    free(segments.firsts);
    if (!worth_rewriting(fold, segments.count)) {
        failed(fold, "nothing to fold");
        return FOLD_NOTHING;
    }
    fold->keeps_table = true;
    fold->shape = (struct table_shape){.number = fold->table.number, .records = fold->table.records};
    fold->phase = PHASE_READY;
    return FOLD_MORE;
}

static enum fold_status prepare(struct fold *fold, const char *directory, uint64_t bulk)
{
    fold->directory = strdup(directory);
    fold->state = log_state_create();
    if (!fold->directory || !fold->state)
        return failed(fold, "out of memory");
    int result = disk_open(directory, false, &fold->disk);
    if (result == 0)
        result = store_identity_read(fold->disk, &fold->identity);
    if (result < 0)
        return failed(fold, "cannot open store %s: %s", directory, strerror(-result));
    if (log_reader_open(directory, &fold->survey, fold->error, sizeof(fold->error)) != LOG_OK ||
        log_reader_open(directory, &fold->changes, fold->error, sizeof(fold->error)) != LOG_OK)
        return FOLD_FAILED;
    enum fold_status status = survey(fold);
    if (status != FOLD_MORE)
        return status;
    fold->progress.covers = fold->covers;
    if (fold->last_subject <= fold->table.covers && bulk == 0)
        return prepare_rewrite(fold);
    result = sorter_open(fold->disk, fold->subjects + bulk, bulk > 0 ? BULK_SORT_BYTES : SORT_BYTES, &fold->sorter);
    if (result == 0 && fold->table.number > 0)
        result = table_scan_open(fold->disk, &fold->identity, fold->table.number, &fold->old);
    if (result < 0)
        return failed(fold, "cannot open table %" PRIu64 ": %s", fold->table.number, strerror(-result));
    return FOLD_MORE;
}

enum fold_status fold_open_bulk(const char *directory, uint64_t records_max, struct fold **out, char *error,
                                size_t error_size)
{
    struct fold *fold = calloc(1, sizeof(*fold));
    if (!fold) {
        snprintf(error, error_size, "out of memory");
        return FOLD_FAILED;
    }
    enum fold_status status = prepare(fold, directory, records_max);
    if (status == FOLD_MORE) {
        *out = fold;
        return status;
    }
    snprintf(error, error_size, "%s", fold->error);
    fold_close(fold);
    return status;
}

enum fold_status fold_open(const char *directory, struct fold **out, char *error, size_t error_size)
{
    return fold_open_bulk(directory, 0, out, error, error_size);
}

enum fold_status fold_put(struct fold *fold, const struct subject_record *record)
{
    int result = subject_record_valid(record) ? sorter_put(fold->sorter, record) : -EINVAL;
    fold->progress.records_read += result == 0;
    return result == 0 ? FOLD_MORE : failed(fold, "cannot sort: %s", strerror(-result));
}

static enum fold_status put_changes(struct fold *fold, const struct log_record *record)
{
    for (size_t at = 0; at + sizeof(struct subject_record) <= record->payload.length;
         at += sizeof(struct subject_record)) {
        struct subject_record subject;
        memcpy(&subject, record->payload.data + at, sizeof(subject));
        if (!subject_record_valid(&subject))
            continue; /* the dataplane refused it too */
        enum fold_status status = fold_put(fold, &subject);
        if (status != FOLD_MORE)
            return status;
    }
    return FOLD_MORE;
}

static enum fold_status merge_failed(struct fold *fold, int result)
{
    if (result == -EBADMSG)
        return failed(fold, "table %" PRIu64 " is damaged at page %" PRIu64, fold->table.number,
                      table_scan_page(fold->old));
    return failed(fold, "cannot build table %" PRIu64 ": %s", fold->table.number + 1, strerror(-result));
}

static enum fold_status begin_merge(struct fold *fold)
{
    uint64_t records = sorter_count(fold->sorter) + (fold->old ? table_scan_shape(fold->old)->records : 0);
    int result = table_build_open(fold->disk, &fold->identity, fold->table.number + 1, records, &fold->build);
    merge_begin(&fold->merge, fold->old, fold->sorter);
    fold->phase = PHASE_MERGE;
    return result == 0 ? FOLD_MORE : merge_failed(fold, result);
}

static enum fold_status gather(struct fold *fold)
{
    struct log_record record;
    for (size_t bytes = 0; bytes < FOLD_STEP_BYTES; bytes += record.payload.length) {
        enum log_status status = log_reader_next(fold->changes, &record);
        if (status == LOG_END && fold->covers == 0)
            return begin_merge(fold); /* an empty log: only a bulk */
        if (status != LOG_OK)
            return failed(fold, "%s", status == LOG_END ? "the log ends early" : log_reader_error(fold->changes));
        if (record.type == LOG_SUBJECT && record.sequence > fold->table.covers) {
            enum fold_status put = put_changes(fold, &record);
            if (put != FOLD_MORE)
                return put;
        }
        if (record.sequence == fold->covers)
            return begin_merge(fold);
    }
    return FOLD_MORE;
}

static enum fold_status merge(struct fold *fold)
{
    const struct subject_record *record;
    int got = 1;
    for (size_t i = 0; i < STEP_RECORDS && (got = merge_next(&fold->merge, &record)) > 0; i++) {
        int put = table_build_put(fold->build, record);
        if (put < 0)
            return merge_failed(fold, put);
        fold->progress.records_written++;
    }
    if (got != 0)
        return got > 0 ? FOLD_MORE : merge_failed(fold, got);
    fold->phase = PHASE_FINISH;
    return FOLD_MORE;
}

static enum fold_status finish(struct fold *fold)
{
    int result = table_build_end(fold->build);
    if (result > 0)
        return FOLD_MORE;
    if (result == 0)
        result = table_build_finish(fold->build, fold->covers, &fold->shape);
    if (result < 0)
        return merge_failed(fold, result);
    fold->phase = PHASE_READY;
    return FOLD_READY;
}

enum fold_status fold_step(struct fold *fold)
{
    switch (fold->phase) {
    case PHASE_GATHER:
        return gather(fold);
    case PHASE_MERGE:
        return merge(fold);
    case PHASE_FINISH:
        return finish(fold);
    case PHASE_READY:
        return FOLD_READY;
    }
    return FOLD_FAILED;
}

static enum fold_status writer_failed(struct fold *fold, const struct log_writer *writer)
{
    return failed(fold, "%s", log_writer_error(writer));
}

struct again {
    struct fold *fold;
    struct log_writer *writer;
};

static bool append_list(void *context, struct bytes payload)
{
    const struct again *again = context;
    return log_writer_append_again(again->writer, LOG_STATUS_LIST, payload) == LOG_OK;
}

/* Among rules the order counts: those that would stay are appended again too, lest an older set come after them. A list
 * whose entries were changed waits for all its changes, the younger ones too: where they stay, they come before it. */
static enum fold_status append_live(struct again *again, struct changed_lists *lists, const struct log_record *record)
{
    struct fold *fold = again->fold;
    bool ordered = record->type == LOG_RULES || record->type == LOG_RULES_TEXT;
    bool goes = record->sequence <= fold->covers;
    if (goes || record->type == LOG_LIST_CHANGE) {
        enum changed_lists_result result = changed_lists_take(lists, fold->state, record);
        if (result == CHANGED_LISTS_OUT_OF_MEMORY)
            return failed(fold, "out of memory");
        if (result == CHANGED_LISTS_TAKEN)
            return FOLD_MORE;
    }
    if ((ordered || goes) && log_state_live(fold->state, record) &&
        log_writer_append_again(again->writer, record->type, record->payload) != LOG_OK)
        return writer_failed(fold, again->writer);
    return FOLD_MORE;
}

/* Appends again what is in force and would go with the old segments. */
static enum fold_status append_state(struct fold *fold, struct log_writer *writer, uint64_t last)
{
    struct log_reader *reader;
    struct again again = {fold, writer};
    if (log_reader_open(fold->directory, &reader, fold->error, sizeof(fold->error)) != LOG_OK)
        return FOLD_FAILED;
    struct changed_lists *lists = changed_lists_create();
    enum fold_status result = lists ? FOLD_MORE : failed(fold, "out of memory");
    struct log_record record;
    enum log_status status = LOG_OK;
    while (result == FOLD_MORE && (status = log_reader_next(reader, &record)) == LOG_OK && record.sequence <= last)
        result = append_live(&again, lists, &record);
    if (result == FOLD_MORE && status != LOG_OK && status != LOG_END)
        result = failed(fold, "%s", log_reader_error(reader));
    if (result == FOLD_MORE && !changed_lists_each(lists, append_list, &again))
        result = writer_failed(fold, writer);
    changed_lists_free(lists);
    log_reader_close(reader);
    return result;
}

static int remove_old(void *context, const char *name)
{
    struct fold *fold = context;
    char table[DISK_NAME_MAX], filter[DISK_NAME_MAX];
    table_name(fold->shape.number, table);
    filter_name(fold->shape.number, filter);
    bool other = (strncmp(name, TABLE_PREFIX, strlen(TABLE_PREFIX)) == 0 && strcmp(name, table) != 0) ||
                 (strncmp(name, FILTER_PREFIX, strlen(FILTER_PREFIX)) == 0 && strcmp(name, filter) != 0);
    if (other)
        disk_remove(fold->disk, name); /* what stays is removed by the next fold */
    return 0;
}

enum fold_status fold_commit(struct fold *fold, struct log_writer *writer)
{
    enum fold_status status = log_writer_commit(writer) == LOG_OK ? survey(fold) : writer_failed(fold, writer);
    if (status != FOLD_MORE)
        return status;
    struct log_table table = {.number = fold->shape.number, .covers = fold->covers, .records = fold->shape.records};
    struct log_writer_info info;
    log_writer_info(writer, &info);
    bool worth = fold->keeps_table || worth_rewriting(fold, info.segments);
    table.state_from = worth ? info.last + 1 : info.first;
    if (worth)
        status = append_state(fold, writer, info.last);
    if (status != FOLD_MORE)
        return status;
    if (log_writer_append(writer, LOG_TABLE, (struct bytes){(const uint8_t *)&table, sizeof(table)}, NULL) != LOG_OK ||
        log_writer_commit(writer) != LOG_OK)
        return writer_failed(fold, writer);
    if (worth && log_writer_drop_before(writer, fold->covers + 1) != LOG_OK)
        return writer_failed(fold, writer);
    int result = disk_list(fold->disk, remove_old, fold);
    if (result == 0)
        result = disk_sync_directory(fold->disk);
    return result == 0 ? FOLD_DONE : failed(fold, "cannot remove old tables: %s", strerror(-result));
}

void fold_progress(const struct fold *fold, struct fold_progress *out)
{
    *out = fold->progress;
}

const char *fold_error(const struct fold *fold)
{
    return fold->error;
}

void fold_close(struct fold *fold)
{
    if (!fold)
        return;
    table_build_close(fold->build);
    table_scan_close(fold->old);
    sorter_close(fold->sorter);
    log_reader_close(fold->survey);
    log_reader_close(fold->changes);
    log_state_free(fold->state);
    disk_close(fold->disk);
    free(fold->directory);
    free(fold);
}
