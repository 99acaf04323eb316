/* A segment made of frames as the input says, whole or not, and bytes as it likes: whatever a reader makes of it, the
 * writer's recovery makes the same of it, and what recovery kept is readable. */
#include <stdlib.h>
#include <string.h>

#include "keys/log_format.h"
#include "tests/simulator/disk_sim.h"

#define SEGMENT_MAX (1u << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char error[256];

/* Input: frames of {kind, sequence step, committed, length, payload}. */
static size_t make_segment(const uint8_t *data, size_t size, uint64_t store, uint8_t room[SEGMENT_MAX])
{
    struct log_segment_header header;
    log_segment_header_make(store, 1, &header);
    memcpy(room, &header, sizeof(header));
    size_t at = sizeof(header);
    uint64_t sequence = 1;
    while (size >= 4) {
        size_t length = data[3] < size - 4 ? data[3] : size - 4;
        if (at + log_frame_size(length) > SEGMENT_MAX)
            break;
        struct log_frame frame = {.sequence = sequence + (data[1] & 3), .committed = data[2], .type = data[0] & 15};
        size_t written = log_frame_write(room + at, store, 1, &frame, (struct bytes){data + 4, length});
        if (data[0] & 0x10)
            room[at + data[1] % written] ^= (uint8_t)(data[2] | 1);
        if (data[0] & 0x20) {
            memcpy(room + at, data + 4, length);
            written = (length + 7) / 8 * 8;
        }
        sequence++;
        at += written;
        data += 4 + length;
        size -= 4 + length;
    }
    return at;
}

static enum log_status read_all(uint64_t *count)
{
    struct log_reader *reader;
    struct log_record record;
    enum log_status status = log_reader_open("sim", &reader, error, sizeof(error));
    if (status != LOG_OK)
        return status;
    for (*count = 0; (status = log_reader_next(reader, &record)) == LOG_OK; ++*count)
        if (record.sequence != *count + 1)
            abort();
    log_reader_close(reader);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[SEGMENT_MAX];
    static uint8_t zeros[SEGMENT_MAX];
    memcpy(room, zeros, sizeof(room));
    struct store_identity identity;
    struct disk *disk;
    disk_sim_create(1);
    if (disk_open("sim", true, &disk) != 0 || store_identity_make(disk, &identity) != 0)
        abort();
    disk_close(disk);
    size_t length = make_segment(data, size, identity.id, room);
    char name[DISK_NAME_MAX];
    log_segment_name(1, name);
    disk_sim_put(name, room, length);

    uint64_t before = 0, after = 0;
    enum log_status status = read_all(&before);
    struct log_writer *writer;
    enum log_status opened = log_writer_open("sim", &writer, error, sizeof(error));
    if ((status == LOG_END) != (opened == LOG_OK) || (opened != LOG_OK && opened != LOG_DAMAGED))
        abort();
    if (opened == LOG_OK) {
        if (log_writer_append(writer, LOG_RULES, (struct bytes){data, size < 100 ? size : 100}, NULL) != LOG_OK)
            abort();
        log_writer_close(writer);
        if (read_all(&after) != LOG_END || after != before + 1)
            abort();
    }
    disk_sim_destroy();
    return 0;
}
