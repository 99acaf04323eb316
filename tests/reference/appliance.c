#include "tests/reference/appliance.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "keys/cbor.h"

void appliance_send_raw(struct appliance *a, const void *data, size_t size)
{
    ssize_t sent = sendto(a->socket, data, size, 0, (struct sockaddr *)&a->client, a->client_size);
    assert(sent == (ssize_t)size);
}

void appliance_send(struct appliance *a, enum coap_type type, uint8_t code, uint16_t message_id, struct bytes token,
                    const uint8_t *payload, size_t size)
{
    uint8_t room[512];
    struct coap_writer out = coap_write(room, sizeof room, type, code, message_id, token);
    if (size)
        coap_put_option_uint(&out, COAP_OPTION_CONTENT_FORMAT, COAP_FORMAT_CBOR);
    if (code == COAP_TOO_MANY_REQUESTS)
        coap_put_option_uint(&out, COAP_OPTION_MAX_AGE, 3);
    coap_put_payload(&out, (struct bytes){payload, size});
    appliance_send_raw(a, room, coap_written(&out));
}

size_t appliance_verdict(uint32_t id, uint8_t *room)
{
    const uint64_t members[][2] = {{1, id}, {2, 0}, {3, 0}, {4, 120}, {6, 12}, {7, 5}};
    struct cbor_writer out = cbor_write(room, 64);
    cbor_put_map(&out, 6);
    for (unsigned i = 0; i < 6; i++) {
        cbor_put_uint(&out, members[i][0]);
        cbor_put_uint(&out, members[i][1]);
    }
    return cbor_written(&out).length;
}

void appliance_send_verdict(struct appliance *a, enum coap_type type, uint16_t message_id, struct bytes token,
                            uint32_t id)
{
    uint8_t room[64];
    appliance_send(a, type, COAP_CONTENT, message_id, token, room, appliance_verdict(id, room));
}

struct bytes appliance_token(const struct appliance *a)
{
    return (struct bytes){a->request.token, a->request.token_length};
}

void appliance_answer(struct appliance *a)
{
    appliance_send_verdict(a, COAP_ACK, a->request.id, appliance_token(a), a->id);
}

void appliance_read_id(struct appliance *a, struct bytes payload)
{
    struct cbor_reader in = cbor_read(payload);
    cbor_take_map(&in, 8);
    if (cbor_take_uint(&in) == 1)
        a->id = (uint32_t)cbor_take_uint(&in);
}

static void *appliance_run(void *argument)
{
    struct appliance *a = argument;
    for (;;) {
        struct pollfd wait = {.fd = a->socket, .events = POLLIN};
        if (poll(&wait, 1, 8000) != 1)
            return NULL;
        a->client_size = sizeof a->client;
        ssize_t size =
            recvfrom(a->socket, a->datagram, sizeof a->datagram, 0, (struct sockaddr *)&a->client, &a->client_size);
        if (size < 0 || coap_parse((struct bytes){a->datagram, (size_t)size}, &a->request) != COAP_OK)
            return NULL;
        a->received++;
        appliance_read_id(a, a->request.payload);
        if (!a->behave(a))
            return NULL;
    }
}

void appliance_start(struct appliance *a, int family, bool (*behave)(struct appliance *))
{
    *a = (struct appliance){.family = family, .behave = behave};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
    void *address = family == AF_INET ? (void *)&v4 : (void *)&v6;
    a->socket = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = a->socket >= 0 && bind(a->socket, address, size) == 0 && getsockname(a->socket, address, &size) == 0;
    assert(up);
    if (family == AF_INET)
        snprintf(a->address, sizeof a->address, "127.0.0.1:%u", ntohs(v4.sin_port));
    else
        snprintf(a->address, sizeof a->address, "[::1]:%u", ntohs(v6.sin6_port));
    up = pthread_create(&a->thread, NULL, appliance_run, a) == 0;
    assert(up);
}

void appliance_stop(struct appliance *a)
{
    pthread_join(a->thread, NULL);
    close(a->socket);
}
