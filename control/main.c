/* chengmen-control: the one writer of the store. Sees no packet; if it dies, verdicts go on. One thread: a turn takes
 * what has arrived, makes it durable with one fsync, and only then answers. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/http.h"
#include "control/privileges.h"
#include "control/server.h"
#include "control/service.h"
#include "dataplane/clock.h"

#define CONFIG_DEFAULT "/etc/chengmen/chengmen.json"

static const char help[] = "usage: chengmen-control [--config FILE]\n"
                           "\n"
                           "Keeps Chengmen's store and answers the `chengmen` command.\n"
                           "\n"
                           "  --config FILE   configuration; default " CONFIG_DEFAULT "\n"
                           "                  (`chengmen config members` describes it)\n"
                           "  --version       prints it\n"
                           "  --help          this text\n";

static const char *read_arguments(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    const char *path = CONFIG_DEFAULT;
    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            exit(0);
        }
        if (option == 'v') {
            puts("chengmen-control " CHENGMEN_VERSION);
            exit(0);
        }
        if (option != 'c')
            exit(2);
        path = optarg;
    }
    if (optind < argc) {
        fputs(help, stderr);
        exit(2);
    }
    return path;
}

/* The dataplane reads its configuration from the store, so that both daemons start from one file. */
static bool write_compiled(const struct operator_config *config, char *error, size_t error_size)
{
    static uint8_t room[CONFIG_ENCODED_MAX];
    char path[sizeof config->store + sizeof "/" CONFIG_COMPILED_NAME], temporary[sizeof path + 4];
    if (!config->has_dataplane)
        return true;
    size_t size = config_encode(&config->dataplane, room, sizeof room);
    snprintf(path, sizeof path, "%s/" CONFIG_COMPILED_NAME, config->store);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = size > 0 ? fopen(temporary, "we") : NULL;
    bool ok = file && fwrite(room, 1, size, file) == size;
    if (file)
        ok = fclose(file) == 0 && ok;
    if (ok && rename(temporary, path) == 0)
        return true;
    snprintf(error, error_size, "%s: %s", path, strerror(errno));
    return false;
}

static int termination_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

struct daemon {
    struct service service;
    struct server *server;
    struct http *http; /* NULL: none is configured */
    int signals;
};

/* How long poll may wait: while there is folding to do, which goes on between turns, until its next piece. */
static int wait_ms(struct daemon *d)
{
    if (journal_folding(&d->service.journal))
        return journal_fold_wait_ms(&d->service.journal);
    return d->http ? http_wait_ms(d->http) : -1;
}

/* One turn after the other until a signal ends it (0) or the store can no longer be written (1). */
static int serve(struct daemon *d, char *error, size_t error_size)
{
    struct pollfd fds[2 + SERVER_FDS_MAX];
    for (;;) {
        fds[0] = (struct pollfd){.fd = d->signals, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = d->http ? http_fd(d->http) : -1, .events = POLLIN};
        unsigned count = server_fds(d->server, fds + 2);
        if (poll(fds, 2 + count, wait_ms(d)) < 0 && errno != EINTR) {
            snprintf(error, error_size, "poll: %s", strerror(errno));
            return 1;
        }
        if (fds[0].revents)
            return 0;
        server_receive(d->server, fds + 2, count, service_answer, &d->service);
        if (!journal_commit(&d->service.journal, error, error_size))
            return 1;
        server_send(d->server);
        journal_reserve(&d->service.journal);
        if (d->http)
            http_run(d->http);
        if (journal_folding(&d->service.journal) && journal_fold_wait_ms(&d->service.journal) == 0) {
            journal_fold_step(&d->service.journal, error, error_size);
            if (error[0])
                fprintf(stderr, "chengmen-control: folding: %s\n", error);
        }
    }
}

static int fail(const char *what)
{
    fprintf(stderr, "chengmen-control: %s\n", what);
    return 1;
}

static bool start(struct daemon *d, const struct operator_config *config, char *error, size_t error_size)
{
    d->signals = termination_signals();
    d->service.config = config;
    d->service.started_s = clock_wall_s();
    if (!privileges_drop(config, error, error_size) ||
        !journal_open(config->store, &d->service.journal, error, error_size) ||
        !write_compiled(config, error, error_size))
        return false;
    d->service.seal_key = seal_key_open(config->seal_key, SEAL_MAY_CREATE, error, error_size);
    if (!d->service.seal_key)
        return false;
    d->server = server_open(config->control.socket, error, error_size);
    if (d->server && config->control.http[0])
        d->http = http_open(config->control.http, &d->service, error, error_size);
    return d->server && (d->http || !config->control.http[0]);
}

int main(int argc, char **argv)
{
    static struct operator_config config;
    static struct daemon daemon;
    char error[512];
    if (!operator_config_load(read_arguments(argc, argv), &config))
        return 1;
    int code = start(&daemon, &config, error, sizeof error) ? 0 : fail(error);
    if (code == 0) {
        printf("chengmen-control: store %s, sequence %llu; listening on %s%s%s\n", config.store,
               (unsigned long long)daemon.service.journal.state.sequence, config.control.socket,
               config.control.http[0] ? " and http://" : "", config.control.http);
        fflush(stdout);
        code = serve(&daemon, error, sizeof error) == 0 ? 0 : fail(error);
    }
    if (daemon.http)
        http_close(daemon.http);
    if (daemon.server)
        server_close(daemon.server);
    journal_close(&daemon.service.journal);
    if (daemon.service.seal_key)
        seal_key_close(daemon.service.seal_key);
    return code;
}
