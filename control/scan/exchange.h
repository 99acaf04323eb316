/* One CoAP message exchange of a client (RFC 7252 sections 4.2, 5.2 and 5.3), without sockets and without a clock: the
 * caller carries datagrams and tells the time. */
#pragma once

#include "dataplane/coap.h"

#define EXCHANGE_MESSAGE_MAX 1460 /* what one Ethernet frame carries, less IPv6 and UDP headers, rounded down */
#define EXCHANGE_TOKEN_SIZE 8
#define EXCHANGE_ACK_TIMEOUT_NS UINT64_C(2000000000)
#define EXCHANGE_RANDOM_FACTOR_PERCENT 150
#define EXCHANGE_RETRANSMIT_MAX 4
/* How long a separate response may take once the request is acknowledged: MAX_TRANSMIT_WAIT (section 4.8.2). */
#define EXCHANGE_SEPARATE_WAIT_NS UINT64_C(93000000000)

struct exchange {
    uint8_t message[EXCHANGE_MESSAGE_MAX]; /* the request, identical in every transmission */
    size_t message_size;
    uint16_t message_id;
    uint8_t token[EXCHANGE_TOKEN_SIZE];
    bool acknowledged;
    uint32_t transmissions;
    uint64_t timeout_ns; /* of the transmission under way; doubles */
    uint64_t next_ns;    /* when to act next */
};

enum exchange_step {
    EXCHANGE_WAIT,     /* nothing to do before next_ns */
    EXCHANGE_SEND,     /* send `message` */
    EXCHANGE_RESPONSE, /* a response to this request: `response` is filled, and `reply` is to be sent where not empty */
    EXCHANGE_REPLY,    /* nothing for us, but `reply` is to be sent */
    EXCHANGE_RESET,    /* the request was rejected */
    EXCHANGE_EXPIRED   /* no answer came in time */
};

/* An empty ACK or RST. */
struct exchange_reply {
    uint8_t data[4];
    size_t size;
};

/* Begins with the first transmission due at `now_ns`. message_size, message_id, token and message are filled already;
 * `random` spreads the first timeout over ACK_TIMEOUT … ACK_TIMEOUT × ACK_RANDOM_FACTOR. */
void exchange_start(struct exchange *exchange, uint32_t random, uint64_t now_ns);

/* What is due at `now_ns`: EXCHANGE_WAIT, EXCHANGE_SEND or EXCHANGE_EXPIRED. */
enum exchange_step exchange_tick(struct exchange *exchange, uint64_t now_ns);

/* Takes a datagram from the appliance's address. `response` views into it. A piggybacked response does not end the
 * exchange by itself: the caller who cannot accept it goes on as if it had not come. */
enum exchange_step exchange_receive(struct exchange *exchange, struct bytes datagram, uint64_t now_ns,
                                    struct coap_message *response, struct exchange_reply *reply);
