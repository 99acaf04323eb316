/* The other side of a self test: answers every request ALLOW, green, after a delay that is known, and misbehaves on
 * demand. What it does to a request depends on the request's sequence number alone, so that the test knows it too. */
#pragma once

#include "tests/load/port.h"

enum echo_delay { ECHO_AT_ONCE, ECHO_FIXED, ECHO_UNIFORM, ECHO_EXPONENTIAL };

struct echo_config {
    struct load_port *port;
    unsigned held_max; /* requests whose delay runs at one time; more are answered at once */
    enum echo_delay delay;
    uint64_t delay_ns;   /* the fixed delay, the largest of the uniform ones, the mean of the exponential ones */
    double drop_share;   /* requests that get no answer */
    double wrong_share;  /* requests that get DENY */
    double broken_share; /* answers whose UDP checksum is wrong */
    uint64_t stall_at_ns, stall_for_ns; /* after the first request: nothing is received or sent */
    uint64_t seed;
};

struct echo;
struct echo *echo_open(const struct echo_config *config);
void echo_step(struct echo *echo);
void echo_close(struct echo *echo);

uint64_t echo_delay_ns(const struct echo_config *config, uint32_t sequence);
bool echo_drops(const struct echo_config *config, uint32_t sequence);
bool echo_lies(const struct echo_config *config, uint32_t sequence);
bool echo_breaks(const struct echo_config *config, uint32_t sequence);
