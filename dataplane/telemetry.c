#include "dataplane/telemetry.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <rte_eal.h>
#include <rte_telemetry.h>
#include <rte_version.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/port_dpdk.h"
#include "keys/ed25519/ed25519.h"

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

static struct worker *const *all_workers;
static unsigned all_worker_count;
static struct follower *the_follower;

static uint64_t sum(size_t offset)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < all_worker_count; i++)
        total += counted((const uint64_t *)((const uint8_t *)&all_workers[i]->counters + offset));
    return total;
}

/* One flat object: every reason by its name, zero or not, then what frames and answers came to. */
static int counters_handler(const char *command, const char *parameters, struct rte_tel_data *data)
{
    (void)command;
    (void)parameters;
    rte_tel_data_start_dict(data);
    for (unsigned i = 1; i < REASON_LIMIT; i++)
        if (strcmp(reason_name((enum reason)i), "UNKNOWN") != 0)
            rte_tel_data_add_dict_uint(data, reason_name((enum reason)i),
                                       sum(offsetof(struct counters, ended) + i * sizeof(uint64_t)));
    rte_tel_data_add_dict_uint(data, "received", sum(offsetof(struct counters, received)));
    rte_tel_data_add_dict_uint(data, "parked", sum(offsetof(struct counters, parked)));
    rte_tel_data_add_dict_uint(data, "parked_now", sum(offsetof(struct counters, parked_now)));
    rte_tel_data_add_dict_uint(data, "sent", sum(offsetof(struct counters, sent)));
    rte_tel_data_add_dict_uint(data, "send_failed", sum(offsetof(struct counters, send_failed)));
    rte_tel_data_add_dict_uint(data, "protect_failed", sum(offsetof(struct counters, protect_failed)));
    rte_tel_data_add_dict_uint(data, "replay_forgotten", sum(offsetof(struct counters, replay_forgotten)));
    rte_tel_data_add_dict_uint(data, "bursts", sum(offsetof(struct counters, bursts)));
    return 0;
}

static int verdicts_handler(const char *command, const char *parameters, struct rte_tel_data *data)
{
    (void)command;
    (void)parameters;
    rte_tel_data_start_dict(data);
    for (unsigned i = 0; i < VERDICT_COUNT; i++)
        rte_tel_data_add_dict_uint(data, verdict_name((enum verdict)i),
                                   sum(offsetof(struct counters, verdicts) + i * sizeof(uint64_t)));
    return 0;
}

static int info_handler(const char *command, const char *parameters, struct rte_tel_data *data)
{
    struct follower_state state;
    unsigned used, total;
    (void)command;
    (void)parameters;
    follower_state(the_follower, &state);
    port_dpdk_buffer_use(&used, &total);
    rte_tel_data_start_dict(data);
    rte_tel_data_add_dict_string(data, "engine", ed25519_engine_name());
    rte_tel_data_add_dict_uint(data, "workers", all_worker_count);
    rte_tel_data_add_dict_uint(data, "sequence", state.sequence);
    rte_tel_data_add_dict_uint(data, "generations", state.generations);
    rte_tel_data_add_dict_uint(data, "records_refused", state.records_refused);
    rte_tel_data_add_dict_uint(data, "store_reading", state.reading);
    rte_tel_data_add_dict_string(data, "store_error", state.error);
    rte_tel_data_add_dict_uint(data, "table_number", state.store.table_number);
    rte_tel_data_add_dict_uint(data, "table_records", state.store.table_records);
    rte_tel_data_add_dict_uint(data, "table_damaged", state.store.table_damaged);
    rte_tel_data_add_dict_uint(data, "filter_damaged", state.store.filter_damaged);
    rte_tel_data_add_dict_uint(data, "overlay_records", state.store.overlay_records);
    rte_tel_data_add_dict_uint(data, "overlay_bytes", state.store.overlay_bytes);
    rte_tel_data_add_dict_uint(data, "signature_table_bytes", ed25519_memory().total_bytes);
    rte_tel_data_add_dict_uint(data, "buffers_used", used);
    rte_tel_data_add_dict_uint(data, "buffers_total", total);
    return 0;
}

void telemetry_start(struct worker *const workers[], unsigned worker_count, struct follower *follower)
{
    all_workers = workers;
    all_worker_count = worker_count;
    the_follower = follower;
    rte_telemetry_register_cmd("/chengmen/counters", counters_handler, "Frames by the reason they ended with.");
    rte_telemetry_register_cmd("/chengmen/verdicts", verdicts_handler, "Verdicts given.");
    rte_telemetry_register_cmd("/chengmen/info", info_handler, "Engine, generation, store and buffers.");
}

/* Search permission alone: what else lies there stays as closed as it is. */
static bool open_parent(const char *directory)
{
    char parent[PATH_MAX];
    struct stat status;
    snprintf(parent, sizeof parent, "%s", directory);
    char *slash = strrchr(parent, '/');
    if (!slash || slash == parent)
        return true;
    *slash = '\0';
    return stat(parent, &status) == 0 && chmod(parent, (status.st_mode & 07777) | S_IXGRP | S_IXOTH) == 0;
}

bool telemetry_share(const char *user, char *error, size_t error_size)
{
    const char *directory = rte_eal_get_runtime_dir();
    char path[PATH_MAX];
    if (user[0] == 0)
        return true;
    const struct passwd *entry = getpwnam(user);
    if (!entry) {
        snprintf(error, error_size, "no user %s", user);
        return false;
    }
    snprintf(path, sizeof path, "%s/dpdk_telemetry.v2", directory);
    if (open_parent(directory) && chown(directory, (uid_t)-1, entry->pw_gid) == 0 && chmod(directory, 0710) == 0 &&
        chown(path, (uid_t)-1, entry->pw_gid) == 0 && chmod(path, 0770) == 0)
        return true;
    snprintf(error, error_size, "%s: %s", path, strerror(errno));
    return false;
}
