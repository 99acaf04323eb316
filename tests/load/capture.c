#include "tests/load/capture.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/json.h"
#include "dataplane/coap.h"
#include "tests/load/link.h"

enum { FILE_HEADER = 24, RECORD_HEADER = 16, ETHERNET_IP_UDP = 42, SOURCES_MAX = 1 << 16, LINK_TYPE_ETHERNET = 1 };

struct reader {
    struct bytes file;
    size_t at;
    bool swapped, nanoseconds;
};

static uint32_t take_u32(struct reader *reader)
{
    uint32_t value;
    memcpy(&value, reader->file.data + reader->at, 4);
    reader->at += 4;
    return reader->swapped ? __builtin_bswap32(value) : value;
}

static bool open_file(struct reader *reader)
{
    uint32_t magic, swapped;
    if (reader->file.length < FILE_HEADER)
        return false;
    memcpy(&magic, reader->file.data, 4);
    swapped = __builtin_bswap32(magic);
    reader->swapped = swapped == 0xa1b2c3d4 || swapped == 0xa1b23c4d;
    if (reader->swapped)
        magic = swapped;
    reader->nanoseconds = magic == 0xa1b23c4d;
    reader->at = 20;
    return (magic == 0xa1b2c3d4 || magic == 0xa1b23c4d) && take_u32(reader) == LINK_TYPE_ETHERNET;
}

/* The next frame; false at the end and where the file is cut off. */
static bool next_frame(struct reader *reader, uint64_t *time_ns, struct bytes *frame)
{
    if (reader->file.length - reader->at < RECORD_HEADER)
        return false;
    uint64_t seconds = take_u32(reader), fraction = take_u32(reader);
    uint32_t length = take_u32(reader);
    reader->at += 4; /* the length on the wire */
    if (length > reader->file.length - reader->at)
        return false;
    *time_ns = seconds * 1000000000u + fraction * (reader->nanoseconds ? 1 : 1000);
    *frame = (struct bytes){reader->file.data + reader->at, length};
    reader->at += length;
    return true;
}

/* The CoAP message in a frame to port 5683; empty where there is none. */
static struct bytes message_of(struct bytes frame, uint32_t *source)
{
    const uint8_t *f = frame.data;
    if (frame.length < ETHERNET_IP_UDP || f[12] != 8 || f[13] != 0 || f[14] != 0x45 || f[23] != 17 ||
        (f[36] << 8 | f[37]) != COAP_PORT)
        return (struct bytes){0};
    size_t length = (size_t)(f[38] << 8 | f[39]);
    if (length < 8 || length - 8 > frame.length - ETHERNET_IP_UDP || length - 8 > LINK_MESSAGE_MAX - TOKEN_SIZE)
        return (struct bytes){0};
    memcpy(source, f + 26, 4);
    return (struct bytes){f + ETHERNET_IP_UDP, length - 8};
}

/* Sources in the order of appearance, in a table with linear probing that is never full. */
struct sources {
    uint32_t address[SOURCES_MAX], point[SOURCES_MAX];
    bool used[SOURCES_MAX];
    uint32_t count;
};

static uint32_t point_of(struct sources *sources, uint32_t address, uint32_t points)
{
    uint32_t at = address * 2654435761u % SOURCES_MAX;
    while (sources->used[at] && sources->address[at] != address)
        at = (at + 1) % SOURCES_MAX;
    if (!sources->used[at] && sources->count == SOURCES_MAX / 2)
        return address % points; /* more sources than are told apart */
    if (!sources->used[at]) {
        sources->used[at] = true;
        sources->address[at] = address;
        sources->point[at] = sources->count++ % points;
    }
    return sources->point[at];
}

/* The request with a token of our size and no message id; its size, or 0 where it is no request. */
static size_t rewrite(struct bytes in, uint8_t *room, size_t size)
{
    static const uint8_t token[TOKEN_SIZE];
    struct coap_message message;
    if (coap_parse(in, &message) != COAP_OK || message.code == COAP_EMPTY || message.code >> 5 != 0 ||
        message.type > COAP_NON)
        return 0;
    struct coap_writer out = coap_write(room, size, message.type, message.code, 0, (struct bytes){token, sizeof token});
    for (unsigned i = 0; i < message.option_count; i++)
        coap_put_option(&out, message.options[i].number, message.options[i].value);
    coap_put_payload(&out, message.payload);
    return coap_written(&out);
}

static bool take_all(struct reader *reader, uint32_t points, double speed, struct pool *out, struct sources *sources)
{
    uint64_t time_ns, first_ns = 0, last_ns = 0, room = reader->file.length / (RECORD_HEADER + ETHERNET_IP_UDP) + 1;
    struct bytes frame;
    if (room > CAPTURE_REQUESTS_MAX)
        room = CAPTURE_REQUESTS_MAX;
    *out = (struct pool){.points = points};
    out->entries = calloc(room, sizeof *out->entries);
    out->due_ns = calloc(room, sizeof *out->due_ns);
    out->messages = malloc(reader->file.length + room * TOKEN_SIZE);
    if (!out->entries || !out->due_ns || !out->messages)
        return false;
    while (out->count < room && next_frame(reader, &time_ns, &frame)) {
        uint32_t source = 0;
        struct bytes message = message_of(frame, &source);
        uint8_t *to = out->messages + out->messages_size;
        size_t length = message.length ? rewrite(message, to, message.length + TOKEN_SIZE) : 0;
        if (length == 0)
            continue;
        first_ns = out->count ? first_ns : time_ns;
        last_ns = time_ns > last_ns ? time_ns : last_ns; /* times that go back stand still */
        out->due_ns[out->count] = (uint64_t)((double)(last_ns - first_ns) / speed);
        out->entries[out->count++] = (struct pool_entry){.offset = out->messages_size,
                                                         .point = point_of(sources, source, points),
                                                         .expected.code = EXPECT_ANY,
                                                         .length = (uint16_t)length,
                                                         .sum = link_fold(link_sum(to, length)),
                                                         .kind = KIND_CAPTURED,
                                                         .token_free = true};
        out->messages_size += length;
    }
    return out->count > 0;
}

bool capture_parse(struct bytes file, uint32_t points, double speed, struct pool *out, char *error, size_t error_size)
{
    struct reader reader = {.file = file};
    struct sources *sources = calloc(1, sizeof *sources);
    *out = (struct pool){0};
    bool good = sources && open_file(&reader) && take_all(&reader, points, speed, out, sources);
    free(sources);
    if (!good) {
        snprintf(error, error_size, "no Ethernet capture (pcap) with CoAP requests over IPv4");
        pool_free(out);
    }
    return good;
}

bool capture_read(const char *path, uint32_t points, double speed, struct pool *out, char *error, size_t error_size)
{
    struct bytes file;
    if (!json_read_file(path, &file, error, error_size))
        return false;
    bool good = capture_parse(file, points, speed, out, error, error_size);
    free((void *)(uintptr_t)file.data);
    return good;
}
