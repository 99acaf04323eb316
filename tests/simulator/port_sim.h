/* A port without packets: frames are put in, and what the worker sends is taken out. */
#pragma once

#include "dataplane/port.h"
#include "keys/bytes.h"

#define PORT_SIM_FRAMES_MAX 256
#define PORT_SIM_FRAME_MAX 2048

struct port *port_sim_new(const uint8_t mac[6]);
void port_sim_delete(struct port *port);
/* Copies a frame to the receive queue. False where it is full. `flags` as the port would set them. */
bool port_sim_inject(struct port *port, struct bytes frame, uint32_t flags);
/* The next frame that was sent, in order; empty where there is none. Valid until the next call. */
struct bytes port_sim_take(struct port *port);
/* Frames that the worker holds: received, neither sent nor freed. */
unsigned port_sim_held(const struct port *port);
/* What port_send takes of the next bursts, so that a full queue can be played; default PORT_SIM_FRAMES_MAX. */
void port_sim_set_room(struct port *port, unsigned frames);
