/* The load tester's way to a port. A frame is one Ethernet frame in one buffer; who takes it from here owns it until it
 * gives it back by load_port_send or load_port_free. One thread a queue. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_BURST_MAX 64

struct load_port;

struct load_frame {
    uint8_t *data;
    uint16_t length;
    uint16_t room;  /* bytes that fit at `data` */
    bool segmented; /* `data` holds the first part only */
    void *buffer;   /* the port's own */
};

/* Starts the environment once a process: `cores` as EAL's --lcores takes them, the first being where main runs;
 * `devices` as EAL's --vdev takes them, or PCI addresses. Huge pages are used where the system has free ones. `error`
 * gets one line. */
bool load_environment_start(const char *cores, const char *const devices[], unsigned device_count, size_t memory_mb,
                            char *error, size_t error_size);
/* Opens and starts the device of that name with `queues` receive and transmit queues. */
struct load_port *load_port_open(const char *device, unsigned queues, char *error, size_t error_size);
/* Two ports in this process that are each other's other end: what one sends, the other receives, over rings of `depth`
 * frames (a power of two) a direction. The second is left for somebody else to open where `far_name` is given: it
 * receives the device's name. */
#define LOAD_PORT_NAME_MAX 64
bool load_port_pair(const char *name, unsigned depth, struct load_port *ends[2], char far_name[LOAD_PORT_NAME_MAX],
                    char *error, size_t error_size);
void load_port_close(struct load_port *port);
const uint8_t *load_port_mac(const struct load_port *port);
/* DPDK's number of the port, for the part of a benchmark that gives an end to a worker. */
unsigned load_port_number(const struct load_port *port);

/* n frames or none. False where all buffers are in use. */
bool load_port_take(struct load_port *port, struct load_frame frames[], unsigned n);
/* Returns how many the port took, from the front; the others stay the caller's. */
unsigned load_port_send(struct load_port *port, unsigned queue, struct load_frame frames[], unsigned n);
unsigned load_port_receive(struct load_port *port, unsigned queue, struct load_frame frames[], unsigned n);
void load_port_free(struct load_port *port, struct load_frame frames[], unsigned n);
/* Frames that the device says it lost on its way in. */
uint64_t load_port_missed(const struct load_port *port);

/* Runs `work` on the n-th core behind main's and waits for none; load_core_wait waits for it. */
bool load_core_start(unsigned n, int (*work)(void *), void *argument);
bool load_core_done(unsigned n);
int load_core_wait(unsigned n);
unsigned load_core_count(void); /* cores behind main's */
