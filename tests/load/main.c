#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/coap.h"
#include "tests/load/commands.h"

static const char help[] =
    "chengmen-load: rehearses the rush hour and measures honestly\n"
    "\n"
    "  chengmen-load run PROFILE --to ADDRESS[:PORT] --port DEVICE [OPTION…]      one load, every verdict checked\n"
    "  chengmen-load search PROFILE --to ADDRESS[:PORT] --port DEVICE [OPTION…]   the highest rate without loss\n"
    "  chengmen-load pool PROFILE --out DIRECTORY [--seed N] [--from ADDRESS] [--oscore] [--force]     what the target "
    "must "
    "know, and "
    "import.sh\n"
    "  chengmen-load self-test [--seconds S] [--rate PER_S] [--top PER_S] [--tries N] [--json]\n"
    "  chengmen-load report FILE.json --html FILE.html                            the page of a run's JSON\n"
    "  chengmen-load profiles                                                     the shipped ones\n"
    "\n"
    "PROFILE is a shipped profile's name or a JSON file. DEVICE is DPDK's: a PCI address, or a virtual device whose "
    "other\n"
    "end the target has:\n"
    "  the target has in `ports`                                   here\n"
    "  net_memif0,role=server,socket=S,socket-abstract=no          net_memif0,role=client,socket=S,socket-abstract=no\n"
    "  net_vhost0,iface=S                                          net_virtio_user0,path=S\n"
    "  net_af_packet0,iface=veth0 (ip link add veth0 type veth peer name veth1; both up)\n"
    "                                                              net_af_packet0,iface=veth1\n"
    "  the kernel's stack (any CoAP server)                        net_tap0,iface=load0, and routes to the points\n"
    "\n"
    "One after the other, as root, the target being a Chengmen with \"trusted\": [\"10.64.0.0/10\"]:\n"
    "  chengmen-load pool shanghai-rush-hour --out /tmp/pool && /tmp/pool/import.sh\n"
    "  chengmen-load run shanghai-rush-hour --to 10.77.0.1 --port net_virtio_user0,path=/run/load.sock --html "
    "load.html\n"
    "\n"
    "One generator on one core sends and matches 2 million requests a second. IPv4 only, without VLAN tags. Frames go "
    "to\n"
    "the one address and port of --to and nowhere else; a run ends by itself, and early on Ctrl-C.\n"
    "\n"
    "  --rate PER_S         scale the profile so that this is its peak\n"
    "  --seconds S          run so long (profiles of one constant rate), or a step of the search\n"
    "  --from ADDRESS       address of the first point; the others follow it (10.64.0.1)\n"
    "  --to-mac MAC         the target's hardware address; otherwise asked for by ARP\n"
    "  --contexts FILE      protect by OSCORE, with the points' contexts as `chengmen point export` prints them, one\n"
    "                       behind the other (`pool --oscore` writes contexts.json); every answer is opened and "
    "checked;\n"
    "                       sequence numbers go on in FILE.sequence: keep it as long as FILE\n"
    "  --force              pool: into a directory that holds a pool already\n"
    "  --seed N             of everything drawn at random (1)\n"
    "  --cores LIST         main's core and the generator's, as EAL's --lcores: 0@(0,1),1@1\n"
    "  --loss-limit PERCENT what may be lost, late or shed (0)\n"
    "  --latency-limit US   search: the highest rate whose 99th percentile stays below\n"
    "  --json FILE          the whole result; - is standard output\n"
    "  --html FILE          the report\n"
    "  --quiet              no display\n"
    "\n"
    "Exit codes: 0 all right; 1 a wrong verdict, or more lost than allowed; 2 usage; 3 the target cannot be reached.\n";

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("chengmen-load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

bool read_number(const char *text, double min, double max, double *out)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value >= min && value <= max)) {
        complain("'%s': a number from %g to %g is wanted", text, min, max);
        return false;
    }
    *out = value;
    return true;
}

bool read_address(const char *text, uint32_t *address, uint16_t *port)
{
    char room[32];
    struct in_addr in;
    const char *colon = port ? strchr(text, ':') : NULL;
    if (colon && (strchr(colon + 1, ':') || *text == '[')) {
        complain("'%s': IPv6 is not spoken here; an IPv4 address is wanted, or ADDRESS:PORT", text);
        return false;
    }
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    double number = COAP_PORT;
    if (length >= sizeof room || (colon && !read_number(colon + 1, 1, 65535, &number)))
        return false;
    memcpy(room, text, length);
    room[length] = 0;
    if (inet_pton(AF_INET, room, &in) != 1) {
        complain("'%s' is no IPv4 address", room);
        return false;
    }
    *address = ntohl(in.s_addr);
    if (port)
        *port = (uint16_t)number;
    return true;
}

/* After a subcommand; up to "--". */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {
        {"run", command_run},       {"search", command_run},
        {"pool", command_pool},     {"self-test", command_selftest},
        {"report", command_report}, {"profiles", command_profiles},
    };
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)) {
        fputs(help, stdout);
        return EXIT_OK;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("chengmen-load " CHENGMEN_VERSION);
        return EXIT_OK;
    }
    for (size_t i = 0; argc >= 2 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            if (!asks_for_help(argc, argv))
                return commands[i].run(argc - 1, argv + 1);
            fputs(help, stdout);
            return EXIT_OK;
        }
    if (argc >= 2)
        complain("'%s' is no subcommand", argv[1]);
    fputs(help, stderr);
    return EXIT_USAGE;
}
