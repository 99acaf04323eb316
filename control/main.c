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
                           "  --help          this text\n";

static const char *read_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *path = CONFIG_DEFAULT;
    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
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

/* One turn after the other until a signal ends it (0) or the store can no longer be written (1). */
static int serve(struct server *server, struct service *service, int signals, char *error, size_t error_size)
{
    struct pollfd fds[1 + SERVER_FDS_MAX];
    for (;;) {
        fds[0] = (struct pollfd){.fd = signals, .events = POLLIN};
        unsigned count = server_fds(server, fds + 1);
        if (poll(fds, 1 + count, -1) < 0 && errno != EINTR) {
            snprintf(error, error_size, "poll: %s", strerror(errno));
            return 1;
        }
        if (fds[0].revents)
            return 0;
        server_receive(server, fds + 1, count, service_answer, service);
        if (!journal_commit(&service->journal, error, error_size))
            return 1;
        server_send(server);
    }
}

static int fail(const char *what)
{
    fprintf(stderr, "chengmen-control: %s\n", what);
    return 1;
}

int main(int argc, char **argv)
{
    static struct operator_config config;
    static struct service service;
    char error[512];
    if (!operator_config_load(read_arguments(argc, argv), &config))
        return 1;
    int signals = termination_signals();
    service.config = &config;
    service.started_s = clock_wall_s();
    if (!privileges_drop(&config, error, sizeof error) ||
        !journal_open(config.store, &service.journal, error, sizeof error) ||
        !write_compiled(&config, error, sizeof error))
        return fail(error);
    struct server *server = server_open(config.control.socket, error, sizeof error);
    if (!server)
        return fail(error);
    printf("chengmen-control: store %s, sequence %llu; listening on %s\n", config.store,
           (unsigned long long)service.journal.state.sequence, config.control.socket);
    fflush(stdout);
    int code = serve(server, &service, signals, error, sizeof error);
    if (code != 0)
        fail(error);
    server_close(server);
    journal_close(&service.journal);
    return code;
}
