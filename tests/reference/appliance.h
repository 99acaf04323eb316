/* A small appliance on the loopback, in a thread of its own, that behaves as a test tells it. */
#pragma once

#include <pthread.h>
#include <sys/socket.h>

#include "dataplane/coap.h"

struct appliance {
    int socket, family;
    char address[64];
    pthread_t thread;
    struct sockaddr_storage client;
    socklen_t client_size;
    struct coap_message request; /* of the datagram under way */
    uint8_t datagram[2048];
    unsigned received;
    uint32_t id;
    /* Called for each datagram, in the appliance's thread. False ends the thread. */
    bool (*behave)(struct appliance *);
    bool acknowledged; /* the client acknowledged a separate response */
    bool echoed;       /* the request came with the Echo that was asked for */
};

/* Sends one message to whoever sent the last datagram; a payload goes as CBOR. */
void appliance_send(struct appliance *a, enum coap_type type, uint8_t code, uint16_t message_id, struct bytes token,
                    const uint8_t *payload, size_t size);
void appliance_send_raw(struct appliance *a, const void *data, size_t size);
/* ALLOW, green, for the request with that id: rules version 12, status age 5 s. */
void appliance_send_verdict(struct appliance *a, enum coap_type type, uint16_t message_id, struct bytes token,
                            uint32_t id);
/* Writes that verdict's payload into 64 bytes. */
size_t appliance_verdict(uint32_t id, uint8_t *room);
/* Takes the request's id from its payload, as is done by itself for what comes in the open. */
void appliance_read_id(struct appliance *a, struct bytes payload);
struct bytes appliance_token(const struct appliance *a);
/* The right answer to the last datagram. */
void appliance_answer(struct appliance *a);

void appliance_start(struct appliance *a, int family, bool (*behave)(struct appliance *));
/* Waits for the thread's end. */
void appliance_stop(struct appliance *a);
