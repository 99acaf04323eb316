#include "keys/log_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER_SIZE (LOG_FRAME_MAX + (1u << 20))

struct log_writer {
    struct disk *disk;
    int lock;
    struct store_identity identity;
    struct log_durable *durable_word;

    int file; /* of the segment */
    uint64_t segment;
    uint64_t segments;
    uint32_t segment_bytes; /* it is full at this size */
    uint64_t offset;        /* where the buffer goes */
    uint8_t *buffer;        /* frames that wait for commit and were not written yet */
    size_t waiting;
    uint64_t first;
    uint64_t next; /* sequence of the record to come */
    uint64_t durable;
    uint64_t cut_bytes;
    int spare; /* file of the segment to come, its blocks taken; or -1 */
    bool failed;
    char error[256];
};

__attribute__((format(printf, 2, 3))) static enum log_status failed(struct log_writer *log, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(log->error, sizeof(log->error), format, arguments);
    va_end(arguments);
    log->failed = true;
    return LOG_FAILED;
}

static enum log_status failed_at(struct log_writer *log, const char *what, int error)
{
    return failed(log, "cannot %s segment log-%020" PRIu64 " at offset %" PRIu64 ": %s", what, log->segment,
                  log->offset, strerror(-error));
}

/* Tells readers that they may go on up to what is durable now. The complement goes first: a reader that sees the new
 * sequence sees its complement too, and one that sees the old sequence with the new complement tries again. */
static void durable_publish(struct log_writer *log)
{
    atomic_store_explicit(&log->durable_word->complement, ~log->durable, memory_order_release);
    atomic_store_explicit(&log->durable_word->sequence, log->durable, memory_order_release);
}

static enum log_status durable_open(struct log_writer *log)
{
    static const uint8_t zeros[LOG_DURABLE_SIZE];
    int file = disk_file_open(log->disk, LOG_DURABLE_NAME, DISK_WRITE);
    if (file == -ENOENT)
        file = disk_file_open(log->disk, LOG_DURABLE_NAME, DISK_CREATE);
    int result = file < 0 ? file : 0;
    /* Blocks are taken before the file is mapped: memory that cannot be written back would be a SIGBUS. */
    if (result == 0 && disk_size(log->disk, file) < LOG_DURABLE_SIZE)
        result = disk_write_sync(log->disk, file, zeros, sizeof(zeros), 0);
    if (result == 0)
        log->durable_word = disk_share(log->disk, file, LOG_DURABLE_SIZE, true);
    disk_file_close(log->disk, file);
    if (!log->durable_word)
        return failed(log, "cannot map " LOG_DURABLE_NAME ": %s", strerror(result < 0 ? -result : ENOMEM));
    durable_publish(log);
    atomic_thread_fence(memory_order_release);
    log->durable_word->magic = LOG_DURABLE_MAGIC;
    log->durable_word->store = log->identity.id;
    disk_boot_id(log->durable_word->boot);
    return LOG_OK;
}

bool log_writer_reserve(struct log_writer *log)
{
    if (log->spare >= 0)
        return true;
    int file = disk_file_open(log->disk, LOG_SPARE_NAME, DISK_CREATE);
    if (file < 0)
        return false;
    int result = disk_allocate(log->disk, file, log->segment_bytes);
    if (result < 0 && result != -EOPNOTSUPP) {
        disk_file_close(log->disk, file);
        disk_remove(log->disk, LOG_SPARE_NAME); /* gives back what it took; nothing depends on its success */
        return false;
    }
    log->spare = file;
    return true;
}

/* Begins the segment of record `next`. All before it is durable. */
static enum log_status start_segment(struct log_writer *log)
{
    if (!log_writer_reserve(log)) {
        snprintf(log->error, sizeof(log->error), "no space for another segment of %u bytes", log->segment_bytes);
        return LOG_NO_SPACE;
    }
    struct log_segment_header header;
    char name[DISK_NAME_MAX];
    log_segment_header_make(log->identity.id, log->next, &header);
    log_segment_name(log->next, name);
    int result = disk_write_sync(log->disk, log->spare, &header, sizeof(header), 0);
    if (result == 0)
        result = disk_rename(log->disk, LOG_SPARE_NAME, name);
    if (result == 0)
        result = disk_sync_directory(log->disk);
    if (result < 0)
        return failed(log, "cannot begin segment %s: %s", name, strerror(-result));
    disk_file_close(log->disk, log->file);
    log->file = log->spare;
    log->spare = -1;
    log->segment = log->next;
    log->segments++;
    log->offset = sizeof(header);
    log_writer_reserve(log);
    return LOG_OK;
}

/* Bytes from `offset` to the last one that is not zero: what a crash left behind the last whole record. */
static int64_t garbage_bytes(struct log_writer *log)
{
    uint64_t end = log->offset;
    for (uint64_t at = log->offset; at < LOG_SEGMENT_SIZE;) {
        int64_t n = disk_read(log->disk, log->file, log->buffer, BUFFER_SIZE, at);
        if (n <= 0)
            return n < 0 ? n : (int64_t)(end - log->offset);
        for (int64_t i = n; i > 0; i--) {
            if (log->buffer[i - 1] != 0) {
                end = at + (uint64_t)i;
                break;
            }
        }
        at += (uint64_t)n;
    }
    return (int64_t)(end - log->offset);
}

/* Opens the last segment, cuts what is torn and makes durable what is whole. */
static enum log_status resume_segment(struct log_writer *log)
{
    char name[DISK_NAME_MAX];
    log_segment_name(log->segment, name);
    log->file = disk_file_open(log->disk, name, DISK_WRITE);
    if (log->file < 0)
        return failed_at(log, "open", log->file);
    int64_t garbage = garbage_bytes(log);
    if (garbage < 0)
        return failed_at(log, "read", (int)garbage);
    log->cut_bytes = (uint64_t)garbage;
    int result = 0;
    if (garbage > 0)
        result = disk_truncate(log->disk, log->file, log->offset);
    if (result == 0) {
        result = disk_allocate(log->disk, log->file, log->segment_bytes);
        if (result == -EOPNOTSUPP || result == -ENOSPC) /* it may still hold a little: a write will tell */
            result = 0;
    }
    if (result == 0)
        result = disk_sync(log->disk, log->file);
    /* The name too: who began the segment may have been killed before that, and what is written now depends on it. */
    if (result == 0)
        result = disk_sync_directory(log->disk);
    return result == 0 ? LOG_OK : failed_at(log, "cut the torn tail of", result);
}

/* Reads the whole log as recovery does; leaves its end in `tail`. */
static enum log_status read_through(struct log_writer *log, struct log_tail *tail)
{
    struct log_reader *reader;
    enum log_status status =
        log_reader_open_recovery(log->disk, &log->identity, &reader, log->error, sizeof(log->error));
    if (status != LOG_OK)
        return status;
    struct log_record record;
    do
        status = log_reader_next(reader, &record);
    while (status == LOG_OK);
    if (status == LOG_END) {
        log_reader_tail(reader, tail);
        status = LOG_OK;
    } else {
        snprintf(log->error, sizeof(log->error), "%s", log_reader_error(reader));
    }
    log_reader_close(reader);
    return status;
}

static enum log_status recover(struct log_writer *log)
{
    struct log_tail tail;
    enum log_status status = read_through(log, &tail);
    if (status != LOG_OK)
        return status;
    log->first = tail.first;
    log->next = tail.next;
    log->durable = tail.next - 1;
    log->segment = tail.segment;
    log->offset = tail.offset;
    struct log_segments segments;
    int result = log_segments_list(log->disk, &segments);
    if (result < 0)
        return failed_at(log, "list", result);
    log->segments = segments.count;
    free(segments.firsts);
    if (tail.headless) {
        char name[DISK_NAME_MAX];
        log_segment_name(tail.next, name);
        result = disk_remove(log->disk, name);
        if (result == 0)
            result = disk_sync_directory(log->disk);
        if (result < 0)
            return failed(log, "cannot remove the unfinished segment %s: %s", name, strerror(-result));
        log->segments--;
    }
    return tail.segment == 0 ? start_segment(log) : resume_segment(log);
}

static enum log_status open_parts(struct log_writer *log)
{
    log->lock = disk_lock(log->disk, LOG_LOCK_NAME);
    if (log->lock == -EWOULDBLOCK) {
        snprintf(log->error, sizeof(log->error), "another writer holds the store");
        return LOG_LOCKED;
    }
    if (log->lock < 0)
        return failed(log, "cannot lock the store: %s", strerror(-log->lock));
    int result = store_identity_make(log->disk, &log->identity);
    if (result < 0) {
        failed(log, "cannot read or make " STORE_IDENTITY_NAME ": %s", strerror(-result));
        return result == -EBADMSG ? LOG_DAMAGED : LOG_FAILED;
    }
    enum log_status status = recover(log);
    if (status != LOG_OK)
        return status;
    log_writer_reserve(log);
    return durable_open(log);
}

/* After an orderly end the word on the disk is exact, so that damage to the last records is known for damage. */
static void durable_settle(struct log_writer *log)
{
    int file = disk_file_open(log->disk, LOG_DURABLE_NAME, DISK_WRITE);
    if (file < 0)
        return;
    disk_sync(log->disk, file); /* where it fails, the word is only older */
    disk_file_close(log->disk, file);
}

static void release(struct log_writer *log)
{
    disk_unshare(log->durable_word, LOG_DURABLE_SIZE);
    disk_file_close(log->disk, log->spare);
    disk_file_close(log->disk, log->file);
    disk_file_close(log->disk, log->lock);
    disk_close(log->disk);
    free(log->buffer);
    free(log);
}

enum log_status log_writer_open(const char *directory, struct log_writer **out, char *error, size_t error_size)
{
    struct log_writer *log = calloc(1, sizeof(*log));
    uint8_t *buffer = malloc(BUFFER_SIZE);
    struct disk *disk = NULL;
    int result = log && buffer ? disk_open(directory, true, &disk) : -ENOMEM;
    if (result < 0) {
        snprintf(error, error_size, "cannot open store %s: %s", directory, strerror(-result));
        free(buffer);
        free(log);
        return LOG_FAILED;
    }
    log->disk = disk;
    log->buffer = buffer;
    log->segment_bytes = LOG_SEGMENT_SIZE;
    log->lock = log->file = log->spare = -1;
    enum log_status status = open_parts(log);
    if (status != LOG_OK) {
        snprintf(error, error_size, "store %s: %s", directory, log->error);
        release(log);
        return status;
    }
    *out = log;
    return LOG_OK;
}

static enum log_status flush(struct log_writer *log)
{
    int result = disk_write_all(log->disk, log->file, log->buffer, log->waiting, log->offset);
    if (result < 0)
        return failed_at(log, "write", result);
    log->offset += log->waiting;
    log->waiting = 0;
    return LOG_OK;
}

enum log_status log_writer_commit(struct log_writer *log)
{
    if (log->failed)
        return LOG_FAILED;
    if (log->durable == log->next - 1)
        return LOG_OK;
    int result = log->waiting > 0 ? disk_write_sync(log->disk, log->file, log->buffer, log->waiting, log->offset)
                                  : disk_sync(log->disk, log->file);
    if (result < 0)
        return failed_at(log, "make durable", result);
    log->offset += log->waiting;
    log->waiting = 0;
    log->durable = log->next - 1;
    durable_publish(log);
    return LOG_OK;
}

static enum log_status append(struct log_writer *log, enum log_type type, struct bytes payload, uint64_t again)
{
    if (log->failed)
        return LOG_FAILED;
    if (payload.length > LOG_PAYLOAD_MAX)
        return LOG_TOO_LARGE;
    size_t size = log_frame_size(payload.length);
    enum log_status status = LOG_OK;
    uint64_t filled = log->offset + log->waiting;
    /* A segment has one frame at least, however small the segments are to be. */
    if (filled + size > log->segment_bytes && filled > sizeof(struct log_segment_header)) {
        status = log_writer_commit(log);
        if (status == LOG_OK)
            status = start_segment(log);
    } else if (log->waiting + size > BUFFER_SIZE) {
        status = flush(log);
    }
    if (status != LOG_OK)
        return status;
    struct log_frame fields = {
        .sequence = log->next, .committed = log->durable, .type = (uint32_t)type, .again = again};
    log->waiting += log_frame_write(log->buffer + log->waiting, log->identity.id, log->segment, &fields, payload);
    log->next++;
    return LOG_OK;
}

enum log_status log_writer_append(struct log_writer *log, enum log_type type, struct bytes payload, uint64_t *sequence)
{
    enum log_status status = append(log, type, payload, 0);
    if (status == LOG_OK && sequence)
        *sequence = log->next - 1;
    return status;
}

enum log_status log_writer_append_again(struct log_writer *log, enum log_type type, struct bytes payload)
{
    return append(log, type, payload, log->first);
}

enum log_status log_writer_drop_before(struct log_writer *log, uint64_t sequence)
{
    if (log->failed)
        return LOG_FAILED;
    struct log_segments segments;
    int result = log_segments_list(log->disk, &segments);
    /* One at a time and oldest first, each removal durable before the next: a crash leaves no hole. */
    for (size_t i = 0; result == 0 && i + 1 < segments.count && segments.firsts[i + 1] <= sequence; i++) {
        char name[DISK_NAME_MAX];
        log_segment_name(segments.firsts[i], name);
        result = disk_remove(log->disk, name);
        if (result == 0)
            result = disk_sync_directory(log->disk);
        if (result == 0) {
            log->first = segments.firsts[i + 1];
            log->segments--;
        }
    }
    free(segments.firsts);
    return result == 0 ? LOG_OK : failed(log, "cannot drop old segments: %s", strerror(-result));
}

void log_writer_info(const struct log_writer *log, struct log_writer_info *out)
{
    *out = (struct log_writer_info){
        .first = log->first,
        .last = log->next - 1,
        .durable = log->durable,
        .segments = log->segments,
        .bytes = (log->segments > 0 ? log->segments - 1 : 0) * log->segment_bytes + log->offset + log->waiting,
        .segment_bytes = log->segment_bytes,
        .space_low = log->spare < 0,
        .cut_bytes = log->cut_bytes,
    };
}

void log_writer_set_segment_bytes(struct log_writer *log, uint32_t bytes)
{
    log->segment_bytes = bytes < LOG_SEGMENT_SIZE ? bytes : LOG_SEGMENT_SIZE;
}

const char *log_writer_error(const struct log_writer *log)
{
    return log->error;
}

void log_writer_close(struct log_writer *log)
{
    if (!log)
        return;
    log_writer_commit(log);
    durable_settle(log);
    release(log);
}
