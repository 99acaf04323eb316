#include "keys/log_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_MIN (16u << 10)
#define CHUNK_MAX (1u << 20)
#define CACHE_SIZE ((LOG_FRAME_MAX / DISK_BLOCK_SIZE + 3) * DISK_BLOCK_SIZE)
static_assert(CHUNK_MAX <= CACHE_SIZE, "a chunk fits");
/* Frames whose checksum a search behind a bad frame computes at most: more of them are no torn tail. */
#define CANDIDATES_MAX 4096
#define WORD_TRIES 1000
#define NO_LIMIT UINT64_MAX

struct log_reader {
    struct disk *disk;
    bool owns_disk;
    bool recovery;
    struct store_identity identity;
    uint8_t boot[DISK_BOOT_ID_SIZE];
    const struct log_durable *durable;

    int file;         /* of the segment, or -1 */
    uint64_t segment; /* its first sequence; 0 before the first */
    uint64_t first;   /* first sequence in the store */
    uint64_t next;    /* sequence of the record to come */
    uint64_t offset;  /* where it stands */
    uint64_t limit;   /* last that `durable` said in this boot; NO_LIMIT where it says nothing */
    uint64_t floor;   /* what was durable for certain */

    uint8_t *cache;
    uint64_t cache_offset;
    size_t cache_length;
    uint64_t cache_limit; /* records after this one were not final when the cache was filled */
    size_t chunk;

    uint64_t judged; /* a search behind this sequence found a torn tail, no damage */
    bool headless;   /* the segment to come exists without a valid header */
    bool anchored;   /* a table covers what is missing before `first` */
    enum log_status broken;
    char error[256];
};

__attribute__((format(printf, 3, 4))) static enum log_status broken(struct log_reader *log, enum log_status status,
                                                                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(log->error, sizeof(log->error), format, arguments);
    va_end(arguments);
    log->broken = status;
    return status;
}

static enum log_status failed(struct log_reader *log, const char *what, int error)
{
    return broken(log, LOG_FAILED, "cannot %s segment log-%020" PRIu64 " near offset %" PRIu64 ": %s", what,
                  log->segment, log->offset, strerror(-error));
}

static void durable_map(struct log_reader *log)
{
    int file = disk_file_open(log->disk, LOG_DURABLE_NAME, DISK_READ);
    if (file < 0)
        return;
    if (disk_size(log->disk, file) >= LOG_DURABLE_SIZE)
        log->durable = disk_share(log->disk, file, LOG_DURABLE_SIZE, false);
    disk_file_close(log->disk, file);
}

/* Reads `durable` into limit and floor. */
static void durable_look(struct log_reader *log)
{
    if (!log->durable)
        durable_map(log);
    const struct log_durable *word = log->durable;
    if (!word || word->magic != LOG_DURABLE_MAGIC || word->store != log->identity.id)
        return;
    bool this_boot = memcmp(word->boot, log->boot, sizeof(log->boot)) == 0;
    /* The writer sets the boot after the sequence that belongs to it. */
    atomic_thread_fence(memory_order_acquire);
    for (unsigned i = 0; i < WORD_TRIES; i++) {
        uint64_t sequence = atomic_load_explicit(&word->sequence, memory_order_acquire);
        if (atomic_load_explicit(&word->complement, memory_order_acquire) != ~sequence)
            continue; /* the writer is between its two stores, or the word is damaged */
        if (log->floor < sequence)
            log->floor = sequence;
        if (this_boot && !log->recovery)
            log->limit = sequence;
        return;
    }
}

static int fill(struct log_reader *log, uint64_t offset, size_t size)
{
    uint64_t start = offset / DISK_BLOCK_SIZE * DISK_BLOCK_SIZE;
    size_t wanted = (size_t)(offset - start) + size;
    if (wanted < log->chunk)
        wanted = log->chunk;
    wanted = (wanted + DISK_BLOCK_SIZE - 1) / DISK_BLOCK_SIZE * DISK_BLOCK_SIZE;
    if (wanted > LOG_SEGMENT_SIZE - start)
        wanted = LOG_SEGMENT_SIZE - (size_t)start;
    log->cache_length = 0;
    int64_t n = disk_read_all(log->disk, log->file, log->cache, wanted, start);
    if (n < 0)
        return (int)n;
    log->cache_offset = start;
    log->cache_length = (size_t)n;
    log->cache_limit = log->limit;
    if (log->chunk < CHUNK_MAX)
        log->chunk *= 2;
    return 0;
}

/* What the cache holds from `offset` on. */
static struct bytes cached(const struct log_reader *log, uint64_t offset)
{
    if (offset < log->cache_offset || offset >= log->cache_offset + log->cache_length)
        return (struct bytes){NULL, 0};
    size_t skip = (size_t)(offset - log->cache_offset);
    return (struct bytes){log->cache + skip, log->cache_length - skip};
}

/* Size of the frame that claims to stand at `offset`, 0 where none does; its bytes are in the cache afterwards. */
static int64_t fetch(struct log_reader *log, uint64_t offset, bool fresh)
{
    struct log_frame frame;
    if (offset + sizeof(frame) > LOG_SEGMENT_SIZE)
        return 0;
    if (fresh || cached(log, offset).length < sizeof(frame)) {
        int result = fill(log, offset, sizeof(frame));
        if (result < 0)
            return result;
    }
    struct bytes in = cached(log, offset);
    if (in.length < sizeof(frame))
        return 0;
    memcpy(&frame, in.data, sizeof(frame));
    if (frame.magic != LOG_FRAME_MAGIC || frame.length > LOG_PAYLOAD_MAX)
        return 0;
    size_t size = log_frame_size(frame.length);
    if (offset + size > LOG_SEGMENT_SIZE)
        return 0;
    if (in.length < size) {
        int result = fill(log, offset, size);
        if (result < 0)
            return result;
    }
    return (int64_t)size;
}

/* 1 where the record to come is whole in the cache, 0 where it is not there or not whole, or a negative errno. */
static int look(struct log_reader *log, struct log_frame *frame)
{
    bool fresh = log->cache_limit < log->next;
    for (;; fresh = true) {
        int64_t size = fetch(log, log->offset, fresh);
        if (size < 0)
            return (int)size;
        if (size > 0 && log_frame_read(cached(log, log->offset), log->identity.id, log->segment, frame) &&
            frame->sequence == log->next)
            return 1;
        if (fresh)
            return 0;
    }
}

/* A crash can leave a segment without its header, but then also without frames: they come after the header is synced.
 */
static bool empty_behind_header(const uint8_t *block, size_t size)
{
    for (size_t i = sizeof(struct log_segment_header); i < size; i++) {
        if (block[i] != 0)
            return false;
    }
    return true;
}

/* 1 where the segment of that first sequence is open now, 0 where it is not there or was never finished, -EBADMSG where
 * its header is damaged. */
static int open_segment(struct log_reader *log, uint64_t first)
{
    char name[DISK_NAME_MAX];
    log_segment_name(first, name);
    log->headless = false;
    int file = disk_file_open(log->disk, name, log->recovery ? DISK_READ_DIRECT : DISK_READ);
    if (file == -ENOENT)
        return 0;
    if (file < 0)
        return file;
    log->cache_length = 0;
    int64_t n = disk_read_all(log->disk, file, log->cache, DISK_BLOCK_SIZE, 0);
    struct log_segment_header header;
    memcpy(&header, log->cache, sizeof(header));
    if (n < (int64_t)sizeof(header) || !log_segment_header_valid(&header, log->identity.id, first)) {
        disk_file_close(log->disk, file);
        if (n < 0)
            return (int)n;
        log->headless = empty_behind_header(log->cache, (size_t)n);
        return log->headless ? 0 : -EBADMSG;
    }
    disk_file_close(log->disk, log->file);
    log->file = file;
    log->segment = first;
    log->offset = sizeof(header);
    return 1;
}

/* 1 where a frame behind the bad one says that the bad one was durable, 0 where none does. */
static int committed_behind(struct log_reader *log)
{
    unsigned candidates = 0;
    for (uint64_t at = log->offset + LOG_FRAME_ALIGN; at + sizeof(struct log_frame) <= LOG_SEGMENT_SIZE;
         at += LOG_FRAME_ALIGN) {
        if (cached(log, at).length < sizeof(struct log_frame)) {
            int result = fill(log, at, sizeof(struct log_frame));
            if (result < 0)
                return result;
            if (cached(log, at).length < sizeof(struct log_frame))
                return 0; /* the file ends here */
        }
        struct log_frame frame;
        memcpy(&frame, cached(log, at).data, sizeof(frame));
        if (frame.magic != LOG_FRAME_MAGIC || frame.committed < log->next || frame.sequence <= frame.committed)
            continue;
        if (++candidates > CANDIDATES_MAX)
            return 1;
        int64_t size = fetch(log, at, false);
        if (size < 0)
            return (int)size;
        if (size > 0 && log_frame_read(cached(log, at), log->identity.id, log->segment, &frame))
            return 1;
    }
    return 0;
}

/* The record to come is not whole, and no segment begins with it. */
static enum log_status judge(struct log_reader *log)
{
    bool promised = log->floor >= log->next || (log->limit != NO_LIMIT && log->limit >= log->next);
    struct log_segments segments;
    int result = log_segments_list(log->disk, &segments);
    if (result < 0)
        return failed(log, "list", result);
    bool dropped = segments.count > 0 && log->segment > 0 && segments.firsts[0] > log->segment;
    bool later = segments.count > 0 && segments.firsts[segments.count - 1] > log->next;
    free(segments.firsts);
    if (dropped)
        return broken(log, LOG_BEHIND, "segment with record %" PRIu64 " was dropped while this reader stood before it",
                      log->next);
    if (!promised && !later && log->judged != log->next) {
        result = log->file < 0 ? 0 : committed_behind(log);
        log->cache_length = 0;
        if (result < 0)
            return failed(log, "read", result);
        promised = result > 0;
    }
    if (promised || later)
        return broken(log, LOG_DAMAGED,
                      "record %" PRIu64 " is damaged or missing: segment log-%020" PRIu64 " offset %" PRIu64, log->next,
                      log->segment, log->offset);
    log->judged = log->next;
    return LOG_OK;
}

static enum log_status first_segment(struct log_reader *log)
{
    struct log_segments segments;
    int result = log_segments_list(log->disk, &segments);
    if (result < 0)
        return failed(log, "list", result);
    if (segments.count > 0)
        log->first = log->next = segments.firsts[0];
    free(segments.firsts);
    return LOG_OK;
}

static enum log_status at_end(struct log_reader *log)
{
    log->chunk = CHUNK_MIN;
    if (log->first > 1 && !log->anchored)
        return broken(log, LOG_DAMAGED, "records before %" PRIu64 " are missing and no table covers them", log->first);
    return LOG_END;
}

static void take(struct log_reader *log, const struct log_frame *frame, struct log_record *out)
{
    out->type = (enum log_type)frame->type;
    out->sequence = frame->sequence;
    out->payload.data = cached(log, log->offset).data + sizeof(*frame);
    out->payload.length = frame->length;
    if (frame->type == LOG_TABLE && frame->length == sizeof(struct log_table)) {
        struct log_table table;
        memcpy(&table, out->payload.data, sizeof(table));
        log->anchored |= table.covers + 1 >= log->first && table.state_from >= log->first;
    }
    if (log->floor < frame->committed)
        log->floor = frame->committed;
    log->offset += log_frame_size(frame->length);
    log->next++;
}

enum log_status log_reader_next(struct log_reader *log, struct log_record *out)
{
    if (log->broken != LOG_OK)
        return log->broken;
    durable_look(log);
    if (log->segment == 0) {
        enum log_status status = first_segment(log);
        if (status != LOG_OK)
            return status;
    }
    if (log->next > log->limit)
        return at_end(log);
    for (;;) {
        struct log_frame frame;
        int result = log->file < 0 ? 0 : look(log, &frame);
        if (result < 0)
            return failed(log, "read", result);
        if (result > 0) {
            take(log, &frame, out);
            if (frame.again == 0 || frame.again < log->first)
                return LOG_OK;
            if (log->next > log->limit)
                return at_end(log);
            continue;
        }
        result = log->next == log->segment ? 0 : open_segment(log, log->next);
        if (result == -EBADMSG)
            return broken(log, LOG_DAMAGED, "header of segment log-%020" PRIu64 " is damaged: offset 0", log->next);
        if (result < 0)
            return failed(log, "open the one after", result);
        if (result == 0) {
            enum log_status status = judge(log);
            return status == LOG_OK ? at_end(log) : status;
        }
    }
}

static struct log_reader *reader_new(struct disk *disk, const struct store_identity *identity)
{
    struct log_reader *log = calloc(1, sizeof(*log));
    if (!log)
        return NULL;
    log->cache = aligned_alloc(DISK_BLOCK_SIZE, CACHE_SIZE);
    if (!log->cache) {
        free(log);
        return NULL;
    }
    log->disk = disk;
    log->identity = *identity;
    disk_boot_id(log->boot);
    log->file = -1;
    log->first = log->next = 1;
    log->limit = NO_LIMIT;
    log->chunk = CHUNK_MIN;
    return log;
}

enum log_status log_reader_open(const char *directory, struct log_reader **out, char *error, size_t error_size)
{
    struct disk *disk;
    int result = disk_open(directory, false, &disk);
    if (result < 0) {
        snprintf(error, error_size, "cannot open store %s: %s", directory, strerror(-result));
        return result == -ENOENT ? LOG_NO_STORE : LOG_FAILED;
    }
    struct store_identity identity;
    result = store_identity_read(disk, &identity);
    struct log_reader *log = result < 0 ? NULL : reader_new(disk, &identity);
    if (log) {
        log->owns_disk = true;
        *out = log;
        return LOG_OK;
    }
    disk_close(disk);
    if (result == -ENOENT) {
        snprintf(error, error_size, "there is no store in %s yet", directory);
        return LOG_NO_STORE;
    }
    snprintf(error, error_size, "cannot read %s/" STORE_IDENTITY_NAME ": %s", directory,
             result == 0 ? "out of memory" : strerror(-result));
    return result == -EBADMSG ? LOG_DAMAGED : LOG_FAILED;
}

enum log_status log_reader_open_recovery(struct disk *disk, const struct store_identity *identity,
                                         struct log_reader **out, char *error, size_t error_size)
{
    struct log_reader *log = reader_new(disk, identity);
    if (!log) {
        snprintf(error, error_size, "out of memory");
        return LOG_FAILED;
    }
    log->recovery = true;
    *out = log;
    return LOG_OK;
}

void log_reader_tail(const struct log_reader *log, struct log_tail *out)
{
    *out = (struct log_tail){.first = log->first,
                             .next = log->next,
                             .segment = log->segment,
                             .offset = log->offset,
                             .headless = log->headless};
}

const char *log_reader_error(const struct log_reader *log)
{
    return log->error;
}

void log_reader_close(struct log_reader *log)
{
    if (!log)
        return;
    disk_file_close(log->disk, log->file);
    disk_unshare((void *)(uintptr_t)log->durable, LOG_DURABLE_SIZE);
    if (log->owns_disk)
        disk_close(log->disk);
    free(log->cache);
    free(log);
}
