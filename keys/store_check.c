#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "keys/filter.h"
#include "keys/fold.h"
#include "keys/log_format.h"
#include "keys/store_tools.h"
#include "keys/table.h"

struct check {
    struct disk *disk;
    struct store_identity identity;
    struct store_report *report;
    store_finding *finding; /* NULL: only look */
    void *context;
    struct log_table table; /* in force */
};

__attribute__((format(printf, 2, 3))) static void found(struct check *check, const char *format, ...)
{
    char line[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    check->report->findings++;
    if (check->finding)
        check->finding(check->context, line);
}

static void count_subjects(struct check *check, const struct log_record *record)
{
    check->report->changes += record->payload.length / sizeof(struct subject_record);
    bool sound = record->payload.length % sizeof(struct subject_record) == 0;
    for (size_t at = 0; sound && at < record->payload.length; at += sizeof(struct subject_record)) {
        struct subject_record subject;
        memcpy(&subject, record->payload.data + at, sizeof(subject));
        sound = subject_record_valid(&subject);
    }
    if (!sound)
        found(check, "log record %" PRIu64 ": a subject change is not in its form", record->sequence);
}

static void count_record(struct check *check, const struct log_record *record)
{
    struct store_report *report = check->report;
    if (report->log_first == 0)
        report->log_first = record->sequence;
    report->log_last = record->sequence;
    report->log_records++;
    report->log_bytes += log_frame_size(record->payload.length);
    switch (record->type) {
    case LOG_KEY:
        report->keys++;
        break;
    case LOG_POINT:
    case LOG_POINT_REMOVE:
        report->points++;
        break;
    case LOG_RULES:
        report->rules++;
        break;
    case LOG_RULES_TEXT: /* belongs to the rules behind it */
        break;
    case LOG_STATUS_LIST:
    case LOG_LIST_CHANGE:
        report->lists++;
        break;
    case LOG_SUBJECT:
        count_subjects(check, record);
        break;
    case LOG_TABLE:
        if (record->payload.length == sizeof(check->table))
            memcpy(&check->table, record->payload.data, sizeof(check->table));
        break;
    default:
        found(check, "log record %" PRIu64 ": unknown type %d", record->sequence, (int)record->type);
    }
}

static bool read_log(struct check *check, const char *directory, char *error, size_t error_size)
{
    struct log_reader *reader;
    if (log_reader_open(directory, &reader, error, error_size) != LOG_OK)
        return false;
    struct log_record record;
    enum log_status status;
    while ((status = log_reader_next(reader, &record)) == LOG_OK)
        count_record(check, &record);
    if (status == LOG_DAMAGED)
        found(check, "%s", log_reader_error(reader));
    else if (status != LOG_END)
        snprintf(error, error_size, "%s", log_reader_error(reader));
    log_reader_close(reader);
    struct log_segments segments;
    if (log_segments_list(check->disk, &segments) == 0) {
        check->report->log_segments = segments.count;
        free(segments.firsts);
    }
    return status == LOG_END || status == LOG_DAMAGED;
}

/* Every page, every record, and whether the filter knows it. */
static void scan_table(struct check *check, const struct filter *filter)
{
    struct table_scan *scan;
    if (table_scan_open(check->disk, &check->identity, check->table.number, &scan) < 0)
        return; /* the header was just read: the disk fails, and the pages with it */
    const struct subject_record *record;
    uint64_t records = 0, damaged = 0;
    uint8_t last[SUBJECT_KEY_SIZE] = {0};
    for (int got; (got = table_scan_next(scan, &record)) != 0;) {
        if (got < 0) {
            found(check, "table-%" PRIu64 ": page %" PRIu64 ": %s", check->table.number, table_scan_page(scan),
                  got == -EBADMSG ? "damaged" : strerror(-got));
            damaged++;
            table_scan_skip(scan);
            continue;
        }
        if (!subject_record_valid(record) || (records > 0 && memcmp(last, record->key, sizeof(last)) >= 0))
            found(check, "table-%" PRIu64 ": page %" PRIu64 ": a record is not in its form or place",
                  check->table.number, table_scan_page(scan));
        if (filter && !filter_contains(filter, record->key))
            found(check, "filter-%" PRIu64 ": does not know a record of page %" PRIu64, check->table.number,
                  table_scan_page(scan));
        memcpy(last, record->key, sizeof(last));
        records++;
    }
    if (damaged == 0 && records != check->report->table_records)
        found(check, "table-%" PRIu64 ": %" PRIu64 " records instead of %" PRIu64, check->table.number, records,
              check->report->table_records);
    table_scan_close(scan);
}

static void check_table(struct check *check)
{
    struct table_shape shape;
    struct store_report *report = check->report;
    int file, result = table_file_open(check->disk, &check->identity, check->table.number, &file, &shape);
    report->table_number = check->table.number;
    if (result < 0) {
        found(check, "table-%" PRIu64 ": %s", check->table.number,
              result == -EBADMSG ? "header is damaged" : strerror(-result));
        return;
    }
    disk_file_close(check->disk, file);
    report->table_records = shape.records;
    report->table_pages = shape.pages;
    report->table_bytes = (shape.pages + 1) * DISK_BLOCK_SIZE;
    report->table_covers = shape.covers;
    /* Where the log alone was written anew it says more of the table than the table itself: there was no change. */
    if (shape.covers > check->table.covers || shape.records != check->table.records)
        found(check, "table-%" PRIu64 ": is not the one that the log names", check->table.number);
    struct filter *filter = NULL;
    result = filter_load(check->disk, &check->identity, check->table.number, &filter);
    if (result < 0)
        found(check, "filter-%" PRIu64 ": %s", check->table.number, result == -EBADMSG ? "damaged" : strerror(-result));
    else
        report->filter_bytes = filter_memory_bytes(filter);
    if (check->finding)
        scan_table(check, filter);
    filter_free(filter);
}

bool store_tools_verify(const char *directory, struct store_report *out, store_finding *finding, void *context,
                        char *error, size_t error_size)
{
    struct check check = {.report = out, .finding = finding, .context = context};
    memset(out, 0, sizeof(*out));
    int result = disk_open(directory, false, &check.disk);
    if (result < 0) {
        snprintf(error, error_size, "%s: %s", directory, strerror(-result));
        return false;
    }
    bool done = true;
    result = store_identity_read(check.disk, &check.identity);
    if (result == -EBADMSG) {
        found(&check, STORE_IDENTITY_NAME ": damaged");
    } else if (result < 0) {
        snprintf(error, error_size, "%s: %s", directory, result == -ENOENT ? "there is no store" : strerror(-result));
        done = false;
    } else {
        done = read_log(&check, directory, error, error_size);
        if (done && check.table.number > 0)
            check_table(&check);
    }
    int64_t space = disk_free_bytes(check.disk);
    out->free_bytes = space < 0 ? 0 : (uint64_t)space;
    disk_close(check.disk);
    return done;
}

bool store_tools_info(const char *directory, struct store_report *out, char *error, size_t error_size)
{
    return store_tools_verify(directory, out, NULL, NULL, error, error_size);
}

static bool mend_filter(const char *directory, uint64_t table, char *error, size_t error_size)
{
    struct disk *disk;
    struct store_identity identity;
    struct filter *filter;
    int result = disk_open(directory, false, &disk);
    if (result == 0) {
        result = store_identity_read(disk, &identity);
        if (result == 0)
            result = filter_load(disk, &identity, table, &filter);
        if (result == 0)
            filter_free(filter);
        else if (result == -EBADMSG || result == -ENOENT)
            result = filter_rebuild(disk, &identity, table);
        disk_close(disk);
    }
    if (result < 0)
        snprintf(error, error_size, "filter-%" PRIu64 ": %s", table, strerror(-result));
    return result == 0;
}

static bool fold_all(const char *directory, struct log_writer *writer, char *error, size_t error_size)
{
    struct fold *fold;
    enum fold_status status = fold_open(directory, &fold, error, error_size);
    if (status != FOLD_MORE)
        return status == FOLD_NOTHING;
    while ((status = fold_step(fold)) == FOLD_MORE)
        ;
    if (status == FOLD_READY)
        status = fold_commit(fold, writer);
    snprintf(error, error_size, "%s", fold_error(fold));
    fold_close(fold);
    return status == FOLD_DONE;
}

bool store_tools_compact(const char *directory, struct store_report *out, char *error, size_t error_size)
{
    if (!store_tools_info(directory, out, error, error_size))
        return false;
    struct log_writer *writer;
    if (log_writer_open(directory, &writer, error, error_size) != LOG_OK)
        return false;
    bool done = fold_all(directory, writer, error, error_size);
    log_writer_close(writer);
    done = done && store_tools_info(directory, out, error, error_size);
    if (done && out->table_number > 0)
        done = mend_filter(directory, out->table_number, error, error_size) &&
               store_tools_info(directory, out, error, error_size);
    return done;
}
