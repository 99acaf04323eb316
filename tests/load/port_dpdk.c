#include "tests/load/port.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DESCRIPTORS 4096
#define BUFFERS 65535
#define BUFFER_CACHE 256
#define ARGS_MAX 32

struct load_port {
    uint16_t number;
    uint8_t mac[6];
    bool owns_pool;
    struct rte_mempool *pool;
    struct rte_ring *rings[2];
};

static bool huge_pages_free(void)
{
    unsigned long free_pages = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "HugePages_Free: %lu", &free_pages) == 1)
            break;
    if (file)
        fclose(file);
    return free_pages > 0;
}

static bool is_pci(const char *device)
{
    unsigned domain, bus, slot, function;
    return sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4;
}

bool load_environment_start(const char *cores, const char *const devices[], unsigned device_count, size_t memory_mb,
                            char *error, size_t error_size)
{
    /* EAL keeps and permutes the vector; what it points to is written by nobody. */
    static char name[] = "chengmen-load", in_memory[] = "--in-memory", quiet[] = "--log-level=error";
    static char no_telemetry[] = "--no-telemetry", no_huge[] = "--no-huge", no_pci[] = "--no-pci",
                no_files[] = "--no-shconf", m[] = "-m";
    static char memory[24], lcores[128], options[ARGS_MAX][160];
    static char *args[ARGS_MAX] = {name, lcores, no_telemetry, quiet, m, memory};
    unsigned count = 6, pci = 0;
    if (device_count > ARGS_MAX - 16) {
        snprintf(error, error_size, "%u devices are too many", device_count);
        return false;
    }
    snprintf(memory, sizeof memory, "%zu", memory_mb);
    snprintf(lcores, sizeof lcores, "--lcores=%s", cores);
    bool huge = huge_pages_free();
    args[count++] = huge ? in_memory : no_files;
    if (!huge)
        args[count++] = no_huge;
    for (unsigned i = 0; i < device_count; i++) {
        pci += is_pci(devices[i]);
        snprintf(options[i], sizeof options[i], is_pci(devices[i]) ? "--allow=%s" : "--vdev=%s", devices[i]);
        args[count++] = options[i];
    }
    if (pci == 0)
        args[count++] = no_pci;
    if (rte_eal_init((int)count, args) < 0) {
        snprintf(error, error_size, "DPDK does not start: %s", rte_strerror(rte_errno));
        return false;
    }
    /* A page touched for the first time within a run costs about a microsecond. Where this is not allowed the run is
     * less exact, and its own lag says so. */
    mlockall(MCL_CURRENT | MCL_FUTURE);
    return true;
}

static struct rte_mempool *make_pool(const char *name, char *error, size_t error_size)
{
    char pool_name[RTE_MEMPOOL_NAMESIZE];
    snprintf(pool_name, sizeof pool_name, "load-%.16s", name);
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create(pool_name, BUFFERS, BUFFER_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, (int)rte_socket_id());
    if (!pool)
        snprintf(error, error_size, "no memory for %u frame buffers: %s", BUFFERS, rte_strerror(rte_errno));
    return pool;
}

static bool start_device(struct load_port *port, const char *name, unsigned queues, char *error, size_t error_size)
{
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf = {0};
    int rc = rte_eth_dev_info_get(port->number, &info);
    if (rc == 0 && queues > 1) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
    }
    if (rc == 0)
        rc = rte_eth_dev_configure(port->number, (uint16_t)queues, (uint16_t)queues, &conf);
    uint16_t receive = DESCRIPTORS, transmit = DESCRIPTORS;
    if (rc == 0)
        rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->number, &receive, &transmit);
    for (uint16_t queue = 0; rc == 0 && queue < queues; queue++) {
        rc = rte_eth_rx_queue_setup(port->number, queue, receive, rte_socket_id(), NULL, port->pool);
        if (rc == 0)
            rc = rte_eth_tx_queue_setup(port->number, queue, transmit, rte_socket_id(), NULL);
    }
    if (rc == 0)
        rc = rte_eth_dev_start(port->number);
    struct rte_ether_addr mac;
    if (rc == 0)
        rc = rte_eth_macaddr_get(port->number, &mac);
    if (rc != 0) {
        snprintf(error, error_size, "port %s does not start (%s): does its other end exist already?", name,
                 rte_strerror(-rc));
        return false;
    }
    rte_eth_promiscuous_enable(port->number); /* some devices cannot: they hear their own address anyway */
    memcpy(port->mac, mac.addr_bytes, sizeof port->mac);
    return true;
}

struct load_port *load_port_open(const char *device, unsigned queues, char *error, size_t error_size)
{
    char name[RTE_ETH_NAME_MAX_LEN];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(device, ","), device);
    struct load_port *port = calloc(1, sizeof *port);
    if (!port) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    port->owns_pool = true;
    if (rte_eth_dev_get_port_by_name(name, &port->number) != 0)
        snprintf(error, error_size, "no port %s", name);
    else if ((port->pool = make_pool(name, error, error_size)) != NULL &&
             start_device(port, name, queues, error, error_size))
        return port;
    rte_mempool_free(port->pool);
    free(port);
    return NULL;
}

/* One end: it receives from rings[end] and sends to the other. */
static struct load_port *open_end(const char *name, struct rte_ring *rings[2], int end, struct rte_mempool *pool)
{
    char device[RTE_ETH_NAME_MAX_LEN];
    struct load_port *port = calloc(1, sizeof *port);
    snprintf(device, sizeof device, "%.16s-end%d", name, end);
    int number = port ? rte_eth_from_rings(device, &rings[end], 1, &rings[1 - end], 1, rte_socket_id()) : -1;
    if (number < 0) {
        free(port);
        return NULL;
    }
    *port = (struct load_port){.number = (uint16_t)number, .pool = pool};
    return port;
}

bool load_port_pair(const char *name, unsigned depth, struct load_port *ends[2], char far_name[LOAD_PORT_NAME_MAX],
                    char *error, size_t error_size)
{
    struct rte_ring *rings[2] = {NULL, NULL};
    struct rte_mempool *pool = make_pool(name, error, error_size);
    ends[0] = ends[1] = NULL;
    if (!pool)
        return false;
    for (int i = 0; i < 2; i++) {
        char ring[RTE_RING_NAMESIZE];
        snprintf(ring, sizeof ring, "%.16s-%d", name, i);
        rings[i] = rte_ring_create(ring, depth, (int)rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
    }
    for (int i = 0; i < 2 && rings[0] && rings[1]; i++)
        ends[i] = open_end(name, rings, i, pool);
    if (!ends[0] || !ends[1]) {
        snprintf(error, error_size, "no ring pair %s: %s", name, rte_strerror(rte_errno));
        return false;
    }
    ends[1]->owns_pool = true;
    memcpy(ends[1]->rings, rings, sizeof rings);
    if (far_name && rte_eth_dev_get_name_by_port(ends[1]->number, far_name) != 0)
        return false;
    for (int i = 0; i < (far_name ? 1 : 2); i++) {
        if (!start_device(ends[i], name, 1, error, error_size))
            return false;
        const uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)(i + 1)}; /* ring ports have none of their own */
        memcpy(ends[i]->mac, mac, sizeof mac);
    }
    return true;
}

void load_port_close(struct load_port *port)
{
    if (!port)
        return;
    rte_eth_dev_stop(port->number);
    rte_eth_dev_close(port->number);
    for (int i = 0; i < 2; i++)
        rte_ring_free(port->rings[i]);
    if (port->owns_pool)
        rte_mempool_free(port->pool);
    free(port);
}

const uint8_t *load_port_mac(const struct load_port *port)
{
    return port->mac;
}

unsigned load_port_number(const struct load_port *port)
{
    return port->number;
}

static struct load_frame frame_of(struct rte_mbuf *buffer)
{
    return (struct load_frame){.data = rte_pktmbuf_mtod(buffer, uint8_t *),
                               .length = rte_pktmbuf_data_len(buffer),
                               .room = (uint16_t)(buffer->buf_len - buffer->data_off),
                               .segmented = buffer->nb_segs > 1,
                               .buffer = buffer};
}

bool load_port_take(struct load_port *port, struct load_frame frames[], unsigned n)
{
    struct rte_mbuf *buffers[LOAD_BURST_MAX];
    if (rte_pktmbuf_alloc_bulk(port->pool, buffers, n) != 0)
        return false;
    for (unsigned i = 0; i < n; i++)
        frames[i] = frame_of(buffers[i]);
    return true;
}

unsigned load_port_send(struct load_port *port, unsigned queue, struct load_frame frames[], unsigned n)
{
    struct rte_mbuf *buffers[LOAD_BURST_MAX];
    for (unsigned i = 0; i < n; i++) {
        buffers[i] = frames[i].buffer;
        buffers[i]->data_len = frames[i].length;
        buffers[i]->pkt_len = frames[i].length;
    }
    return rte_eth_tx_burst(port->number, (uint16_t)queue, buffers, (uint16_t)n);
}

unsigned load_port_receive(struct load_port *port, unsigned queue, struct load_frame frames[], unsigned n)
{
    struct rte_mbuf *buffers[LOAD_BURST_MAX];
    unsigned count = rte_eth_rx_burst(port->number, (uint16_t)queue, buffers, (uint16_t)n);
    for (unsigned i = 0; i < count; i++)
        frames[i] = frame_of(buffers[i]);
    return count;
}

void load_port_free(struct load_port *port, struct load_frame frames[], unsigned n)
{
    (void)port;
    struct rte_mbuf *buffers[LOAD_BURST_MAX];
    for (unsigned i = 0; i < n; i++)
        buffers[i] = frames[i].buffer;
    rte_pktmbuf_free_bulk(buffers, n);
}

uint64_t load_port_missed(const struct load_port *port)
{
    struct rte_eth_stats stats;
    return rte_eth_stats_get(port->number, &stats) == 0 ? stats.imissed + stats.rx_nombuf : 0;
}

static unsigned core_behind_main(unsigned n)
{
    unsigned core = rte_get_next_lcore(UINT32_MAX, 1, 0);
    while (n-- > 0 && core < RTE_MAX_LCORE)
        core = rte_get_next_lcore(core, 1, 0);
    return core;
}

bool load_core_done(unsigned n)
{
    unsigned core = core_behind_main(n);
    return core >= RTE_MAX_LCORE || rte_eal_get_lcore_state(core) == WAIT;
}

bool load_core_start(unsigned n, int (*work)(void *), void *argument)
{
    unsigned core = core_behind_main(n);
    return core < RTE_MAX_LCORE && rte_eal_remote_launch(work, argument, core) == 0;
}

int load_core_wait(unsigned n)
{
    unsigned core = core_behind_main(n);
    return core < RTE_MAX_LCORE ? rte_eal_wait_lcore(core) : -1;
}

unsigned load_core_count(void)
{
    return rte_lcore_count() - 1;
}
