/* Requests under way: the memory that answers are matched against. A ring of slots indexed by the request's sequence
 * number, so that finding one is one load, and the oldest stands at a known place. */
#pragma once

#include "tests/load/link.h"

enum flight_state { FLIGHT_NEVER = 0, FLIGHT_WAITING, FLIGHT_ANSWERED, FLIGHT_LOST, FLIGHT_LATE };

struct flight {
    uint64_t due;       /* ticks: when it should have been sent, whatever really happened */
    uint32_t sequence;  /* whose slot this is now */
    uint32_t entry;     /* index into the pool */
    uint32_t digest;    /* of the first answer, to compare that to a retransmission with */
    uint32_t number;    /* which request of its point: message id, source port, OSCORE sequence number */
    uint8_t state;      /* enum flight_state */
    uint8_t attempts;   /* requests that the client made before this one for the same credential */
    uint8_t challenges; /* times that it was sent anew with an Echo */
};

struct flights {
    struct flight *slots;
    uint32_t mask;
    uint32_t oldest; /* sequence number of the oldest that may still be waiting */
    uint32_t next;   /* sequence number of the next request */
};

/* A point counts through all message ids of a port before it takes the next port. */
static inline uint16_t flight_message_id(const struct flight *flight)
{
    return (uint16_t)flight->number;
}

static inline uint16_t flight_port(const struct flight *flight)
{
    return (uint16_t)(flight->number >> 16 & (LINK_PORTS - 1));
}

/* Room for at least `capacity` requests under way, and for remembering lost ones as long again. False where memory is
 * out. */
bool flights_open(struct flights *flights, uint64_t capacity);
void flights_close(struct flights *flights);

static inline uint32_t flights_under_way(const struct flights *flights)
{
    return flights->next - flights->oldest;
}

static inline bool flights_full(const struct flights *flights)
{
    return flights_under_way(flights) > flights->mask / 2;
}

/* A slot for the next request; the caller saw that flights_full is false. */
static inline struct flight *flights_add(struct flights *flights)
{
    struct flight *flight = &flights->slots[flights->next & flights->mask];
    flight->sequence = flights->next++;
    flight->state = FLIGHT_WAITING;
    return flight;
}

/* The request of that sequence number while it is remembered; else NULL. */
static inline struct flight *flights_find(const struct flights *flights, uint32_t sequence)
{
    struct flight *flight = &flights->slots[sequence & flights->mask];
    return flight->sequence == sequence && flight->state != FLIGHT_NEVER ? flight : NULL;
}

/* Gives up the oldest requests that were due at `limit` ticks or before and have no answer. Each call returns one of
 * them, marked FLIGHT_LOST, or NULL where there is none left. */
struct flight *flights_expire(struct flights *flights, uint64_t limit);
