/* A port pair for tests of the generator: two queues in one thread. */
#pragma once

#include "tests/load/port.h"

#define WIRE_MAX 4096
#define WIRE_FRAME_ROOM 1024

struct load_port {
    struct load_frame wire[WIRE_MAX]; /* on its way to this port */
    unsigned head, count;
    struct load_port *other;
    bool refuses; /* takes no frame */
};

extern struct load_port wire_ends[2];
/* Frees what is on its way; both take frames. */
void wire_reset(void);
