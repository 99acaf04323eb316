/* bench_peers [--json] [--profile NAME] [--seconds S]
 * The appliance against the fair peer (tests/bench/peer) in one run: the same requests from the same generator, the
 * peer behind a TAP port and the kernel's UDP sockets in a network namespace of its own, the appliance behind a ring
 * pair; each has one core. Every verdict of both is checked. */
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "dataplane/coap.h"
#include "tests/bench/gate_setup.h"
#include "tests/bench/peer/peer.h"
#include "tests/bench/store_make.h"
#include "tests/bench/target.h"

#define TAP "net_tap0,iface=load0"
#define RING_DEPTH 8192
#define MEMORY_MB 700

struct options {
    bool json;
    const char *profile;
    double trial_s;
};

static bool make_status(const struct bench_load *load, const char *directory)
{
    static uint8_t bits[STATUS_LIST_BYTES_MAX];
    struct peer_status *status = peer_status_create(directory);
    bool good = status != NULL;
    for (uint32_t issuer = 0; good && issuer < load->signer.issuer_count; issuer++)
        for (uint32_t shard = 0; good && shard < status_shards(&load->profile); shard++) {
            char uri[CREDENTIAL_URI_MAX];
            status_uri(&load->signer, issuer, shard, uri, sizeof uri);
            status_bits(&load->profile, load->seed, issuer, shard, bits);
            for (uint32_t i = 0; i < STATUS_LIST_ENTRIES_MAX && good; i++) {
                uint8_t value = (uint8_t)(bits[i >> 2] >> (i & 3) * 2 & 3);
                if (value != STATUS_VALID)
                    good = peer_status_put(status, bytes_of_text(uri), i, value);
            }
        }
    return status && peer_status_close(status) && good;
}

static pid_t start_peer(const struct bench_load *load, const char *directory)
{
    static struct peer_options options;
    options = (struct peer_options){
        .status = directory, .port = COAP_PORT, .core = 1, .key_count = load->signer.issuer_count};
    for (uint32_t i = 0; i < options.key_count; i++)
        options.keys[i] = signer_key(&load->signer, i);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        peer_serve(&options);
        _exit(1);
    }
    return pid;
}

/* The kernel's end of the TAP: the target's address, and one neighbour that all points are behind. */
static bool configure_tap(const uint8_t mac[6])
{
    char command[512];
    snprintf(command, sizeof command,
             "ip link set lo up && ip addr add 10.0.0.1/32 dev load0 && ip link set load0 up && "
             "ip neigh replace 10.64.0.1 lladdr %02x:%02x:%02x:%02x:%02x:%02x nud permanent dev load0 && "
             "ip route add 10.64.0.0/10 via 10.64.0.1 dev load0 onlink",
             mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    return system(command) == 0; /* in this process's own network namespace */
}

static bool read_tap_mac(uint8_t mac[6])
{
    unsigned bytes[6] = {0};
    FILE *file = popen("ip -o link show dev load0 | sed 's/.*link.ether \\([0-9a-f:]*\\).*/\\1/'", "re");
    bool good = file && fscanf(file, "%2x:%2x:%2x:%2x:%2x:%2x", &bytes[0], &bytes[1], &bytes[2], &bytes[3], &bytes[4],
                               &bytes[5]) == 6;
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)bytes[i];
    return file && pclose(file) == 0 && good;
}

static double highest(struct bench_load *load, const struct options *options, double first_per_s)
{
    struct search_options search = search_defaults();
    search.first_per_s = first_per_s;
    search.trial_s = options->trial_s;
    search.confirm_s = options->trial_s * 3;
    double rate = search_highest(&search, bench_trial, bench_report, load);
    if (rate <= 0 && !load->error[0])
        snprintf(load->error, sizeof load->error, "no rate without loss, or a wrong verdict");
    return rate;
}

static bool open_link(struct bench_load *load, struct load_port *port, const uint8_t mac[6])
{
    load->port = port;
    if (!link_open(&load->link, load_port_mac(port), BENCH_TARGET, COAP_PORT, BENCH_FIRST_ADDRESS, load->profile.points,
                   load->error, sizeof load->error))
        return false;
    link_set_target_mac(&load->link, mac);
    return true;
}

static double measure_peer(struct bench_load *load, const struct options *options)
{
    uint8_t mac[6];
    struct load_port *port = load_port_open(TAP, 1, load->error, sizeof load->error);
    if (!port)
        return -1;
    snprintf(load->error, sizeof load->error, "the TAP port cannot be configured (root and iproute2 are needed)");
    if (!configure_tap(load_port_mac(port)) || !read_tap_mac(mac) || !open_link(load, port, mac))
        return -1;
    load->error[0] = 0;
    return highest(load, options, 500);
}

static double measure_gate(struct bench_load *load, const struct options *options, const char *store)
{
    struct load_port *ends[2];
    char device[LOAD_PORT_NAME_MAX];
    if (!load_port_pair("gate", RING_DEPTH, ends, device, load->error, sizeof load->error))
        return -1;
    struct target_options target_options = {.store = store,
                                            .device = device,
                                            .address = BENCH_TARGET,
                                            .trusted = BENCH_FIRST_ADDRESS & ~((1u << 22) - 1),
                                            .trusted_length = 10,
                                            .points = load->profile.points,
                                            .core = 1};
    struct target *target = target_start(&target_options, load->error, sizeof load->error);
    if (!target || !open_link(load, ends[0], target_mac(target)))
        return -1;
    double rate = highest(load, options, 20000);
    target_stop(target);
    return rate;
}

static int compare(struct bench_load *load, const struct options *options, const char *store, const char *status)
{
    const char *devices[] = {TAP};
    if (unshare(CLONE_NEWNET) != 0) {
        snprintf(load->error, sizeof load->error, "no network namespace of its own: %m");
        return 2;
    }
    pid_t peer = start_peer(load, status);
    double peer_per_s = -1, gate_per_s = -1;
    if (load_environment_start("0@(0,1),1@0,2@1", devices, 1, MEMORY_MB, load->error, sizeof load->error))
        peer_per_s = measure_peer(load, options);
    if (peer > 0) {
        kill(peer, SIGKILL);
        waitpid(peer, NULL, 0);
    }
    if (peer_per_s > 0)
        gate_per_s = measure_gate(load, options, store);
    if (gate_per_s <= 0)
        return 1;
    if (options->json)
        printf("{\n  \"peer_per_s\": %.0f,\n  \"plain_per_s\": %.0f,\n  \"ratio_to_peer\": %.2f,\n  \"profile\": "
               "\"%s\"\n}\n",
               peer_per_s, gate_per_s, gate_per_s / peer_per_s, load->profile.name);
    else
        printf("the fair peer:  %.0f/s\nthe appliance:  %.0f/s\nratio:          %.1f\n", peer_per_s, gate_per_s,
               gate_per_s / peer_per_s);
    return 0;
}

static bool read_options(int argc, char **argv, struct options *out)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"profile", required_argument, NULL, 'p'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        out->json |= option == 'j';
        out->profile = option == 'p' ? optarg : out->profile;
        out->trial_s = option == 's' ? atof(optarg) : out->trial_s;
        if (option == '?' || out->trial_s <= 0)
            return false;
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    static struct bench_load load;
    struct options options = {.profile = "bench-peers", .trial_s = 1};
    char store[] = "/var/tmp/chengmen-peers-XXXXXX", status[] = "/var/tmp/chengmen-peer-XXXXXX";
    if (!read_options(argc, argv, &options)) {
        fprintf(stderr, "usage: bench_peers [--json] [--profile NAME] [--seconds S]\n");
        return 2;
    }
    if (!mkdtemp(store) || !mkdtemp(status) || !bench_load_open(&load, options.profile, 0))
        return 2;
    int code = 2;
    snprintf(load.error, sizeof load.error, "the peer's status cannot be written to %s", status);
    if (make_status(&load, status) &&
        store_make(store, &load.profile, &load.signer, load.seed, BENCH_FIRST_ADDRESS, CHENGMEN_PROFILES "/rules.json",
                   clock_wall_s(), load.error, sizeof load.error))
        code = compare(&load, &options, store, status);
    if (code != 0)
        fprintf(stderr, "bench_peers: %s\n", load.error);
    bench_load_close(&load);
    store_remove(store);
    store_remove(status);
    return code;
}
