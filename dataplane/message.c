/* CoAP messages as a server takes them (RFC 7252 sections 4.2, 4.3, 5.4, 5.10). */
#include "dataplane/stages.h"

#define PATH_VERIFY "v"
#define PATH_WELL_KNOWN ".well-known"
#define PATH_CORE "core"

/* What cannot be understood is rejected: with a Reset where it is confirmable, else silently. */
static enum reason rejected(const struct request *r)
{
    return r->message.type == COAP_CON ? REASON_COAP_FORMAT : REASON_COAP_NOT_CONFIRMABLE;
}

static bool code_is_request(uint8_t code)
{
    return code >> 5 == 0 && code != COAP_EMPTY;
}

static bool code_is_response(uint8_t code)
{
    return code >> 5 == 2 || code >> 5 == 4 || code >> 5 == 5;
}

enum reason message_receive(struct request *r)
{
    struct bytes datagram = {r->frame.data + r->datagram, r->datagram_length};
    switch (coap_parse(datagram, &r->message)) {
    case COAP_ERROR_SHORT:
        return REASON_COAP_SHORT;
    case COAP_ERROR_VERSION:
        return REASON_COAP_VERSION;
    case COAP_ERROR_FORMAT:
        return r->message.type == COAP_ACK || r->message.type == COAP_RST ? REASON_COAP_TYPE : rejected(r);
    case COAP_ERROR_OPTIONS:
    case COAP_OK:
        break;
    }
    const struct coap_message *m = &r->message;
    if (m->type == COAP_ACK || m->type == COAP_RST)
        return REASON_COAP_TYPE;
    if (m->code == COAP_EMPTY)
        return m->type == COAP_CON ? REASON_COAP_PING : REASON_COAP_TYPE;
    if (code_is_response(m->code))
        return m->type == COAP_CON ? REASON_COAP_FORMAT : REASON_COAP_TYPE;
    return code_is_request(m->code) ? REASON_NONE : rejected(r);
}

static bool repeatable(uint16_t number)
{
    return number == COAP_OPTION_URI_PATH || number == COAP_OPTION_URI_QUERY;
}

/* A block option that says that this is the whole (RFC 7959 section 2.2): first block, and for Block1 the last one. */
static bool block_is_whole(const struct coap_option *option)
{
    uint32_t value;
    if (!coap_option_uint(option, &value))
        return false;
    uint32_t number = value >> 4;
    bool more = option->number == COAP_OPTION_BLOCK1 && (value & 8);
    return number == 0 && !more;
}

/* Critical options (odd numbers) must be understood; one given twice that may stand once is not. */
static bool options_understood(const struct coap_message *m)
{
    uint16_t before = 0;
    for (unsigned i = 0; i < m->option_count; i++) {
        const struct coap_option *o = &m->options[i];
        bool again = o->number == before && !repeatable(o->number);
        before = o->number;
        if (!(o->number & 1))
            continue;
        if (again)
            return false;
        switch (o->number) {
        case COAP_OPTION_URI_HOST:
        case COAP_OPTION_URI_PORT:
        case COAP_OPTION_OSCORE:
        case COAP_OPTION_URI_PATH:
        case COAP_OPTION_URI_QUERY:
        case COAP_OPTION_ACCEPT:
            break;
        case COAP_OPTION_BLOCK1:
        case COAP_OPTION_BLOCK2:
            if (!block_is_whole(o))
                return false;
            break;
        default:
            return false;
        }
    }
    return true;
}

static bool path_is(const struct coap_message *m, const char *const segments[], unsigned count)
{
    unsigned at = 0;
    for (unsigned i = 0; i < m->option_count; i++) {
        if (m->options[i].number != COAP_OPTION_URI_PATH)
            continue;
        if (at == count || !bytes_equal(m->options[i].value, bytes_of_text(segments[at])))
            return false;
        at++;
    }
    return at == count;
}

static bool format_is(const struct coap_option *option, uint32_t format)
{
    uint32_t value;
    return coap_option_uint(option, &value) && value == format;
}

static enum reason discovery_check(const struct coap_message *m)
{
    const struct coap_option *accept = coap_find(m, COAP_OPTION_ACCEPT);
    if (m->code != COAP_GET)
        return REASON_COAP_METHOD;
    return !accept || format_is(accept, COAP_FORMAT_LINK) ? REASON_COAP_DISCOVERY : REASON_COAP_ACCEPT;
}

static enum reason verify_check(const struct coap_message *m)
{
    const struct coap_option *accept = coap_find(m, COAP_OPTION_ACCEPT);
    const struct coap_option *format = coap_find(m, COAP_OPTION_CONTENT_FORMAT);
    if (m->code != COAP_POST)
        return REASON_COAP_METHOD;
    if (coap_find(m, COAP_OPTION_URI_QUERY))
        return REASON_COAP_OPTION;
    if (accept && !format_is(accept, COAP_FORMAT_CBOR))
        return REASON_COAP_ACCEPT;
    if (m->payload.length > REQUEST_SIZE_MAX)
        return REASON_COAP_TOO_LARGE;
    return format && format_is(format, COAP_FORMAT_CBOR) ? REASON_NONE : REASON_COAP_CONTENT_FORMAT;
}

enum reason resource_check(const struct coap_message *m)
{
    static const char *const verify[] = {PATH_VERIFY}, *const core[] = {PATH_WELL_KNOWN, PATH_CORE};
    if (coap_find(m, COAP_OPTION_PROXY_URI) || coap_find(m, COAP_OPTION_PROXY_SCHEME))
        return REASON_COAP_PROXY;
    if (!options_understood(m))
        return REASON_COAP_OPTION;
    if (path_is(m, verify, 1))
        return verify_check(m);
    return path_is(m, core, 2) ? discovery_check(m) : REASON_COAP_PATH;
}
