#include "tests/load/flight.h"

#include <stdlib.h>

bool flights_open(struct flights *flights, uint64_t capacity)
{
    uint64_t slots = 1024;
    while (slots < capacity * 2)
        slots *= 2;
    *flights = (struct flights){0};
    if (slots > UINT32_MAX / 2)
        return false;
    flights->slots = calloc(slots, sizeof *flights->slots);
    flights->mask = (uint32_t)slots - 1;
    return flights->slots != NULL;
}

void flights_close(struct flights *flights)
{
    free(flights->slots);
    *flights = (struct flights){0};
}

struct flight *flights_expire(struct flights *flights, uint64_t limit)
{
    while (flights->oldest != flights->next) {
        struct flight *flight = &flights->slots[flights->oldest & flights->mask];
        if (flight->state == FLIGHT_WAITING && flight->due > limit)
            return NULL;
        flights->oldest++;
        if (flight->state == FLIGHT_WAITING) {
            flight->state = FLIGHT_LOST;
            return flight;
        }
    }
    return NULL;
}
