#include "tests/unit/load_wire.h"

#include <stdlib.h>
#include <string.h>

struct load_port wire_ends[2];

void wire_reset(void)
{
    for (int end = 0; end < 2; end++)
        for (; wire_ends[end].count > 0; wire_ends[end].count--)
            free(wire_ends[end].wire[wire_ends[end].head++ % WIRE_MAX].buffer);
    memset(wire_ends, 0, sizeof wire_ends);
    wire_ends[0].other = &wire_ends[1];
    wire_ends[1].other = &wire_ends[0];
}

bool load_port_take(struct load_port *port, struct load_frame frames[], unsigned n)
{
    (void)port;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *data = malloc(WIRE_FRAME_ROOM);
        frames[i] = (struct load_frame){.data = data, .room = WIRE_FRAME_ROOM, .buffer = data};
    }
    return true;
}

unsigned load_port_send(struct load_port *port, unsigned queue, struct load_frame frames[], unsigned n)
{
    (void)queue;
    struct load_port *to = port->other;
    unsigned sent = 0;
    for (; sent < n && to->count < WIRE_MAX && !port->refuses; sent++)
        to->wire[(to->head + to->count++) % WIRE_MAX] = frames[sent];
    return sent;
}

unsigned load_port_receive(struct load_port *port, unsigned queue, struct load_frame frames[], unsigned n)
{
    (void)queue;
    unsigned got = 0;
    for (; got < n && port->count > 0; got++, port->count--)
        frames[got] = port->wire[port->head++ % WIRE_MAX];
    return got;
}

void load_port_free(struct load_port *port, struct load_frame frames[], unsigned n)
{
    (void)port;
    for (unsigned i = 0; i < n; i++)
        free(frames[i].buffer);
}
