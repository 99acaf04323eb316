/* The log on disk, shared by its writer, its reader and the tools. All integers are little-endian.
 *
 * Segment `log-SSSSSSSSSSSSSSSSSSSS` (first sequence, decimal): a header of LOG_ALIGN bytes, frames at multiples of
 * LOG_FRAME_ALIGN without gaps, zeros up to LOG_SEGMENT_SIZE. A segment is created only after all of the one before it
 * was synced.
 *
 * A frame says up to which sequence the log was durable when the frame was written. So a bad frame with sequence n is
 * a torn tail where no later frame says that n was durable, and damage where one does: frames of one commit reach the
 * disk in any order, frames of the next only after a sync.
 *
 * `durable` tells readers how far they may go. It reaches the disk late or never, so what it says is never too much,
 * and only in the boot that wrote it is it exact. */
#pragma once

#include <stdatomic.h>

#include "keys/disk.h"
#include "keys/log.h"
#include "keys/store_identity.h"

#define LOG_SEGMENT_SIZE (64u << 20)
#define LOG_SEGMENT_MAGIC 0x31474f4c474d4843u /* "CHMGLOG1" */
#define LOG_FRAME_MAGIC 0x454d4652u           /* "RFME" */
#define LOG_FRAME_ALIGN 8
#define LOG_DURABLE_NAME "durable"
#define LOG_DURABLE_MAGIC 0x31525544474d4843u /* "CHMGDUR1" */
#define LOG_SPARE_NAME "spare"
#define LOG_LOCK_NAME "lock"

struct log_segment_header {
    uint64_t checksum; /* of the rest of the header */
    uint64_t magic;
    uint64_t store;
    uint64_t first; /* sequence of the first frame */
    uint64_t reserved[4];
};
static_assert(sizeof(struct log_segment_header) == 64, "on disk");

struct log_frame {
    uint64_t checksum; /* of the rest of the frame and the payload */
    uint32_t magic;
    uint32_t length; /* of the payload */
    uint64_t sequence;
    uint64_t committed; /* the last sequence that was durable when this was written */
    uint64_t again;     /* readers that began with this sequence, or before it, had the same before; 0: it is new */
    uint32_t type;
    uint32_t reserved;
};
static_assert(sizeof(struct log_frame) == 48 && sizeof(struct log_frame) % LOG_FRAME_ALIGN == 0, "on disk");

#define LOG_FRAME_MAX (sizeof(struct log_frame) + LOG_PAYLOAD_MAX)
static_assert(sizeof(struct log_segment_header) + LOG_FRAME_MAX <= LOG_SEGMENT_SIZE, "every record fits a segment");
static_assert(LOG_PAYLOAD_MAX % LOG_FRAME_ALIGN == 0, "a padded payload is no longer than the longest");

struct log_durable {
    uint64_t magic;
    uint64_t store;
    uint8_t boot[DISK_BOOT_ID_SIZE];
    _Atomic uint64_t sequence;
    _Atomic uint64_t complement; /* ~sequence: a damaged word is seen */
};
#define LOG_DURABLE_SIZE DISK_BLOCK_SIZE

/* Bytes that a frame with that payload takes. */
static inline size_t log_frame_size(size_t length)
{
    return sizeof(struct log_frame) + (length + LOG_FRAME_ALIGN - 1) / LOG_FRAME_ALIGN * LOG_FRAME_ALIGN;
}

void log_segment_name(uint64_t first, char name[DISK_NAME_MAX]);
/* The first sequence that a file's name says, or 0 where it is no segment's. */
uint64_t log_segment_first(const char *name);
void log_segment_header_make(uint64_t store, uint64_t first, struct log_segment_header *out);
bool log_segment_header_valid(const struct log_segment_header *header, uint64_t store, uint64_t first);

/* Writes a frame with its padding to `room`; returns log_frame_size(payload.length). */
size_t log_frame_write(uint8_t *room, uint64_t store, uint64_t segment, const struct log_frame *fields,
                       struct bytes payload);
/* Whether a whole frame of this store and segment stands at the start of `in`; `out` gets its fields. */
bool log_frame_read(struct bytes in, uint64_t store, uint64_t segment, struct log_frame *out);

/* First sequences of the segments in the directory, ascending; the caller frees `firsts`. Returns 0 or a negative
 * errno. */
struct log_segments {
    uint64_t *firsts;
    size_t count;
};
int log_segments_list(struct disk *disk, struct log_segments *out);

/* As log_writer_append of a record that is in the log already, so that its segment can go (keys/fold.h). Only readers
 * get it that begin after some segment went: to the others it is nothing new, and might undo what came since. */
enum log_status log_writer_append_again(struct log_writer *log, enum log_type type, struct bytes payload);

/* What recovery does beyond reading: the writer's view of a reader. Reads every whole record, durable or not, past the
 * page cache (pages whose write failed look good there), and after LOG_END tells where the log ends. */
enum log_status log_reader_open_recovery(struct disk *disk, const struct store_identity *identity,
                                         struct log_reader **out, char *error, size_t error_size);
struct log_tail {
    uint64_t first;   /* first sequence in the store; as `next` where it is empty */
    uint64_t next;    /* sequence of the record to come */
    uint64_t segment; /* first sequence of the last segment; 0 where there is none */
    uint64_t offset;  /* where the next frame goes in it */
    bool headless;    /* the last segment has no valid header and holds nothing that was committed: remove it */
};
void log_reader_tail(const struct log_reader *log, struct log_tail *out);
