/* The dataplane's configuration. The dataplane knows no JSON: control compiles the operator's file (member "dataplane")
 * to this struct's CBOR form (`chengmen config compile FILE --output OUT`), and the dataplane reads that at start:
 * `chengmen-dataplane OUT`. Nothing in it changes while the dataplane runs; what changes is in the log. */
#pragma once

#include "keys/bytes.h"

#define CONFIG_STORE_DEFAULT "/var/lib/chengmen"
#define CONFIG_PATH_MAX 256
#define CONFIG_EAL_ARGS_MAX 24
#define CONFIG_EAL_ARG_MAX 128
#define CONFIG_PORTS_MAX 4
#define CONFIG_ADDRESSES_MAX 16
#define CONFIG_TRUSTED_MAX 32
#define CONFIG_WORKERS_MAX 32
#define CONFIG_ENCODED_MAX 16384

enum config_idle { CONFIG_IDLE_SPIN = 0, CONFIG_IDLE_SLEEP = 1 };

/* An IP address or prefix. IPv4 in the first four bytes. */
struct config_prefix {
    uint8_t family; /* 4 or 6 */
    uint8_t length; /* bits */
    uint8_t address[16];
};

/* An address of the appliance's own. It answers ARP, neighbour discovery, echo and CoAP for it. */
struct config_address {
    struct config_prefix prefix;
    uint16_t vlan; /* 0: untagged */
    uint8_t port;  /* index into ports */
};

struct config {
    char store[CONFIG_PATH_MAX];
    char seal_key[CONFIG_PATH_MAX]; /* file of the key that points' secrets are sealed with */
    char user[32];                  /* "" stays what it is */
    /* Handed to EAL after the program's name. Default: --no-pci --no-huge -m 512 --no-shconf, lcores from `workers`. */
    char eal_args[CONFIG_EAL_ARGS_MAX][CONFIG_EAL_ARG_MAX];
    uint32_t eal_arg_count;
    /* DPDK device names: "net_tap0,iface=chengmen0", a PCI address "0000:3b:00.0", "net_memif0,role=server,…". */
    char ports[CONFIG_PORTS_MAX][CONFIG_EAL_ARG_MAX];
    uint32_t port_count;
    struct config_address addresses[CONFIG_ADDRESSES_MAX];
    uint32_t address_count;
    struct config_prefix trusted[CONFIG_TRUSTED_MAX]; /* plain CoAP is heard from these only; default none */
    uint32_t trusted_count;
    uint32_t workers[CONFIG_WORKERS_MAX]; /* a core a worker; may name main_core on a small machine */
    uint32_t worker_count;
    enum config_idle idle; /* default sleep; spin on isolated cores */
    uint32_t engine;       /* enum ed25519_engine; default auto */
    /* Meaning, default and bounds of each number stand in config.def. */
    uint16_t coap_port;
    uint32_t main_core;
    uint32_t table_memory_mb;
    uint32_t skew_s;
    uint32_t store_deadline_us;
    uint32_t answers_per_worker;
    uint32_t replay_entries;
    uint32_t point_rate_per_s;
    uint32_t point_burst;
    uint32_t venue_rate_per_s;
    uint32_t venue_burst;
    uint32_t points_max;
    uint32_t overload_per_s;
    uint32_t reply_deadline_us;
};

/* Everything but ports and addresses, which have no default. */
void config_defaults(struct config *out);
/* Whether every member lies in its bounds; `error` gets one line, the member's name first. */
bool config_check(const struct config *config, char *error, size_t error_size);
/* Size, or 0 where `size` is too small. */
size_t config_encode(const struct config *config, uint8_t *room, size_t size);
/* Strict, and checked as by config_check; `error` gets one line. */
bool config_decode(struct bytes encoded, struct config *out, char *error, size_t error_size);
