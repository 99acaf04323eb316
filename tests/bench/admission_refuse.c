/* Requests that must be refused, against dpdk-testpmd that sends every frame back: both on a TAP, on the same core,
 * with the same sender and frames of the same size. Both read a frame and write one for it, so a refusal that goes back
 * unanswered would not do: all budgets of failures are off, and nothing is dropped unheard. What is counted is the
 * frames that the port's reader took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/clock.h"
#include "tests/bench/admission_bench.h"
#include "tests/bench/admission_frames.h"
#include "tests/bench/store_make.h"
#include "tests/load/port.h"

#define PEER "chgpeer0"
#define OURS "chgours0"
#define WORKER_CORE "1"
#define BURST 64
#define WARM_NS UINT64_C(200000000)
#define MEASURE_NS UINT64_C(1000000000)
#define START_NS UINT64_C(8000000000)
#define SENT_PER_S 300000u         /* several times what a TAP carries */
#define PROTECTED_MESSAGES 450000u /* more than are taken while this kind is measured: none is a replay */
#define FORGED_MESSAGES 4096u

struct sender {
    int fd;
    struct link link;
    const struct refused_messages *messages;
    uint32_t points, next;
    uint8_t frames[BURST][LINK_HEADERS_SIZE + REFUSED_MESSAGE_SIZE];
};

static bool sender_open(struct sender *s, const char *interface, const uint8_t mac[6], uint32_t points)
{
    static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 9};
    char error[128];
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex(interface)};
    s->points = points;
    s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        !link_open(&s->link, own_mac, APPLIANCE_ADDRESS, 5683, APPLIANCE_POINTS, points, error, sizeof error))
        return false;
    shutdown(s->fd, SHUT_RD);
    link_set_target_mac(&s->link, mac);
    return true;
}

static void send_burst(struct sender *s)
{
    struct mmsghdr messages[BURST] = {0};
    struct iovec pieces[BURST];
    for (unsigned i = 0; i < BURST; i++, s->next++) {
        pieces[i].iov_base = s->frames[i];
        pieces[i].iov_len = refused_write(s->messages, &s->link, s->next % s->points, s->next, s->frames[i]);
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    for (int sent = 0, n; sent<BURST; sent += n> 0 ? n : 1)
        n = sendmmsg(s->fd, messages + sent, BURST - (unsigned)sent, MSG_DONTWAIT); /* what the port drops is gone */
}

/* Frames that the port's reader has taken since the interface came up. */
static uint64_t taken(const char *interface)
{
    char path[128], text[32] = "";
    snprintf(path, sizeof path, "/sys/class/net/%s/statistics/tx_packets", interface);
    FILE *file = fopen(path, "re");
    if (file && !fgets(text, sizeof text, file))
        text[0] = 0;
    if (file)
        fclose(file);
    return strtoull(text, NULL, 10);
}

static void send_for(struct sender *s, uint64_t duration_ns)
{
    uint64_t begin = clock_monotonic_ns(), next = 0, now;
    while ((now = clock_monotonic_ns() - begin) < duration_ns)
        if (now >= next) {
            send_burst(s);
            next += BURST * UINT64_C(1000000000) / SENT_PER_S;
        }
}

static double measure(struct sender *s, const char *interface)
{
    send_for(s, WARM_NS);
    uint64_t before = taken(interface), begin = clock_monotonic_ns();
    send_for(s, MEASURE_NS);
    uint64_t frames = taken(interface) - before;
    return (double)frames * 1e9 / (double)(clock_monotonic_ns() - begin);
}

/* A namespace of its own, with its own sight of /sys, so that nothing else is on the wire. */
static bool own_network(void)
{
    return unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("sysfs", "/sys", "sysfs", 0, NULL) == 0;
}

static bool stay_on_core(unsigned core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

static pid_t testpmd_start(int *control)
{
    int input[2];
    if (pipe2(input, O_CLOEXEC) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(input[0], STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execlp("dpdk-testpmd", "dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry", "--no-shconf",
               "--lcores=0@0,1@" WORKER_CORE, "--main-lcore=0", "--vdev=net_tap0,iface=" PEER, "--",
               "--forward-mode=5tswap", "--auto-start", "--burst=64", "--total-num-mbufs=16384", (char *)NULL);
        _exit(127);
    }
    close(input[0]);
    *control = input[1];
    return child;
}

static bool wait_for(const char *interface)
{
    for (uint64_t begin = clock_monotonic_ns(); clock_monotonic_ns() - begin < START_NS; usleep(20000))
        if (if_nametoindex(interface))
            return usleep(700000) == 0; /* it has to start its port still */
    return false;
}

/* Frames a second that testpmd sends back, 0 where it could not be run. */
static double testpmd_per_s(const struct refused_messages *messages)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 8};
    struct sender sender = {.messages = messages};
    double per_s = 0;
    int control, status;
    pid_t child = testpmd_start(&control);
    if (child > 0 && wait_for(PEER) && sender_open(&sender, PEER, mac, 1)) {
        per_s = measure(&sender, PEER);
        close(sender.fd);
    }
    if (child > 0) {
        close(control); /* the end of its input is its end */
        for (unsigned tries = 0; tries < 50 && waitpid(child, &status, WNOHANG) == 0; tries++) {
            if (tries == 40)
                kill(child, SIGKILL);
            usleep(100000);
        }
    }
    return per_s;
}

static double better_of(double one, double two)
{
    return one > two ? one : two;
}

/* The reason that a kind's frames end in. */
static enum reason reason_of(enum refused kind)
{
    switch (kind) {
    case REFUSED_UNKNOWN_KID:
        return REASON_OSCORE_CONTEXT;
    case REFUSED_WRONG_TAG:
        return REASON_OSCORE_PROTECTION;
    case REFUSED_MALFORMED:
        return REASON_COAP_FORMAT;
    case REFUSED_STRANGER:
        return REASON_POINT_UNKNOWN;
    default:
        return REASON_VENUE_BUDGET;
    }
}

/* Frames a second that the worker refuses for the kind's own reason; 0 where many ended otherwise. */
static double refused_per_s(const struct appliance *appliance, enum refused kind)
{
    const struct counters *counters = appliance_counters(appliance);
    struct refused_messages messages;
    struct sender sender = {.messages = &messages};
    bool is_protected = kind == REFUSED_OVER_BUDGET_PROTECTED;
    double per_s = 0;
    if (refused_make(kind, is_protected ? PROTECTED_MESSAGES : FORGED_MESSAGES, 2, &messages) &&
        sender_open(&sender, OURS, appliance_mac(appliance), APPLIANCE_CONTEXTS)) {
        uint64_t received = counted(&counters->received), right = counted(&counters->ended[reason_of(kind)]);
        per_s = measure(&sender, OURS);
        received = counted(&counters->received) - received;
        right = counted(&counters->ended[reason_of(kind)]) - right;
        close(sender.fd);
        if ((double)right < 0.98 * (double)received) {
            fprintf(stderr, "bench_admission: %s: %lu of %lu frames ended as they should\n", refused_name(kind), right,
                    received);
            per_s = 0;
        }
    }
    refused_free(&messages);
    return per_s;
}

static struct appliance *start(const char *store, char *error, size_t error_size)
{
    static const char *const devices[] = {"net_tap0,iface=" OURS};
    static struct profile profile;
    static struct signer signer;
    snprintf(error, error_size, "no profile");
    if (!profile_load(ADMISSION_PROFILE, &profile) ||
        !signer_open(&signer, 1, profile.issuers, profile.issuer_count, 16) ||
        !store_make(store, &profile, &signer, 1, APPLIANCE_POINTS, CHENGMEN_RULES, clock_wall_s(), error, error_size) ||
        !load_environment_start("0@0,1@" WORKER_CORE, devices, 1, 512, error, error_size))
        return NULL;
    /* A budget that is spent after the first request. */
    return appliance_start(
        &(struct appliance_options){.store = store, .device = "net_tap0", .core = 0, .venue = {1, 1}}, error,
        error_size);
}

int admission_refuse(void)
{
    char error[256] = "no network namespace", store[] = "/var/tmp/chengmen-admission-XXXXXX";
    struct refused_messages messages;
    double testpmd, worst = 0, rates[REFUSED_COUNT];
    if (!mkdtemp(store) || !own_network() || !stay_on_core(0) ||
        !refused_make(REFUSED_STRANGER, FORGED_MESSAGES, 0, &messages) ||
        (testpmd = better_of(testpmd_per_s(&messages), testpmd_per_s(&messages))) <= 0) {
        fprintf(stderr, "bench_admission: dpdk-testpmd forwards nothing\n");
        return 1;
    }
    struct appliance *appliance = start(store, error, sizeof error);
    if (!appliance)
        fprintf(stderr, "bench_admission: %s\n", error);
    for (unsigned kind = 0; appliance && kind < REFUSED_STRANGER; kind++) {
        rates[kind] = refused_per_s(appliance, kind) / testpmd;
        worst = kind == 0 || rates[kind] < worst ? rates[kind] : worst;
    }
    if (appliance)
        appliance_stop(appliance);
    store_remove(store);
    if (!appliance)
        return 1;
    printf("\"refuse_vs_testpmd\": %.3f, \"refuse_port\": \"net_tap\", \"testpmd_per_s\": %.0f", worst, testpmd);
    for (unsigned kind = 0; kind < REFUSED_STRANGER; kind++)
        printf(", \"refuse_%s\": %.3f", refused_name(kind), rates[kind]);
    printf("\n");
    return worst > 0 ? 0 : 1;
}
