#include "dataplane/port_dpdk.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/limits.h"

#define RX_RING 1024
#define TX_RING 1024
#define POOL_CACHE 256
/* What a burst fetches ahead of each frame: a request with a dynamic credential. */
#define CACHE_LINE 64
#define FETCH_BYTES 384
#define SEND_TRIES 3
/* A reply never needs more than the frame it answers or ANSWER_SIZE_MAX behind the longest headers. */
static_assert(RTE_MBUF_DEFAULT_DATAROOM >= 1518 + 4, "a frame fits one buffer");

struct port {
    uint16_t id;
    bool makes_checksums;
    uint8_t mac[RTE_ETHER_ADDR_LEN];
};

static struct rte_mempool *pool;

bool port_dpdk_buffers(unsigned ports, unsigned queues, char *error, size_t error_size)
{
    unsigned count =
        ports * queues * (RX_RING + TX_RING + BURST_MAX + BACKLOG_MAX) + queues * (PARKED_MAX + 2 * POOL_CACHE);
    pool = rte_pktmbuf_pool_create("frames", count, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, (int)rte_socket_id());
    if (!pool)
        snprintf(error, error_size, "no memory for %u frame buffers: %s", count, rte_strerror(rte_errno));
    return pool;
}

void port_dpdk_buffer_use(unsigned *used, unsigned *total)
{
    *used = rte_mempool_in_use_count(pool);
    *total = pool->size;
}

static int configure(uint16_t id, unsigned queues, const struct rte_eth_dev_info *info, bool *makes_checksums)
{
    static const uint64_t rx_wanted = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    static const uint64_t rss_wanted = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP;
    struct rte_eth_conf conf = {.rxmode.offloads = info->rx_offload_capa & rx_wanted};
    if (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
        conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
    *makes_checksums = conf.txmode.offloads != 0;
    if (queues > 1) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & rss_wanted;
    }
    int error = rte_eth_dev_configure(id, (uint16_t)queues, (uint16_t)queues, &conf);
    uint16_t rx_ring = RX_RING, tx_ring = TX_RING;
    if (error == 0)
        error = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx_ring, &tx_ring);
    for (uint16_t q = 0; q < queues && error == 0; q++)
        error = rte_eth_rx_queue_setup(id, q, rx_ring, (unsigned)rte_eth_dev_socket_id(id), NULL, pool);
    for (uint16_t q = 0; q < queues && error == 0; q++)
        error = rte_eth_tx_queue_setup(id, q, tx_ring, (unsigned)rte_eth_dev_socket_id(id), NULL);
    if (error == 0)
        error = rte_eth_dev_start(id);
    /* Neighbour solicitations come to multicast groups; a port that cannot filter hears them anyway. */
    if (error == 0)
        rte_eth_allmulticast_enable(id);
    return error;
}

struct port *port_dpdk_open(const char *name, unsigned queues, char *error, size_t error_size)
{
    uint16_t id;
    struct rte_eth_dev_info info;
    if (rte_eth_dev_get_port_by_name(name, &id) != 0) {
        snprintf(error, error_size, "%s: EAL found no such device", name);
        return NULL;
    }
    if (rte_eth_dev_info_get(id, &info) != 0 || info.max_rx_queues < queues || info.max_tx_queues < queues) {
        snprintf(error, error_size, "%s: the device has too few queues for %u workers", name, queues);
        return NULL;
    }
    struct port *port = calloc(1, sizeof *port);
    int failure = port ? configure(id, queues, &info, &port->makes_checksums) : -ENOMEM;
    if (failure == 0)
        failure = rte_eth_macaddr_get(id, (struct rte_ether_addr *)port->mac);
    if (failure != 0) {
        snprintf(error, error_size, "%s: %s", name, rte_strerror(-failure));
        free(port);
        return NULL;
    }
    port->id = id;
    return port;
}

void port_dpdk_close(struct port *port)
{
    rte_eth_dev_stop(port->id);
    rte_eth_dev_close(port->id);
    free(port);
}

static uint32_t receive_flags(const struct rte_mbuf *m)
{
    uint32_t flags = m->nb_segs > 1 ? FRAME_PARTIAL : 0;
    uint64_t ip = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK, udp = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
        flags |= FRAME_IP_CHECKSUM_GOOD;
    if (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD)
        flags |= FRAME_IP_CHECKSUM_BAD;
    if (udp == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
        flags |= FRAME_UDP_CHECKSUM_GOOD;
    if (udp == RTE_MBUF_F_RX_L4_CKSUM_BAD)
        flags |= FRAME_UDP_CHECKSUM_BAD;
    return flags;
}

unsigned port_receive(struct port *port, unsigned queue, struct frame frames[], unsigned n)
{
    struct rte_mbuf *buffers[BURST_MAX];
    assert(n <= BURST_MAX);
    n = rte_eth_rx_burst(port->id, (uint16_t)queue, buffers, (uint16_t)n);
    for (unsigned i = 0; i < n; i++)
        rte_prefetch0(buffers[i]);
    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *m = buffers[i];
        for (unsigned at = 0; at < m->data_len && at < FETCH_BYTES; at += CACHE_LINE)
            rte_prefetch0(rte_pktmbuf_mtod_offset(m, void *, at));
        frames[i] = (struct frame){.data = rte_pktmbuf_mtod(m, uint8_t *),
                                   .length = m->data_len,
                                   .room = (uint16_t)(m->buf_len - m->data_off),
                                   .flags = receive_flags(m),
                                   .buffer = m};
    }
    return n;
}

static struct rte_mbuf *sendable(const struct frame *frame)
{
    struct rte_mbuf *m = frame->buffer;
    m->data_len = frame->length;
    m->pkt_len = frame->length;
    m->ol_flags = 0;
    if (frame->flags & (FRAME_UDP4_CHECKSUM | FRAME_UDP6_CHECKSUM)) {
        m->tx_offload = rte_mbuf_tx_offload(frame->link_size, frame->network_size, 0, 0, 0, 0, 0);
        m->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM;
        m->ol_flags |= frame->flags & FRAME_UDP4_CHECKSUM ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
    }
    return m;
}

unsigned port_send(struct port *port, unsigned queue, struct frame frames[], unsigned n)
{
    struct rte_mbuf *buffers[BURST_MAX];
    unsigned sent = 0;
    assert(n <= BURST_MAX);
    for (unsigned i = 0; i < n; i++)
        buffers[i] = sendable(&frames[i]);
    for (unsigned tries = 0; sent < n && tries < SEND_TRIES; tries++)
        sent += rte_eth_tx_burst(port->id, (uint16_t)queue, buffers + sent, (uint16_t)(n - sent));
    if (sent < n)
        rte_pktmbuf_free_bulk(buffers + sent, n - sent);
    return sent;
}

void port_free(struct port *port, struct frame frames[], unsigned n)
{
    void *buffers[BURST_MAX];
    struct rte_mempool *from = NULL;
    unsigned count = 0;
    (void)port;
    assert(n <= BURST_MAX);
    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *m = frames[i].buffer;
        /* A plain buffer goes back as it is: its second cache line is not touched. */
        if (m->nb_segs != 1 || !RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1) {
            rte_pktmbuf_free(m);
            continue;
        }
        if (m->pool != from && count > 0) {
            rte_mempool_put_bulk(from, buffers, count);
            count = 0;
        }
        from = m->pool;
        buffers[count++] = m;
    }
    if (count > 0)
        rte_mempool_put_bulk(from, buffers, count);
}

const uint8_t *port_mac(const struct port *port)
{
    return port->mac;
}

bool port_makes_checksums(const struct port *port)
{
    return port->makes_checksums;
}
