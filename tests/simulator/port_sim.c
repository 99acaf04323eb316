#include "tests/simulator/port_sim.h"

#include <assert.h>
#include <stdlib.h>

struct buffer {
    uint8_t data[PORT_SIM_FRAME_MAX];
    uint16_t length;
    uint32_t flags;
    bool used;
};

/* Rings of buffer numbers. */
struct ring {
    unsigned head, count;
    struct buffer *buffers[PORT_SIM_FRAMES_MAX];
};

struct port {
    uint8_t mac[6];
    unsigned room;
    struct ring received, sent;
    struct buffer *taken;
    struct buffer buffers[PORT_SIM_FRAMES_MAX];
};

static void push(struct ring *ring, struct buffer *buffer)
{
    assert(ring->count < PORT_SIM_FRAMES_MAX);
    ring->buffers[(ring->head + ring->count++) % PORT_SIM_FRAMES_MAX] = buffer;
}

static struct buffer *pop(struct ring *ring)
{
    if (ring->count == 0)
        return NULL;
    struct buffer *buffer = ring->buffers[ring->head];
    ring->head = (ring->head + 1) % PORT_SIM_FRAMES_MAX;
    ring->count--;
    return buffer;
}

struct port *port_sim_new(const uint8_t mac[6])
{
    struct port *port = calloc(1, sizeof *port);
    assert(port);
    memcpy(port->mac, mac, sizeof port->mac);
    port->room = PORT_SIM_FRAMES_MAX;
    return port;
}

void port_sim_delete(struct port *port)
{
    free(port);
}

bool port_sim_inject(struct port *port, struct bytes frame, uint32_t flags)
{
    assert(frame.length <= PORT_SIM_FRAME_MAX);
    for (unsigned i = 0; i < PORT_SIM_FRAMES_MAX; i++) {
        struct buffer *buffer = &port->buffers[i];
        if (buffer->used)
            continue;
        buffer->used = true;
        buffer->length = (uint16_t)frame.length;
        buffer->flags = flags;
        memcpy(buffer->data, frame.data, frame.length);
        push(&port->received, buffer);
        return true;
    }
    return false;
}

struct bytes port_sim_take(struct port *port)
{
    if (port->taken)
        port->taken->used = false;
    port->taken = pop(&port->sent);
    return port->taken ? (struct bytes){port->taken->data, port->taken->length} : (struct bytes){NULL, 0};
}

unsigned port_sim_held(const struct port *port)
{
    unsigned used = 0;
    for (unsigned i = 0; i < PORT_SIM_FRAMES_MAX; i++)
        used += port->buffers[i].used;
    return used - port->received.count - port->sent.count - (port->taken ? 1 : 0);
}

void port_sim_set_room(struct port *port, unsigned frames)
{
    port->room = frames;
}

unsigned port_receive(struct port *port, unsigned queue, struct frame frames[], unsigned n)
{
    unsigned got = 0;
    (void)queue;
    for (struct buffer *buffer; got < n && (buffer = pop(&port->received)); got++)
        frames[got] = (struct frame){.data = buffer->data,
                                     .length = buffer->length,
                                     .room = PORT_SIM_FRAME_MAX,
                                     .flags = buffer->flags,
                                     .buffer = buffer};
    return got;
}

void port_free(struct port *port, struct frame frames[], unsigned n)
{
    (void)port;
    for (unsigned i = 0; i < n; i++) {
        struct buffer *buffer = frames[i].buffer;
        assert(buffer->used);
        buffer->used = false;
    }
}

unsigned port_send(struct port *port, unsigned queue, struct frame frames[], unsigned n)
{
    unsigned sent = n < port->room ? n : port->room;
    (void)queue;
    for (unsigned i = 0; i < sent; i++) {
        struct buffer *buffer = frames[i].buffer;
        buffer->length = frames[i].length;
        push(&port->sent, buffer);
    }
    port_free(port, frames + sent, n - sent);
    return sent;
}

const uint8_t *port_mac(const struct port *port)
{
    return port->mac;
}

bool port_makes_checksums(const struct port *port)
{
    (void)port;
    return false;
}
