#include "tests/load/answer.h"

#include "dataplane/coap.h"
#include "dataplane/reasons.h"
#include "keys/cbor.h"
#include "tests/load/random.h"

static const char *const wrong_names[WRONG_COUNT] = {
    [WRONG_NOTHING] = "nothing",
    [WRONG_FORM] = "form",
    [WRONG_MATCH] = "message or request id",
    [WRONG_CODE] = "code",
    [WRONG_VERDICT] = "verdict",
    [WRONG_COLOUR] = "colour",
    [WRONG_REASON] = "reason",
    [WRONG_OBLIGATIONS] = "obligations",
    [WRONG_PROTECTION] = "protection",
    [WRONG_REPEAT] = "another answer to a retransmission",
};

const char *wrong_name(enum wrong wrong)
{
    return wrong < WRONG_COUNT ? wrong_names[wrong] : "unknown";
}

/* The value of an option's delta or length nibble with its extension (RFC 7252 section 3.1); -1 where it is cut off
 * or reserved. */
static int32_t extended(uint32_t nibble, const uint8_t **next, const uint8_t *end)
{
    if (nibble < 13)
        return (int32_t)nibble;
    if (nibble == 15 || end - *next < (nibble == 13 ? 1 : 2))
        return -1;
    if (nibble == 13)
        return 13 + *(*next)++;
    int32_t value = 269 + (*next)[0] * 256 + (*next)[1];
    *next += 2;
    return value;
}

/* Notes the options that matter here and passes over the others; false where they are malformed. */
static bool take_options(const uint8_t **next, const uint8_t *end, struct answer *out)
{
    int32_t number = 0;
    while (*next < end && **next != 0xff) {
        uint32_t first = *(*next)++;
        int32_t delta = extended(first >> 4, next, end);
        int32_t length = delta < 0 ? -1 : extended(first & 15, next, end);
        if (length < 0 || end - *next < length)
            return false;
        number += delta;
        struct bytes value = {*next, (size_t)length};
        if (number == COAP_OPTION_OSCORE) {
            out->has_oscore = true;
            out->oscore = value;
        } else if (number == COAP_OPTION_ECHO) {
            out->echo = value;
        }
        *next += length;
    }
    return true;
}

bool answer_read_rest(struct bytes rest, struct answer *out)
{
    const uint8_t *next = rest.data, *end = rest.data + rest.length;
    out->payload = out->echo = out->oscore = (struct bytes){0};
    out->has_oscore = false;
    if (!take_options(&next, end, out))
        return false;
    if (next < end) {
        next++;
        if (next == end)
            return false; /* a marker with nothing behind it */
        out->payload = (struct bytes){next, (size_t)(end - next)};
    }
    return true;
}

bool answer_read(struct bytes message, struct answer *out)
{
    const uint8_t *next = message.data, *end = message.data + message.length;
    memset(out, 0, sizeof *out);
    if (message.length < 4 || next[0] >> 6 != 1)
        return false;
    uint32_t token_length = next[0] & 15;
    out->type = next[0] >> 4 & 3;
    out->code = next[1];
    out->message_id = (uint16_t)(next[2] << 8 | next[3]);
    next += 4;
    if (token_length > COAP_TOKEN_MAX || end - next < token_length)
        return false;
    if (token_length == TOKEN_SIZE) {
        memcpy(&out->token, next, TOKEN_SIZE);
        out->has_token = true;
    }
    next += token_length;
    return answer_read_rest((struct bytes){next, (size_t)(end - next)}, out);
}

static uint8_t take_number(struct cbor_reader *in, uint32_t limit)
{
    uint64_t value = cbor_take_uint(in);
    if (value >= limit)
        in->failed = true;
    return (uint8_t)value;
}

static uint32_t take_obligations(struct cbor_reader *in)
{
    uint32_t set = 0;
    for (uint32_t count = cbor_take_array(in, 32); count > 0 && !in->failed; count--)
        set |= 1u << (take_number(in, 32) & 31);
    return set;
}

/* One entry of the response map. Labels ascend, since what the appliance emits is deterministic. */
static void take_entry(struct cbor_reader *in, struct answer *out, uint32_t *seen)
{
    uint64_t label = cbor_take_uint(in);
    if (label == 0 || label > 10 || *seen >> label)
        in->failed = true;
    if (in->failed)
        return;
    *seen |= 1u << label;
    switch (label) {
    case 1:
        out->id = (uint32_t)cbor_take_uint(in);
        break;
    case 2:
        out->verdict = take_number(in, VERDICT_COUNT);
        break;
    case 3:
        out->colour = take_number(in, 4);
        break;
    case 4:
        out->reason = take_number(in, REASON_LIMIT);
        break;
    case 5:
        out->obligations = take_obligations(in);
        break;
    case 6:
        out->ruleset = cbor_take_uint(in);
        break;
    case 7:
        out->status_age_s = cbor_take_uint(in);
        break;
    default:
        cbor_take_item(in);
    }
}

bool answer_read_verdict(struct answer *answer)
{
    enum { REQUIRED = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 };
    if (answer->payload.length == 0)
        return false;
    struct cbor_reader in = cbor_read(answer->payload);
    uint32_t seen = 0;
    for (uint32_t count = cbor_take_map(&in, 10); count > 0 && !in.failed; count--)
        take_entry(&in, answer, &seen);
    return cbor_done(&in) && (seen & REQUIRED) == REQUIRED;
}

uint8_t answer_refusal_reason(const struct answer *answer)
{
    if (answer->payload.length == 0)
        return 0;
    struct cbor_reader in = cbor_read(answer->payload);
    bool reason_only = cbor_take_map(&in, 1) == 1 && cbor_take_uint(&in) == 4;
    uint8_t reason = take_number(&in, REASON_LIMIT);
    return reason_only && cbor_done(&in) ? reason : 0;
}

bool answer_sheds(const struct answer *answer)
{
    return answer->code == COAP_TOO_MANY_REQUESTS || answer->code == COAP_SERVICE_UNAVAILABLE ||
           (answer->code == COAP_CONTENT && answer->verdict == VERDICT_RETRY);
}

enum wrong answer_check(const struct answer *answer, const struct expectation *expected)
{
    if (expected->code == EXPECT_ANY)
        return WRONG_NOTHING;
    if (answer->code != expected->code)
        return WRONG_CODE;
    if (answer->code != COAP_CONTENT)
        return WRONG_NOTHING;
    if (expected->verdict != EXPECT_ANY && answer->verdict != expected->verdict)
        return WRONG_VERDICT;
    if (expected->colour != EXPECT_ANY && answer->colour != expected->colour)
        return WRONG_COLOUR;
    if (expected->reason != EXPECT_ANY && answer->reason != expected->reason)
        return WRONG_REASON;
    if (expected->obligations != EXPECT_ANY_OBLIGATIONS && answer->obligations != expected->obligations)
        return WRONG_OBLIGATIONS;
    return WRONG_NOTHING;
}

uint32_t answer_digest(struct bytes message)
{
    uint64_t hash = message.length, word;
    const uint8_t *data = message.data;
    size_t left = message.length;
    for (; left >= 8; left -= 8, data += 8) {
        memcpy(&word, data, 8);
        hash = random_mix(hash ^ word);
    }
    for (; left > 0; left--)
        hash = random_mix(hash ^ *data++);
    return (uint32_t)hash;
}
