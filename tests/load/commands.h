/* chengmen-load's subcommands, a file each. Each gets its own arguments (argv[0] is its name) and returns an exit code.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/json.h"
#include "tests/load/link.h"
#include "tests/load/port.h"
#include "tests/load/profile.h"

enum { EXIT_OK = 0, EXIT_FINDING = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

int command_run(int argc, char **argv); /* `run` and `search` */
int command_selftest(int argc, char **argv);
int command_pool(int argc, char **argv);
int command_report(int argc, char **argv);
int command_profiles(int argc, char **argv);

/* Prints "chengmen-load: …" to standard error. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);
/* A decimal number from min to max, all of the text. */
bool read_number(const char *text, double min, double max, double *out);
/* "10.0.0.1" or, where `port` is given, "10.0.0.1:5683". */
bool read_address(const char *text, uint32_t *address, uint16_t *port);

#define DEFAULT_FIRST_ADDRESS 0x0a400001u /* 10.64.0.1 */
#define DEFAULT_SEED 1

/* The way to a target: environment, port, hardware address. */
struct route {
    const char *device;
    const char *cores; /* EAL's --lcores; NULL: main on any, the generator on the last */
    uint32_t target;
    uint16_t target_port;
    uint32_t first_address;
    bool has_mac;
    uint8_t mac[6];
};
/* Opens port and link and finds the target's hardware address by ARP. Returns an exit code; complains. */
int route_open(const struct route *route, uint32_t points, struct load_port **port, struct link *link);
