#include <string.h>
#include <time.h>

#include "tests/load/commands.h"
#include "tests/load/ticks.h"

#define MEMORY_MB 512
#define ARP_TRIES 10
#define ARP_WAIT_S 0.3

/* Listens for the target's answer, and answers those who ask for points meanwhile. */
static bool hear_target(struct load_port *port, struct link *link, double until)
{
    struct load_frame frames[LOAD_BURST_MAX];
    struct link_answer ignored;
    bool heard = false;
    while (!heard && (double)ticks_now() < until) {
        unsigned count = load_port_receive(port, 0, frames, LOAD_BURST_MAX);
        for (unsigned i = 0; i < count; i++) {
            enum link_kind kind =
                frames[i].segmented ? LINK_OTHER : link_read(link, frames[i].data, frames[i].length, &ignored);
            if (kind == LINK_ARP_REPLY) {
                link_set_target_mac(link, link_arp_mac(frames[i].data));
                heard = true;
            } else if (kind == LINK_ARP_REQUEST) {
                link_arp_answer(link, frames[i].data);
                if (load_port_send(port, 0, &frames[i], 1) == 1)
                    continue;
            }
            load_port_free(port, &frames[i], 1);
        }
    }
    return heard;
}

static bool resolve(struct load_port *port, struct link *link)
{
    for (int i = 0; i < ARP_TRIES; i++) {
        struct load_frame frame;
        if (load_port_take(port, &frame, 1)) {
            link_arp_request(link, frame.data);
            frame.length = LINK_ARP_SIZE;
            if (load_port_send(port, 0, &frame, 1) != 1)
                load_port_free(port, &frame, 1);
        }
        if (hear_target(port, link, (double)ticks_now() + ARP_WAIT_S * ticks_per_s()))
            return true;
    }
    return false;
}

int route_open(const struct route *route, uint32_t points, struct load_port **port, struct link *link)
{
    char error[256];
    const char *devices[] = {route->device};
    static const uint8_t placeholder[6];
    if (!link_open(link, placeholder, route->target, route->target_port, route->first_address, points, error,
                   sizeof error)) {
        complain("%s", error);
        return EXIT_USAGE;
    }
    if (!load_environment_start(route->cores ? route->cores : "0@(0,1),1@1", devices, 1, MEMORY_MB, error,
                                sizeof error)) {
        complain("%s", error);
        return EXIT_UNREACHABLE;
    }
    if (load_core_count() != 1) {
        complain("--cores %s: main's core and one for the generator are wanted, such as 0@0,1@1", route->cores);
        return EXIT_USAGE;
    }
    if ((*port = load_port_open(route->device, 1, error, sizeof error)) == NULL) {
        complain("%s", error);
        return EXIT_UNREACHABLE;
    }
    if (!link_open(link, load_port_mac(*port), route->target, route->target_port, route->first_address, points, error,
                   sizeof error))
        return EXIT_USAGE;
    if (route->has_mac)
        link_set_target_mac(link, route->mac);
    else if (!resolve(*port, link)) {
        complain(
            "%s: nobody answers ARP for the target's address: is it the target's, and is the target at the other end?",
            route->device);
        return EXIT_UNREACHABLE;
    }
    return EXIT_OK;
}
