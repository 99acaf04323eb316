#include "keys/log_format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define SEGMENT_PREFIX "log-"
#define SEGMENT_DIGITS 20
#define SEGMENTS_MAX (1u << 20)

void log_segment_name(uint64_t first, char name[DISK_NAME_MAX])
{
    snprintf(name, DISK_NAME_MAX, SEGMENT_PREFIX "%020" PRIu64, first);
}

uint64_t log_segment_first(const char *name)
{
    size_t prefix = strlen(SEGMENT_PREFIX);
    if (strncmp(name, SEGMENT_PREFIX, prefix) != 0 || strlen(name) != prefix + SEGMENT_DIGITS)
        return 0;
    uint64_t first = 0;
    for (const char *digit = name + prefix; *digit; digit++) {
        if (*digit < '0' || *digit > '9' || __builtin_mul_overflow(first, 10, &first) ||
            __builtin_add_overflow(first, (uint64_t)(*digit - '0'), &first))
            return 0;
    }
    return first;
}

static uint64_t header_checksum(const struct log_segment_header *header)
{
    return XXH3_64bits(&header->magic, sizeof(*header) - sizeof(header->checksum));
}

void log_segment_header_make(uint64_t store, uint64_t first, struct log_segment_header *out)
{
    *out = (struct log_segment_header){.magic = LOG_SEGMENT_MAGIC, .store = store, .first = first};
    out->checksum = header_checksum(out);
}

bool log_segment_header_valid(const struct log_segment_header *header, uint64_t store, uint64_t first)
{
    return header->magic == LOG_SEGMENT_MAGIC && header->store == store && header->first == first &&
           header->checksum == header_checksum(header);
}

/* A frame that lies in another segment, as a stale or misdirected block, fails its checksum. */
static uint64_t frame_checksum(const uint8_t *frame, size_t size, uint64_t store, uint64_t segment)
{
    return XXH3_64bits_withSeed(frame + sizeof(uint64_t), size - sizeof(uint64_t),
                                store ^ segment * 0x9e3779b97f4a7c15u);
}

size_t log_frame_write(uint8_t *room, uint64_t store, uint64_t segment, const struct log_frame *fields,
                       struct bytes payload)
{
    size_t size = log_frame_size(payload.length);
    struct log_frame frame = *fields;
    frame.magic = LOG_FRAME_MAGIC;
    frame.length = (uint32_t)payload.length;
    frame.reserved = 0;
    memcpy(room, &frame, sizeof(frame));
    if (payload.length > 0)
        memcpy(room + sizeof(frame), payload.data, payload.length);
    memset(room + sizeof(frame) + payload.length, 0, size - sizeof(frame) - payload.length);
    frame.checksum = frame_checksum(room, size, store, segment);
    memcpy(room, &frame.checksum, sizeof(frame.checksum));
    return size;
}

bool log_frame_read(struct bytes in, uint64_t store, uint64_t segment, struct log_frame *out)
{
    if (in.length < sizeof(*out))
        return false;
    memcpy(out, in.data, sizeof(*out));
    if (out->magic != LOG_FRAME_MAGIC || out->length > LOG_PAYLOAD_MAX || log_frame_size(out->length) > in.length)
        return false;
    return out->checksum == frame_checksum(in.data, log_frame_size(out->length), store, segment);
}

static int remember(void *context, const char *name)
{
    struct log_segments *found = context;
    uint64_t first = log_segment_first(name);
    if (first == 0)
        return 0;
    if (found->count == SEGMENTS_MAX)
        return -EOVERFLOW;
    if ((found->count & (found->count - 1)) == 0) { /* room doubles at every power of two */
        size_t room = found->count ? found->count * 2 : 1;
        uint64_t *firsts = realloc(found->firsts, room * sizeof(*firsts));
        if (!firsts)
            return -ENOMEM;
        found->firsts = firsts;
    }
    found->firsts[found->count++] = first;
    return 0;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int log_segments_list(struct disk *disk, struct log_segments *out)
{
    *out = (struct log_segments){NULL, 0};
    int result = disk_list(disk, remember, out);
    if (result < 0) {
        free(out->firsts);
        *out = (struct log_segments){NULL, 0};
        return result;
    }
    if (out->count > 1)
        qsort(out->firsts, out->count, sizeof(*out->firsts), compare_u64);
    return 0;
}
