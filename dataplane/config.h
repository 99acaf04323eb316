/* The dataplane's configuration. The dataplane knows no JSON: control compiles the operator's file (member "dataplane")
 * to this struct's CBOR form (`chengmen config compile FILE --output OUT`), and the dataplane reads that at start:
 * `chengmen-dataplane OUT`. Nothing in it changes while the dataplane runs; what changes is in the log. */
#pragma once

#include "keys/bytes.h"

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
    char user[32]; /* "" stays what it is */
    /* Handed to EAL after the program's name. Default: --no-pci --no-huge -m 512 --no-shconf, lcores from `workers`. */
    char eal_args[CONFIG_EAL_ARGS_MAX][CONFIG_EAL_ARG_MAX];
    uint32_t eal_arg_count;
    /* DPDK device names: "net_tap0,iface=chengmen0", a PCI address "0000:3b:00.0", "net_memif0,role=server,…". */
    char ports[CONFIG_PORTS_MAX][CONFIG_EAL_ARG_MAX];
    uint32_t port_count;
    uint16_t coap_port; /* default 5683 */
    struct config_address addresses[CONFIG_ADDRESSES_MAX];
    uint32_t address_count;
    struct config_prefix trusted[CONFIG_TRUSTED_MAX]; /* plain CoAP is heard from these only; default none */
    uint32_t trusted_count;
    uint32_t main_core;                   /* runs the store thread */
    uint32_t workers[CONFIG_WORKERS_MAX]; /* a core a worker; may name main_core on a small machine */
    uint32_t worker_count;
    enum config_idle idle;       /* default sleep; spin on isolated cores */
    uint32_t engine;             /* enum ed25519_engine; default auto */
    uint32_t table_memory_mb;    /* signature tables of all keys together; default 512 */
    uint32_t skew_s;             /* how far issue times may lie in the future; default 5 */
    uint32_t store_deadline_us;  /* a record that is not read by then is STATUS_TIMEOUT; default 2000 */
    uint32_t answers_per_worker; /* retransmissions that can be answered; power of two; default 65536 */
    uint32_t replay_entries;     /* dynamic credentials remembered; power of two; default 1048576 */
    uint32_t point_rate_per_s;   /* default budget a point; 0: none; default 50 */
    uint32_t point_burst;        /* default 100 */
    uint32_t points_max;         /* default 131072 */
    uint32_t overload_per_s;     /* requests a worker takes a second at most; 0: measured; default 0 */
};

void config_defaults(struct config *out);
/* Size, or 0 where `size` is too small. */
size_t config_encode(const struct config *config, uint8_t *room, size_t size);
/* Strict; `error` gets one line. */
bool config_decode(struct bytes in, struct config *out, char *error, size_t error_size);
