/* The answer: the response map of design section 4, and the CoAP message around it. */
#include "dataplane/stages.h"
#include "keys/cbor.h"

enum response_label {
    RESPONSE_ID = 1,
    RESPONSE_VERDICT = 2,
    RESPONSE_COLOUR = 3,
    RESPONSE_REASON = 4,
    RESPONSE_OBLIGATIONS = 5,
    RESPONSE_RULESET = 6,
    RESPONSE_STATUS_AGE = 7,
    RESPONSE_UNTIL = 8,
    RESPONSE_DECISION = 9,
    RESPONSE_RULE = 10,
};

static const char discovery_links[] = "</v>;ct=60;rt=\"chengmen.verify\"";

static uint8_t code_of(enum ending ending)
{
    switch (ending) {
    case ENDING_CODE_4_00:
        return COAP_BAD_REQUEST;
    case ENDING_CODE_4_01:
        return COAP_UNAUTHORIZED;
    case ENDING_CODE_4_02:
        return COAP_BAD_OPTION;
    case ENDING_CODE_4_04:
        return COAP_NOT_FOUND;
    case ENDING_CODE_4_05:
        return COAP_METHOD_NOT_ALLOWED;
    case ENDING_CODE_4_06:
        return COAP_NOT_ACCEPTABLE;
    case ENDING_CODE_4_13:
        return COAP_TOO_LARGE;
    case ENDING_CODE_4_15:
        return COAP_UNSUPPORTED_FORMAT;
    case ENDING_CODE_4_29:
        return COAP_TOO_MANY_REQUESTS;
    case ENDING_CODE_5_03:
        return COAP_SERVICE_UNAVAILABLE;
    case ENDING_CODE_5_05:
        return COAP_PROXYING_NOT_SUPPORTED;
    default:
        return COAP_CONTENT;
    }
}

static void put_obligations(struct cbor_writer *out, uint32_t obligations)
{
    cbor_put_uint(out, RESPONSE_OBLIGATIONS);
    cbor_put_array(out, (unsigned)__builtin_popcount(obligations));
    for (unsigned i = 0; i < OBLIGATION_COUNT; i++)
        if (obligations >> i & 1)
            cbor_put_uint(out, i);
}

size_t reply_map_write(const struct request *r, uint32_t ruleset_version, uint8_t *room, size_t size)
{
    const struct decision *d = &r->decision;
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_map(&out, 7u + (d->obligations != 0) + d->has_until + (d->rule_id[0] != 0));
    cbor_put_uint(&out, RESPONSE_ID);
    cbor_put_uint(&out, r->id);
    cbor_put_uint(&out, RESPONSE_VERDICT);
    cbor_put_uint(&out, d->verdict);
    cbor_put_uint(&out, RESPONSE_COLOUR);
    cbor_put_uint(&out, r->latest.colour);
    cbor_put_uint(&out, RESPONSE_REASON);
    cbor_put_uint(&out, d->reason);
    if (d->obligations)
        put_obligations(&out, d->obligations);
    cbor_put_uint(&out, RESPONSE_RULESET);
    cbor_put_uint(&out, ruleset_version);
    cbor_put_uint(&out, RESPONSE_STATUS_AGE);
    cbor_put_uint(&out, r->latest.age_s);
    if (d->has_until) {
        cbor_put_uint(&out, RESPONSE_UNTIL);
        cbor_put_uint(&out, d->until_s);
    }
    cbor_put_uint(&out, RESPONSE_DECISION);
    cbor_put_uint(&out, r->decision_number);
    if (d->rule_id[0]) {
        cbor_put_uint(&out, RESPONSE_RULE);
        cbor_put_text(&out, bytes_of_text(d->rule_id));
    }
    return cbor_written(&out).length;
}

static size_t error_map_write(enum reason reason, uint8_t *room, size_t size)
{
    struct cbor_writer out = cbor_write(room, size);
    cbor_put_map(&out, 1);
    cbor_put_uint(&out, RESPONSE_REASON);
    cbor_put_uint(&out, reason);
    return cbor_written(&out).length;
}

static size_t reset_write(struct request *r)
{
    struct coap_writer out = coap_write(r->frame.data + r->datagram, ANSWER_SIZE_MAX, COAP_RST, COAP_EMPTY,
                                        r->message.id, (struct bytes){NULL, 0});
    return coap_written(&out);
}

/* Options and payload of an answer other than a Reset. */
static void put_content(struct coap_writer *out, const struct request *r, const struct reply_terms *terms)
{
    enum ending ending = reason_ending(r->reason);
    uint8_t map[ANSWER_PAYLOAD_MAX];
    struct bytes payload = bytes_of_text(discovery_links);
    if (ending >= ENDING_ALLOW)
        payload = (struct bytes){map, reply_map_write(r, terms->ruleset_version, map, sizeof map)};
    else if (ending >= ENDING_CODE_4_00)
        payload = (struct bytes){map, error_map_write(r->reason, map, sizeof map)};
    assert(payload.length > 0);
    coap_put_option_uint(out, COAP_OPTION_CONTENT_FORMAT,
                         r->reason == REASON_COAP_DISCOVERY ? COAP_FORMAT_LINK : COAP_FORMAT_CBOR);
    if (ending == ENDING_CODE_4_29 || ending == ENDING_CODE_5_03)
        coap_put_option_uint(out, COAP_OPTION_MAX_AGE, terms->max_age_s);
    if (r->reason == REASON_OSCORE_ECHO)
        coap_put_option(out, COAP_OPTION_ECHO, (struct bytes){r->oscore.echo, OSCORE_ECHO_SIZE});
    if (r->reason == REASON_SOURCE_ECHO)
        coap_put_option(out, COAP_OPTION_ECHO, (struct bytes){r->echo, sizeof r->echo});
    coap_put_payload(out, payload);
}

/* A confirmable request is answered in its ACK (RFC 7252 section 5.2.1). The token is written where it stands. */
static struct coap_writer begin(struct request *r, const struct reply_terms *terms, uint8_t code)
{
    bool confirmable = r->message.type == COAP_CON;
    return coap_write(r->frame.data + r->datagram, ANSWER_SIZE_MAX, confirmable ? COAP_ACK : COAP_NON, code,
                      confirmable ? r->message.id : terms->message_id,
                      (struct bytes){r->message.token, r->message.token_length});
}

size_t reply_write(struct request *r, const struct reply_terms *terms)
{
    if (r->reason == REASON_COAP_PING || r->reason == REASON_COAP_FORMAT)
        return reset_write(r);
    size_t asked = r->datagram_length;
    struct coap_writer out = begin(r, terms, code_of(reason_ending(r->reason)));
    size_t bare = coap_written(&out);
    put_content(&out, r, terms);
    size_t length = coap_written(&out);
    assert(length > 0);
    /* A source that nobody vouches for never gets more than it sent: it may be forged. */
    return length > asked && (!r->trusted || r->reason == REASON_SOURCE_ECHO) ? bare : length;
}

size_t reply_plaintext_write(const struct request *r, const struct reply_terms *terms, uint8_t *room, size_t size)
{
    struct coap_writer out = coap_write_options(room + 1, size - 1);
    room[0] = code_of(reason_ending(r->reason));
    put_content(&out, r, terms);
    assert(!out.failed);
    return 1 + coap_written(&out);
}

size_t reply_protected_write(struct request *r, const struct reply_terms *terms)
{
    /* The outer code says nothing (RFC 8613 section 4.2). */
    struct coap_writer out = begin(r, terms, COAP_CHANGED);
    coap_put_option(&out, COAP_OPTION_OSCORE, (struct bytes){r->oscore.option, r->oscore.option_size});
    coap_put_payload(&out, (struct bytes){r->oscore.response, r->oscore.response_size});
    assert(!out.failed);
    return coap_written(&out);
}
