#include "control/scan/exchange.h"

void exchange_start(struct exchange *exchange, uint32_t random, uint64_t now_ns)
{
    uint64_t spread_ns = EXCHANGE_ACK_TIMEOUT_NS * (EXCHANGE_RANDOM_FACTOR_PERCENT - 100) / 100;
    exchange->acknowledged = false;
    exchange->transmissions = 0;
    exchange->timeout_ns = EXCHANGE_ACK_TIMEOUT_NS + spread_ns * random / UINT32_MAX;
    exchange->next_ns = now_ns;
}

enum exchange_step exchange_tick(struct exchange *exchange, uint64_t now_ns)
{
    if (now_ns < exchange->next_ns)
        return EXCHANGE_WAIT;
    if (exchange->acknowledged || exchange->transmissions > EXCHANGE_RETRANSMIT_MAX)
        return EXCHANGE_EXPIRED;
    if (exchange->transmissions > 0)
        exchange->timeout_ns *= 2;
    exchange->transmissions++;
    exchange->next_ns = now_ns + exchange->timeout_ns;
    return EXCHANGE_SEND;
}

static enum exchange_step reply_empty(struct exchange_reply *reply, enum coap_type type, uint16_t id,
                                      enum exchange_step step)
{
    struct coap_writer out = coap_write(reply->data, sizeof reply->data, type, COAP_EMPTY, id, (struct bytes){NULL, 0});
    reply->size = coap_written(&out);
    return step;
}

static bool is_response(const struct exchange *exchange, const struct coap_message *message)
{
    unsigned class = message->code >> 5;
    return (class == 2 || class == 4 || class == 5) && message->token_length == EXCHANGE_TOKEN_SIZE &&
           memcmp(message->token, exchange->token, EXCHANGE_TOKEN_SIZE) == 0;
}

enum exchange_step exchange_receive(struct exchange *exchange, struct bytes datagram, uint64_t now_ns,
                                    struct coap_message *response, struct exchange_reply *reply)
{
    reply->size = 0;
    if (coap_parse(datagram, response) != COAP_OK)
        return EXCHANGE_WAIT;
    bool same_id = response->id == exchange->message_id;
    bool ours = is_response(exchange, response);
    switch (response->type) {
    case COAP_RST:
        return same_id && response->code == COAP_EMPTY ? EXCHANGE_RESET : EXCHANGE_WAIT;
    case COAP_ACK:
        if (same_id && response->code == COAP_EMPTY && !exchange->acknowledged) {
            exchange->acknowledged = true;
            exchange->next_ns = now_ns + EXCHANGE_SEPARATE_WAIT_NS;
        }
        return same_id && ours ? EXCHANGE_RESPONSE : EXCHANGE_WAIT;
    case COAP_NON:
        return ours ? EXCHANGE_RESPONSE : EXCHANGE_WAIT;
    case COAP_CON:
        /* What we do not know is rejected, so that its sender stops (section 4.2). */
        return ours ? reply_empty(reply, COAP_ACK, response->id, EXCHANGE_RESPONSE)
                    : reply_empty(reply, COAP_RST, response->id, EXCHANGE_REPLY);
    }
    return EXCHANGE_WAIT;
}
