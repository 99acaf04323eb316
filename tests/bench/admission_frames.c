#include "tests/bench/admission_frames.h"

#include <stdlib.h>

#include "dataplane/coap.h"
#include "dataplane/oscore_message.h"
#include "keys/cbor.h"
#include "tests/reference/oscore_reference.h"

#define FILL 0x42

const char *refused_name(enum refused kind)
{
    static const char *const names[] = {"unknown_kid",           "wrong_tag", "over_budget",
                                        "over_budget_protected", "malformed", "stranger"};
    return names[kind];
}

static struct coap_writer begin(uint8_t *room)
{
    static const uint8_t token[TOKEN_SIZE];
    return coap_write(room, REFUSED_MESSAGE_SIZE, COAP_CON, COAP_POST, 0, (struct bytes){token, sizeof token});
}

/* Fills the message up to its size with a payload. */
static void end(struct coap_writer *out, uint8_t first)
{
    uint8_t fill[REFUSED_MESSAGE_SIZE];
    memset(fill, FILL, sizeof fill);
    fill[0] = first;
    coap_put_payload(out, (struct bytes){fill, (size_t)(out->end - out->next) - 1});
}

static void make_plain(uint8_t *room)
{
    struct coap_writer out = begin(room);
    coap_put_option(&out, COAP_OPTION_URI_PATH, bytes_of_text("v"));
    coap_put_option_uint(&out, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
    end(&out, 0xa1);
}

static void make_forged(uint8_t *room, uint32_t kid)
{
    uint8_t value[] = {0x0a, 0x40, 0, 0, 0, 0, 0}; /* a Partial IV of two bytes, and the kid */
    struct coap_writer out = begin(room);
    memcpy(value + 3, &kid, sizeof kid);
    coap_put_option(&out, COAP_OPTION_OSCORE, (struct bytes){value, sizeof value});
    end(&out, FILL);
}

static bool make_protected(uint8_t *room, uint32_t n, uint64_t sequence)
{
    struct point point = appliance_point(n);
    uint8_t plain[REFUSED_MESSAGE_SIZE], sealed[REFUSED_MESSAGE_SIZE + 32], option[OSCORE_OPTION_MAX];
    size_t option_size, size = 0;
    /* The length of what is around the plaintext is known once it has been made. */
    for (unsigned pass = 0, room_inside = 200; pass < 2; pass++) {
        plain[0] = COAP_POST;
        struct coap_writer inner = coap_write_options(plain + 1, room_inside);
        coap_put_option(&inner, COAP_OPTION_URI_PATH, bytes_of_text("v"));
        coap_put_option_uint(&inner, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
        uint8_t fill[REFUSED_MESSAGE_SIZE];
        memset(fill, FILL, sizeof fill);
        coap_put_payload(&inner, (struct bytes){fill, (size_t)(inner.end - inner.next) - 1});
        size = reference_seal_request(&point.oscore, sequence, (struct bytes){plain, 1 + coap_written(&inner)}, option,
                                      &option_size, sealed);
        struct coap_writer out = begin(room);
        coap_put_option(&out, COAP_OPTION_OSCORE, (struct bytes){option, option_size});
        coap_put_payload(&out, (struct bytes){sealed, size});
        room_inside += REFUSED_MESSAGE_SIZE - (unsigned)coap_written(&out);
        size = coap_written(&out);
    }
    return size == REFUSED_MESSAGE_SIZE;
}

bool refused_make(enum refused kind, uint32_t count, uint64_t sequence, struct refused_messages *out)
{
    *out = (struct refused_messages){.data = malloc((size_t)count * REFUSED_MESSAGE_SIZE),
                                     .sums = malloc(count * sizeof *out->sums),
                                     .count = count};
    bool good = out->data && out->sums;
    for (uint32_t i = 0; good && i < count; i++) {
        uint8_t *room = out->data[i];
        switch (kind) {
        case REFUSED_UNKNOWN_KID:
            make_forged(room, APPLIANCE_CONTEXTS + i);
            break;
        case REFUSED_WRONG_TAG:
            make_forged(room, i % APPLIANCE_CONTEXTS);
            break;
        case REFUSED_OVER_BUDGET_PROTECTED:
            good = make_protected(room, i % APPLIANCE_CONTEXTS, sequence + i / APPLIANCE_CONTEXTS);
            break;
        case REFUSED_MALFORMED:
            make_plain(room);
            room[0] = (uint8_t)((room[0] & 0xf0) | 0x0f); /* a token of 15 bytes */
            break;
        default:
            make_plain(room);
        }
        out->sums[i] = link_fold(link_sum(room, REFUSED_MESSAGE_SIZE));
    }
    return good;
}

void refused_free(struct refused_messages *messages)
{
    free(messages->data);
    free(messages->sums);
}

uint16_t refused_write(const struct refused_messages *messages, const struct link *link, uint32_t point, uint32_t i,
                       uint8_t *frame)
{
    uint32_t n = i % messages->count;
    struct link_message message = {.data = messages->data[n],
                                   .length = REFUSED_MESSAGE_SIZE,
                                   .sum = messages->sums[n],
                                   .token_free = true,
                                   .message_id = (uint16_t)i,
                                   .token = {.salt = n, .sequence = i}};
    return link_write(link, point, 0, &message, frame);
}
